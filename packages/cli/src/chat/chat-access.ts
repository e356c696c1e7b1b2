import { hostname } from 'node:os';
import { type Config, StartError } from '@tendon/server/settings';
import { z } from 'zod';
import { type ControlClient, clientOf, requireUrl } from '../control-client.ts';
import { runningServer } from '../home-lock.ts';
import { note } from '../output.ts';
import { forgetPairing, type PairingQuestion, pair, pairedKeys } from '../pairing.ts';

/** As what a chat comes in. */
export interface ChatAccess {
  readonly url: string;
  readonly token: string;
  /** Of a pairing: `kept` from an earlier one, or of one that was made now. */
  readonly pairing?: 'kept' | 'new';
  /** The server has said that this credential is over. */
  forget(): Promise<void>;
  /** Gives back what was borrowed. */
  end(): Promise<void>;
}

const NOTHING = async (): Promise<void> => undefined;
const NO_SERVER = 'no server runs on this home: start one with "tendon start", or name one with --server';

/** The given key; else, for a server that is named, that of a pairing; else a key for this chat alone from the server of this home. */
export async function openAccess(config: Config, serverUrl: string | undefined): Promise<ChatAccess> {
  const running = runningServer(config.home);
  if (config.apiKey !== undefined) {
    const url = serverUrl ?? running?.url;
    if (url === undefined) throw new StartError(NO_SERVER);
    return { url: requireUrl(url), token: config.apiKey, forget: NOTHING, end: NOTHING };
  }
  if (serverUrl !== undefined) return pairedAccess(config.home, requireUrl(serverUrl));
  if (running?.url === undefined || running.controlKey === undefined) throw new StartError(NO_SERVER);
  return borrowedAccess(clientOf(running.url, running.controlKey));
}

async function pairedAccess(home: string, url: string): Promise<ChatAccess> {
  const place: PairingQuestion = { home, serverUrl: url, name: hostname().slice(0, 80) || 'terminal' };
  const kept = await pairedKeys(place);
  const { key } = kept ?? (await pair(place, note));
  return { url, token: key, pairing: kept ? 'kept' : 'new', forget: () => forgetPairing(place), end: NOTHING };
}

async function borrowedAccess(control: ControlClient): Promise<ChatAccess> {
  const { key, id } = z.object({ key: z.string(), id: z.string() }).parse(await control.call('POST', '/api/keys', { name: 'tendon chat', expiresInDays: 1 }));
  return {
    url: control.url,
    token: key,
    forget: NOTHING,
    end: async () => {
      await control.call('DELETE', `/api/keys/${id}`).catch(() => undefined);
    },
  };
}
