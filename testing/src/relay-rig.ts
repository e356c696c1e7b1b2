import { join } from 'node:path';
import { type RelayHandle, type RelayOptions, startRelay } from '@tendon/gateway/relay';
import { loopbackFront } from '@tendon/server/page';
import { pino } from 'pino';
import { AgentSocket } from './agent-socket.ts';
import { type RelayBrowser, relayToken, signInAtRelay } from './relay-browser.ts';

export interface RelayRig extends AsyncDisposable {
  readonly relay: RelayHandle;
  /** Links that were shown in the terminal. */
  readonly links: string[];
  /** How often the server refused the relay's own key. */
  readonly keyRefusals: () => number;
  readonly logLines: Record<string, unknown>[];
  /** A browser that opens a new link. */
  signIn(): Promise<RelayBrowser>;
  /** A token for one socket of this browser's page; the browser signs in anew unless one is given. Undefined where the relay gives none. */
  token(browser?: RelayBrowser): Promise<string | undefined>;
  /** A page's connection, from a browser that signs in anew unless one is given, with a token of its own unless another is given. */
  page(options?: { readonly browser?: RelayBrowser; readonly token?: string }): Promise<AgentSocket>;
}

/** A relay on a free port, which shows the built page. */
export async function relayRig(options: Pick<RelayOptions, 'serverUrl' | 'key' | 'approvals' | 'now'>): Promise<RelayRig> {
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
  const signIn = (): Promise<RelayBrowser> => signInAtRelay(relay.signInLink());
  const tokenOf = async (browser?: RelayBrowser): Promise<string | undefined> => relayToken(relay.url, browser ?? (await signIn()));
  return {
    ...{ relay, links, logLines, signIn, token: tokenOf, keyRefusals: () => refusals },
    page: async ({ browser, token } = {}) => {
      const from = browser ?? (await signIn());
      const key = token ?? (await tokenOf(from));
      const headers = { Cookie: from.cookie, Origin: relay.url };
      const socket = await AgentSocket.connect({ url: relay.url, name: 'a page', headers, ...(key === undefined ? {} : { key }) });
      sockets.add(socket);
      return socket;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.close();
      await relay.close();
    },
  };
}
