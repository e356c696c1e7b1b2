import type { OAuthClientProvider } from '@modelcontextprotocol/sdk/client/auth.js';
import type { OAuthClientInformationMixed, OAuthClientMetadata, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import type { McpCredential } from './mcp-credentials.ts';

/** What a service is told of a client that signs in on this machine. */
export function clientMetadata(redirectUrl: string): OAuthClientMetadata {
  return {
    client_name: 'Tendon',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
}

export interface TokenKeeper {
  /** Undefined when there are no tokens, or none that are good. */
  credential(): McpCredential | undefined;
  keep(credential: McpCredential): Promise<void>;
}

/** What a connection comes in with: the tokens that there are, made new when they have run out. It never signs in: that is a person's part. */
export class McpTokenProvider implements OAuthClientProvider {
  /** Named but never come back to. */
  readonly redirectUrl = 'http://127.0.0.1/callback';
  readonly clientMetadata = clientMetadata(this.redirectUrl);
  readonly #keeper: TokenKeeper;

  constructor(keeper: TokenKeeper) {
    this.#keeper = keeper;
  }

  clientInformation(): OAuthClientInformationMixed | undefined {
    return this.#keeper.credential()?.client;
  }

  tokens(): OAuthTokens | undefined {
    return this.#keeper.credential()?.tokens;
  }

  async saveTokens(tokens: OAuthTokens): Promise<void> {
    const before = this.#keeper.credential();
    // A service may leave the refresh token out when it stays the same, and the scope as well.
    if (before) await this.#keeper.keep({ client: before.client, tokens: { ...before.tokens, ...tokens } });
  }

  redirectToAuthorization(): void {
    // The SDK then says that this connection is not let in, and a sign-in begins.
  }

  saveCodeVerifier(): void {
    // There is nothing to prove.
  }

  codeVerifier(): string {
    return '';
  }
}
