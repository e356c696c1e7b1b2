import { join } from 'node:path';
import { type RelayHandle, type RelayOptions, startRelay } from '@tendon/gateway/relay';
import { loopbackFront } from '@tendon/server/page';
import { pino } from 'pino';
import { AgentSocket } from './agent-socket.ts';

/** What a browser has that is signed in. */
export interface RelayBrowser {
  /** As it stands in a header. */
  readonly cookie: string;
  readonly pageKey: string;
}

export interface RelayRig extends AsyncDisposable {
  readonly relay: RelayHandle;
  /** Links that were shown in the terminal. */
  readonly links: string[];
  /** How often the server refused the relay's own key. */
  readonly keyRefusals: () => number;
  readonly logLines: Record<string, unknown>[];
  /** A browser that opens a new link. */
  signIn(): Promise<RelayBrowser>;
  /** A page's connection, from a browser that signs in anew unless another is given, with the key of its page unless another token is given. */
  page(options?: { readonly browser?: RelayBrowser; readonly token?: string }): Promise<AgentSocket>;
}

/** A relay on a free port, which shows the built page. */
export async function relayRig(options: Pick<RelayOptions, 'serverUrl' | 'key' | 'approvals'>): Promise<RelayRig> {
  const links: string[] = [];
  const logLines: Record<string, unknown>[] = [];
  let refusals = 0;
  const log = pino({ level: 'info' }, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  const relay = await startRelay({
    ...options,
    port: 0,
    front: loopbackFront(join(import.meta.dirname, '../../packages/web/dist')),
    log,
    version: '0.0.0',
    onLink: (link) => links.push(link),
    onKeyRefused: () => {
      refusals += 1;
    },
  });
  const sockets = new Set<AgentSocket>();
  const signIn = async (): Promise<RelayBrowser> => {
    const { headers } = await fetch(relay.signInLink(), { redirect: 'manual' });
    return { cookie: headers.get('set-cookie')?.split(';')[0] ?? '', pageKey: headers.get('location')?.split('#relay=')[1] ?? '' };
  };
  return {
    ...{ relay, links, logLines, signIn, keyRefusals: () => refusals },
    page: async ({ browser, token } = {}) => {
      const { cookie, pageKey } = browser ?? (await signIn());
      const socket = await AgentSocket.connect({ url: relay.url, name: 'a page', headers: { Cookie: cookie, Origin: relay.url }, key: token ?? pageKey });
      sockets.add(socket);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.close();
      await relay.close();
    },
  };
}
