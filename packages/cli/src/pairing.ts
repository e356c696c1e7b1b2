import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { isLoopbackHost, StartError } from '@tendon/server/settings';
import { z } from 'zod';

const keysSchema = z.object({ key: z.string().min(32), relayKey: z.string().min(32).optional() });
const keptSchema = keysSchema.extend({ serverUrl: z.url(), gatewayId: z.uuid().optional() });
const startedSchema = z.object({
  deviceCode: z.string().min(1),
  userCode: z.string().regex(/^[A-Z]{4}-[A-Z]{4}$/),
  expiresInMs: z.number().positive(),
  intervalMs: z.number().positive().max(60_000),
});
const refusalSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

const REQUEST_LIMIT_MS = 15_000;
const SLOWER_MS = 5_000;

/** One machine, or the terminals of one home, at one server. */
export interface PairingPlace {
  readonly home: string;
  readonly serverUrl: string;
  /** The machine; undefined: a terminal. */
  readonly gatewayId?: string;
}

export interface PairingQuestion extends PairingPlace {
  /** What to call it. */
  readonly name: string;
  readonly relay?: boolean;
}

/** What a pairing gives: a key for the machine or terminal itself and, when it was asked for, one for its page. */
export type PairedKeys = z.infer<typeof keysSchema>;

/** The credentials of an earlier pairing with this server; undefined when there are none, or they cannot be read. */
export async function pairedKeys(place: PairingPlace): Promise<PairedKeys | undefined> {
  try {
    const kept = keptSchema.parse(JSON.parse(await readFile(pathOf(place), 'utf8')));
    return kept.serverUrl === place.serverUrl && kept.gatewayId === place.gatewayId ? kept : undefined;
  } catch {
    return undefined;
  }
}

/** Forgets it: the server has said that it is over. */
export async function forgetPairing(place: PairingPlace): Promise<void> {
  await rm(pathOf(place), { force: true });
}

/**
 * Shows a code, waits until its person has decided in a browser, and keeps the keys (SPEC H25 to H27, H35):
 *
 *   asked ──► code shown ──► waiting ──approved──► keys kept, 0600
 *                              └── denied, or ten minutes ──► StartError
 *
 * A server that cannot be reached for a while is asked again.
 */
export async function pair(place: PairingQuestion, say: (line: string) => void): Promise<PairedKeys> {
  const { serverUrl, gatewayId, name, relay } = place;
  const kind = gatewayId === undefined ? 'terminal' : 'machine';
  const question = gatewayId === undefined ? { kind, name } : { gatewayId, name, ...(relay ? { relay } : {}) };
  const answer = await post(serverUrl, '/api/pair', question).catch((cause: unknown) => {
    throw new StartError(`the server at ${serverUrl} cannot be reached: see that it runs, and that --server is right`, { cause });
  });
  const started = startedSchema.safeParse(answer.body);
  if (answer.status !== 201 || !started.success) throw new StartError(`the server at ${serverUrl} does not pair ${kind}s: ${wordsOf(answer)}`);
  const { deviceCode, userCode, expiresInMs, intervalMs } = started.data;
  if (serverUrl.startsWith('http:') && !isLoopbackHost(new URL(serverUrl).hostname.replace(/^\[|\]$/g, '')))
    say('The way to this server is not encrypted: whoever listens on it can take the key. Use https where you can.');
  say(`To let this ${kind} in, open ${serverUrl}/pair and enter the code`);
  say(`\n    ${userCode}\n`);
  say(`The code is good for ${Math.round(expiresInMs / 60_000)} minutes. Waiting …`);
  const keys = await waitForKeys(serverUrl, { kind, deviceCode, expiresInMs, intervalMs });
  await keep(place, keys);
  return keys;
}

interface Waiting {
  readonly kind: string;
  readonly deviceCode: string;
  readonly expiresInMs: number;
  readonly intervalMs: number;
}

async function waitForKeys(serverUrl: string, started: Waiting): Promise<PairedKeys> {
  let intervalMs = started.intervalMs;
  for (const end = performance.now() + started.expiresInMs; performance.now() < end; ) {
    await pause(intervalMs);
    const answer = await post(serverUrl, '/api/pair/key', { deviceCode: started.deviceCode }).catch(() => undefined);
    const made = keysSchema.safeParse(answer?.body);
    if (made.success) return made.data;
    const code = refusalSchema.safeParse(answer?.body).data?.error.code;
    if (code === 'access_denied') throw new StartError('the pairing was denied: start again to ask once more');
    if (code === 'expired_token')
      throw new StartError(`the request is over, or its key was handed out already: start again, and revoke a key of this ${started.kind} that nobody uses`);
    if (code === 'slow_down' || code === 'rate_limited') intervalMs += SLOWER_MS;
  }
  throw new StartError(`nobody approved this ${started.kind} in time: start again for a new code`);
}

interface Answer {
  readonly status: number;
  readonly body: unknown;
}

async function post(serverUrl: string, path: string, body: object): Promise<Answer> {
  const response = await fetch(`${serverUrl}${path}`, {
    ...{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), redirect: 'error' },
    signal: AbortSignal.timeout(REQUEST_LIMIT_MS),
  });
  return { status: response.status, body: await response.json().catch(() => undefined) };
}

function wordsOf({ status, body }: Answer): string {
  return refusalSchema.safeParse(body).data?.error.message ?? `status ${status}`;
}

async function keep(place: PairingPlace, keys: PairedKeys): Promise<void> {
  const { serverUrl, gatewayId } = place;
  const path = pathOf(place);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, `${JSON.stringify({ serverUrl, gatewayId, ...keys })}\n`, { mode: 0o600, flag: 'wx' });
  await rename(draft, path);
}

/** One file for each server, and there for each machine: a key is of no use anywhere else. */
function pathOf({ home, serverUrl, gatewayId }: PairingPlace): string {
  const { protocol, hostname, port } = new URL(serverUrl);
  const server = `${protocol}${hostname}_${port}`.replace(/[^a-z0-9.-]+/gi, '_');
  return gatewayId === undefined ? join(home, 'terminal', 'paired', `${server}.json`) : join(home, 'gateway', 'paired', `${server}-${gatewayId}.json`);
}
