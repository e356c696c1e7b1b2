import { join } from 'node:path';
import { type RelayHandle, type RelayOptions, startRelay } from '@tendon/gateway/relay';
import { loopbackFront } from '@tendon/server/page';
import { pino } from 'pino';
import { AgentSocket } from './agent-socket.ts';

export interface RelayRig extends AsyncDisposable {
  readonly relay: RelayHandle;
  /** Links that were shown in the terminal. */
  readonly links: string[];
  /** How often the server refused the relay's own key. */
  readonly keyRefusals: () => number;
  readonly logLines: Record<string, unknown>[];
  /** The cookie of a browser that has opened a new link. */
  signIn(): Promise<string>;
  /** A page's connection, with the cookie of a browser that is signed in unless another is given. */
  page(options?: { readonly cookie?: string; readonly token?: string }): Promise<AgentSocket>;
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
  const signIn = async (): Promise<string> => {
    const answer = await fetch(relay.signInLink(), { redirect: 'manual' });
    return (answer.headers.get('set-cookie') ?? '').split(';')[0] ?? '';
  };
  return {
    ...{ relay, links, logLines, signIn, keyRefusals: () => refusals },
    page: async ({ cookie, token } = {}) => {
      const headers = { Cookie: cookie ?? (await signIn()), Origin: relay.url };
      const socket = await AgentSocket.connect({ url: relay.url, name: 'a page', headers, ...(token === undefined ? {} : { key: token }) });
      sockets.add(socket);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.close();
      await relay.close();
    },
  };
}
