import { randomBytes } from 'node:crypto';
import { type Config, createLog, StartError } from '@tendon/server/settings';
import { runningServer } from './home-lock.ts';
import { WEB_ROOT } from './web-build.ts';

/** A server that this command may manage. */
export interface ControlClient {
  readonly url: string;
  /** Throws StartError with the server's own words when it refuses. */
  call(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
}

/** A credential for the commands of this user, for the life of one server process. */
export function newControlKey(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * Does some work against a server: the one named (with TENDON_API_KEY), else the one that runs on this home, else one of our own on
 * a free loopback port, for just as long as the work takes.
 */
export async function withServer<T>(config: Config, serverUrl: string | undefined, work: (client: ControlClient) => Promise<T>): Promise<T> {
  if (serverUrl !== undefined) {
    if (config.apiKey === undefined) throw new StartError('TENDON_API_KEY is missing: give the key of the server that --server names');
    return work(clientOf(serverUrl, config.apiKey));
  }
  const running = runningServer(config.home);
  if (running) {
    if (running.url === undefined || running.controlKey === undefined)
      throw new StartError(`Tendon is just starting on ${config.home} (process ${running.pid}): try again in a moment`);
    return work(clientOf(running.url, running.controlKey));
  }
  return withOwnServer(config, work);
}

/** The same against a server of our own, whatever else may run: for the one who holds the home's lock. */
export async function withOwnServer<T>(config: Config, work: (client: ControlClient) => Promise<T>): Promise<T> {
  const { startServer } = await import('@tendon/server');
  const controlKey = newControlKey();
  const server = await startServer(
    { ...config, host: '127.0.0.1', port: 0, publicUrl: undefined, controlKey },
    createLog({ level: 'error', pretty: process.stderr.isTTY }),
    { webRoot: WEB_ROOT, isPassing: true },
  );
  try {
    return await work(clientOf(server.url, controlKey));
  } finally {
    await server.close();
  }
}

export function clientOf(serverUrl: string, key: string): ControlClient {
  const base = requireUrl(serverUrl);
  return {
    url: base,
    async call(method, path, body) {
      const response = await fetch(`${base}${path}`, {
        method,
        headers: { Authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: 'error',
        signal: AbortSignal.timeout(10_000),
      }).catch((cause: unknown) => {
        throw new StartError(`the server at ${base} cannot be reached: see that it runs, and that --server is right`, { cause });
      });
      const answer: unknown = await response.json().catch(() => undefined);
      if (response.ok) return answer;
      throw new StartError(`the server at ${base} refused: ${refusalText(answer) ?? `status ${response.status}`}`);
    },
  };
}

/** An http(s) origin without a trailing slash; throws StartError for anything else. */
export function requireUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && (url.protocol === 'http:' || url.protocol === 'https:') && url.username === '' && url.password === '') return url.origin;
  throw new StartError(`--server is "${value.slice(0, 100)}": give an address such as https://tendon.example`);
}

function refusalText(answer: unknown): string | undefined {
  if (typeof answer !== 'object' || answer === null || !('error' in answer)) return undefined;
  const { error } = answer;
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : undefined;
}
