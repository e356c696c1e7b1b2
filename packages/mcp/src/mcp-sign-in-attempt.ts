import { randomBytes } from 'node:crypto';
import type { OAuthClientProvider, OAuthDiscoveryState } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationMixed, OAuthClientMetadata, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { McpOAuthClient } from './mcp-config.ts';
import type { McpCredential } from './mcp-credentials.ts';
import type { McpNetwork } from './mcp-surroundings.ts';
import { clientMetadata } from './mcp-token-provider.ts';

export interface AttemptOptions {
  /** As what the service knows this machine, when somebody has registered it there. */
  readonly client?: McpOAuthClient | undefined;
  readonly pageFault: McpNetwork['pageFault'];
}

/** The page to sign in at is none to send a person to. The message says why. */
export class PageRefused extends Error {}

/** One sign-in, from its address to its tokens. It knows of no tokens before: it is asked for because they are not enough. */
export class SignInAttempt implements OAuthClientProvider {
  readonly redirectUrl: string;
  readonly clientMetadata: OAuthClientMetadata;
  readonly #state = randomBytes(32).toString('base64url');
  readonly #pageFault: McpNetwork['pageFault'];
  #discovered: OAuthDiscoveryState | undefined;
  #client: OAuthClientInformationMixed | undefined;
  #verifier = '';
  #address = '';
  #tokens: OAuthTokens | undefined;

  constructor(redirectUrl: string, { client, pageFault }: AttemptOptions) {
    this.redirectUrl = redirectUrl;
    this.#pageFault = pageFault;
    this.clientMetadata = clientMetadata(redirectUrl);
    if (client) this.#client = { client_id: client.clientId, ...(client.clientSecret === undefined ? {} : { client_secret: client.clientSecret }) };
  }

  /** What the person opens, once it has been judged; empty before. */
  get address(): string {
    return this.#address;
  }

  /** What it has given. */
  get credential(): McpCredential | undefined {
    return this.#client && this.#tokens && { client: this.#client, tokens: this.#tokens };
  }

  state(): string {
    return this.#state;
  }

  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.#client;
  }

  saveClientInformation(client: OAuthClientInformationMixed): void {
    this.#client = client;
  }

  /** Looked up once: the code goes to the service whose page gave it, whatever the server says of itself by then. */
  saveDiscoveryState(discovered: OAuthDiscoveryState): void {
    this.#discovered = discovered;
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovered;
  }

  /** Whether an answer that names this issuer is of the service that was asked (RFC 9207, section 2.4). */
  isOf(issuer: string): boolean {
    return withoutSlash(issuer) === withoutSlash(this.#discovered?.authorizationServerUrl ?? '');
  }

  tokens(): OAuthTokens | undefined {
    return undefined;
  }

  saveTokens(tokens: OAuthTokens): void {
    this.#tokens = tokens;
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    if (this.#address !== '') return;
    const fault = await this.#pageFault(url);
    if (fault !== undefined) throw new PageRefused(fault);
    this.#address = url.href;
  }

  saveCodeVerifier(verifier: string): void {
    // Of the address that was given out first: the others are not known to anybody.
    if (this.#address === '') this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }
}

function withoutSlash(url: string): string {
  return url.replace(/\/$/, '');
}
