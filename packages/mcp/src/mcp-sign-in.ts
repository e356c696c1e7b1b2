import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { errorCode } from '@tendon/system';
import type { McpCredential, McpCredentials } from './mcp-credentials.ts';
import { type AttemptOptions, SignInAttempt } from './mcp-sign-in-attempt.ts';
import { McpTokenProvider } from './mcp-token-provider.ts';

/** What a server said when it wanted a sign-in: where that is described, and for what. */
export interface SignInChallenge {
  readonly resourceMetadataUrl?: URL | undefined;
  readonly scope?: string | undefined;
  /** The tokens are good, but not for this. */
  readonly isMore?: boolean;
}

export interface McpSignInOptions extends AttemptOptions {
  /** The server's address. */
  readonly url: string;
  readonly credentials: Pick<McpCredentials, 'get' | 'set'>;
  readonly fetch: FetchLike;
  /** There are tokens: the server can be tried again. */
  readonly onSignedIn: () => void;
}

interface Waiting {
  readonly attempt: SignInAttempt;
  readonly listener: Server;
  /**
   * What the person opens: an address of the listener that nobody can guess, which leads on to the service. That one's own has a `state`,
   * and a log hides what looks like a credential.
   */
  readonly door: URL;
  readonly challenge: SignInChallenge;
  /** What it asks for; empty when the service decides. */
  readonly scopes: readonly string[];
  /** The tokens that there are do not count any more. */
  isAnew: boolean;
}

/** Stands for whatever a service gives when no scope is named. */
const UNNAMED = '';

/*
 *   idle ──begin──► waiting (a listener on loopback, one address to open) ──the browser comes back with a code──► idle, with tokens
 *                      ▲└── a wrong state, a refusal ──┘                      close ──► idle
 *                      └── begin, for rights that it does not ask for: another address, for all of them
 *
 * Authorization code with PKCE (OAuth 2.1, RFC 8252): the person's browser comes back to this machine alone. Without a client of mcp.json each sign-in
 * registers anew, because the port is another. A sign-in for more rights leaves the tokens that there are in use until it is over.
 */
export class McpSignIn {
  /** For connections. */
  readonly tokens: OAuthClientProvider;
  readonly #options: McpSignInOptions;
  #waiting: Waiting | undefined;
  #beginning: Promise<void> = Promise.resolve();
  #count = 0;
  /** What the last sign-in of this process was for. */
  #granted: readonly string[] = [];

  constructor(options: McpSignInOptions) {
    this.#options = options;
    this.tokens = new McpTokenProvider({ credential: () => this.#credential(), keep: (credential) => options.credentials.set(options.url, credential) });
  }

  /** How often somebody has signed in. */
  get count(): number {
    return this.#count;
  }

  /** Whether there are tokens to come in with, or to be made new. */
  get hasTokens(): boolean {
    return this.#credential() !== undefined;
  }

  /** Whether somebody has signed in for all that is wanted: another sign-in would give no more. */
  hasAskedFor({ scope }: SignInChallenge): boolean {
    return scopesOf(scope).every((wanted) => this.#granted.includes(wanted));
  }

  /** Where the address that was last told leads on to, so that a person sees it before they open it. */
  get leadsTo(): string {
    const service = URL.parse(this.#waiting?.attempt.address ?? '');
    if (service === null) return 'nowhere';
    return service.host === '' ? service.protocol : service.origin;
  }

  /** The address to open in a browser on this machine; the same until somebody has signed in. Rejects when the server tells of no sign-in. */
  begin(challenge: SignInChallenge): Promise<string> {
    // Calls that are refused together share one sign-in.
    const begun = this.#beginning.then(() => this.#beginOrJoin(challenge));
    this.#beginning = begun.then(
      () => undefined,
      () => undefined,
    );
    return begun;
  }

  async #beginOrJoin(challenge: SignInChallenge): Promise<string> {
    const waiting = this.#waiting;
    if (waiting) {
      waiting.isAnew ||= challenge.isMore !== true;
      if (waiting.isAnew || scopesOf(challenge.scope).every((wanted) => waiting.scopes.includes(wanted))) return waiting.door.href;
      await this.close();
    }
    return this.#begin(challenge, [...(waiting?.scopes ?? []), ...scopesOf(challenge.scope)]);
  }

  /** May be called twice. */
  async close(): Promise<void> {
    const { listener } = this.#waiting ?? {};
    this.#waiting = undefined;
    if (listener) await endListener(listener);
  }

  #credential(): McpCredential | undefined {
    const { client, credentials, url } = this.#options;
    const kept = this.#waiting?.isAnew === true ? undefined : credentials.get(url);
    // Tokens of another client are not made new with this one's secret.
    return client === undefined || kept?.client.client_id === client.clientId ? kept : undefined;
  }

  async #begin(challenge: SignInChallenge, wanted: readonly string[]): Promise<string> {
    const { client } = this.#options;
    const listener = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    await listenOn(listener, client?.callbackPort ?? 0);
    const redirectUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
    const attempt = new SignInAttempt(redirectUrl, this.#options);
    // A service may name only what is missing.
    const before = challenge.isMore === true ? scopesOf(this.#credential()?.tokens['scope'] ?? this.#granted.join(' ')) : [];
    const scopes = [...new Set([...before, ...wanted])];
    const door = new URL(`/${randomBytes(16).toString('hex')}`, redirectUrl);
    const waiting: Waiting = { attempt, listener, door, challenge, scopes, isAnew: challenge.isMore !== true };
    this.#waiting = waiting;
    try {
      await auth(attempt, this.#request(waiting));
      if (attempt.address === '') throw new Error('the service gave no address to sign in at');
      return door.href;
    } catch (error) {
      if (this.#waiting === waiting) this.#waiting = undefined;
      await endListener(listener);
      throw error;
    }
  }

  #request({ challenge, scopes }: Waiting): Parameters<typeof auth>[1] {
    const { url, fetch } = this.#options;
    const named = scopes.filter((scope) => scope !== UNNAMED).join(' ');
    const { resourceMetadataUrl } = challenge;
    return { serverUrl: url, fetchFn: fetch, ...(resourceMetadataUrl ? { resourceMetadataUrl } : {}), ...(named === '' ? {} : { scope: named }) };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const waiting = this.#waiting;
    const target = URL.parse(request.url ?? '', waiting?.attempt.redirectUrl);
    const say = (status: number, text: string): Promise<void> =>
      new Promise((resolve) => {
        // `end` never calls back to a browser that is gone.
        if (response.destroyed) return resolve();
        response.once('close', resolve);
        response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }).end(`${text}\n`, resolve);
      });
    if (!waiting || request.headers.host !== waiting.door.host || !target) return say(404, 'There is nothing here.');
    if (target.pathname === waiting.door.pathname && waiting.attempt.address !== '') return leadOn(response, waiting.attempt.address);
    if (target.pathname !== '/callback') return say(404, 'There is nothing here.');
    const code = target.searchParams.get('code');
    if (target.searchParams.get('state') !== waiting.attempt.state())
      return say(400, 'This is not the sign-in that was begun here. Open the address from the log again.');
    const issuer = target.searchParams.get('iss');
    if (issuer !== null && !waiting.attempt.isOf(issuer))
      return say(400, 'This answer is of another service than the one that was asked. Open the address from the log again.');
    if (code === null) return say(400, 'You are not signed in. Open the address from the log to try again.');
    try {
      await auth(waiting.attempt, { ...this.#request(waiting), authorizationCode: code });
    } catch (error) {
      return say(
        502,
        `The service did not take the sign-in (${error instanceof Error ? error.message : 'unknown error'}). Open the address from the log again.`,
      );
    }
    await this.#signedIn(waiting);
    await say(200, 'You are signed in. You can close this window.');
    await endListener(waiting.listener);
  }

  async #signedIn({ attempt, scopes }: Waiting): Promise<void> {
    const { credential } = attempt;
    if (credential) await this.#options.credentials.set(this.#options.url, credential);
    this.#count += 1;
    this.#granted = scopes;
    if (this.#waiting?.attempt === attempt) this.#waiting = undefined;
    this.#options.onSignedIn();
  }
}

function leadOn(response: ServerResponse, location: string): void {
  response.writeHead(302, { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' }).end();
}

function scopesOf(scope: unknown): string[] {
  return typeof scope === 'string' && scope.trim() !== '' ? scope.trim().split(/\s+/) : [UNNAMED];
}

async function listenOn(listener: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(port, '127.0.0.1', resolve);
    });
  } catch (error) {
    throw new Error(`the port ${port}, where its sign-in comes back to, cannot be used (${errorCode(error) ?? 'unknown error'}): end what uses it`, {
      cause: error,
    });
  }
}

function endListener(listener: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => void listener.close(() => resolve()));
  listener.closeAllConnections();
  return ended;
}
