import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { auth, type OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationMixed, OAuthClientMetadata, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { McpCredentials } from './mcp-credentials.ts';

/** What a server said when it wanted a sign-in: where that is described, and for what. */
export interface SignInChallenge {
  readonly resourceMetadataUrl?: URL | undefined;
  readonly scope?: string | undefined;
}

export interface McpSignInOptions {
  /** The server's address. */
  readonly url: string;
  readonly credentials: McpCredentials;
  readonly fetch: FetchLike;
  /** There are tokens: the server can be tried again. */
  readonly onSignedIn: () => void;
}

interface Waiting {
  readonly listener: Server;
  readonly redirectUrl: string;
  readonly state: string;
  readonly challenge: SignInChallenge;
  client: OAuthClientInformationMixed | undefined;
  verifier: string;
  /** What the person opens. */
  address: string;
}

/*
 *   idle ──begin──► waiting (a listener on loopback, one address to open) ──the browser comes back with a code──► idle, with tokens
 *                      ▲└── a wrong state, a refusal ──┘                      close ──► idle
 *
 * Authorization code with PKCE (OAuth 2.1, RFC 8252): the person's browser comes back to this machine alone. Each sign-in registers anew, because the port is another.
 */
export class McpSignIn implements OAuthClientProvider {
  readonly #options: McpSignInOptions;
  #waiting: Waiting | undefined;
  #count = 0;

  constructor(options: McpSignInOptions) {
    this.#options = options;
  }

  /** How often somebody has signed in. */
  get count(): number {
    return this.#count;
  }

  /** Whether there are tokens to come in with, or to be made new. */
  get hasTokens(): boolean {
    return !this.#waiting && this.#options.credentials.get(this.#options.url) !== undefined;
  }

  /** The address to open in a browser on this machine; the same until somebody has signed in. Rejects when the server tells of no sign-in. */
  async begin(challenge: SignInChallenge): Promise<string> {
    if (this.#waiting) return this.#waiting.address;
    const listener = createServer((request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(0, '127.0.0.1', resolve);
    });
    const redirectUrl = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`;
    const state = randomBytes(32).toString('base64url');
    const waiting: Waiting = { listener, redirectUrl, state, challenge, client: undefined, verifier: '', address: '' };
    this.#waiting = waiting;
    try {
      await auth(this, this.#request(challenge));
      if (waiting.address === '') throw new Error('the service gave no address to sign in at');
      return waiting.address;
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** May be called twice. */
  async close(): Promise<void> {
    const { listener } = this.#waiting ?? {};
    this.#waiting = undefined;
    if (listener) await endListener(listener);
  }

  /** Between sign-ins it is named but never come back to: tokens are refreshed then, and a new sign-in begins with `begin`. */
  get redirectUrl(): string {
    return this.#waiting?.redirectUrl ?? 'http://127.0.0.1/callback';
  }

  get clientMetadata(): OAuthClientMetadata {
    return {
      client_name: 'Tendon',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  }

  state(): string {
    return this.#waiting?.state ?? '';
  }

  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.#waiting ? this.#waiting.client : this.#options.credentials.get(this.#options.url)?.client;
  }

  saveClientInformation(client: OAuthClientInformationMixed): void {
    if (this.#waiting) this.#waiting.client = client;
  }

  tokens(): OAuthTokens | undefined {
    return this.#waiting ? undefined : this.#options.credentials.get(this.#options.url)?.tokens;
  }

  async saveTokens(tokens: OAuthTokens): Promise<void> {
    const client = this.clientInformation();
    const before = this.#options.credentials.get(this.#options.url)?.tokens['refresh_token'];
    // A service may leave the refresh token out when it stays the same.
    const refresh = tokens.refresh_token ?? (this.#waiting ? undefined : before);
    if (client)
      await this.#options.credentials.set(this.#options.url, { client, tokens: { ...tokens, ...(refresh === undefined ? {} : { refresh_token: refresh }) } });
  }

  redirectToAuthorization(url: URL): void {
    if (this.#waiting?.address === '' && /^https?:$/.test(url.protocol)) this.#waiting.address = url.href;
  }

  saveCodeVerifier(verifier: string): void {
    // Of the address that was given out first: the others are not known to anybody.
    if (this.#waiting?.address === '') this.#waiting.verifier = verifier;
  }

  codeVerifier(): string {
    return this.#waiting?.verifier ?? '';
  }

  #request({ resourceMetadataUrl, scope }: SignInChallenge): Parameters<typeof auth>[1] {
    const { url, fetch } = this.#options;
    return { serverUrl: url, fetchFn: fetch, ...(resourceMetadataUrl ? { resourceMetadataUrl } : {}), ...(scope === undefined ? {} : { scope }) };
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const waiting = this.#waiting;
    const target = URL.parse(request.url ?? '', waiting?.redirectUrl);
    const say = (status: number, text: string): Promise<void> =>
      new Promise((resolve) => {
        // `end` never calls back to a browser that is gone.
        if (response.destroyed) return resolve();
        response.once('close', resolve);
        response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' }).end(`${text}\n`, resolve);
      });
    if (!waiting || request.headers.host !== new URL(waiting.redirectUrl).host || target?.pathname !== '/callback') return say(404, 'There is nothing here.');
    const code = target.searchParams.get('code');
    if (target.searchParams.get('state') !== waiting.state)
      return say(400, 'This is not the sign-in that was begun here. Open the address from the log of the gateway again.');
    if (code === null) return say(400, 'You are not signed in. Open the address from the log of the gateway to try again.');
    try {
      await auth(this, { ...this.#request(waiting.challenge), authorizationCode: code });
    } catch (error) {
      return say(
        502,
        `The service did not take the sign-in (${error instanceof Error ? error.message : 'unknown error'}). Open the address from the log of the gateway again.`,
      );
    }
    this.#count += 1;
    this.#waiting = undefined;
    this.#options.onSignedIn();
    await say(200, 'You are signed in. You can close this window.');
    await endListener(waiting.listener);
  }
}

function endListener(listener: Server): Promise<void> {
  const ended = new Promise<void>((resolve) => void listener.close(() => resolve()));
  listener.closeAllConnections();
  return ended;
}
