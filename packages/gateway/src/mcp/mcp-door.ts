import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { McpServerConfig } from './mcp-config.ts';
import type { McpDoor } from './mcp-connection.ts';
import type { McpCredentials } from './mcp-credentials.ts';
import { McpSignIn, type SignInChallenge } from './mcp-sign-in.ts';
import { wordsOfError } from './words-of-error.ts';

type HttpConfig = Extract<McpServerConfig, { kind: 'http' }>;

/** A server that may want a sign-in, over all its connections. */
export class SignInDoor implements McpDoor {
  readonly fetch: FetchLike;
  readonly signIn: McpSignIn;
  #challenge: SignInChallenge = {};

  constructor(config: HttpConfig, credentials: McpCredentials, onSignedIn: () => void) {
    this.fetch = refreshingOnce(
      fetchFor(config, (challenge) => {
        this.#challenge = challenge;
      }),
    );
    this.signIn = new McpSignIn({ url: config.url, credentials, fetch: this.fetch, onSignedIn });
  }

  /** What a person does to get in. */
  async words(signedInBefore: number): Promise<string> {
    // This try had begun without the tokens that there are now: another sign-in would take their place.
    if (this.signIn.count !== signedInBefore) return 'somebody has just signed in: it is tried again';
    try {
      return `it wants a sign-in: open this address in a browser on this machine: ${await this.signIn.begin(this.#challenge)}`;
    } catch (error) {
      return `it wants a sign-in (401) and offers none that works here (${wordsOfError(error)}): get a token from the service and set it in mcp.json as "headers": { "Authorization": "Bearer …" }`;
    }
  }

  close(): Promise<void> {
    return this.signIn.close();
  }
}

export function doorOf(config: McpServerConfig, credentials: McpCredentials, onSignedIn: () => void): McpDoor | undefined {
  if (config.kind !== 'http' || Object.keys(config.headers).some((name) => name.toLowerCase() === 'authorization')) return undefined;
  return new SignInDoor(config, credentials, onSignedIn);
}

/**
 * Adds the headers of mcp.json, which hold credentials, to requests of the server's own origin alone, and hears what a 401 says. Where else a server
 * sends a sign-in must be https, unless it is not https itself.
 */
export function fetchFor(config: HttpConfig, onChallenge: (challenge: SignInChallenge) => void): FetchLike {
  const own = new URL(config.url);
  return async (address, init) => {
    const target = new URL(address);
    if (target.origin !== own.origin) {
      if (target.protocol !== 'https:' && own.protocol === 'https:') throw new Error(`${target.origin} is not https, so nothing is sent there`);
      return fetch(target, init);
    }
    const headers = new Headers(config.headers);
    for (const [name, value] of new Headers(init?.headers)) headers.set(name, value);
    const response = await fetch(target, { ...init, headers });
    if (response.status === 401) onChallenge(extractWWWAuthenticateParams(response));
    return response;
  };
}

/** A refresh token is good once. Two requests that find their token run out at the same moment share what the first one gets for it. */
function refreshingOnce(inner: FetchLike): FetchLike {
  let last: { readonly token: string; readonly answer: Promise<Response> } | undefined;
  return async (address, init) => {
    const token = init?.body instanceof URLSearchParams && init.body.get('grant_type') === 'refresh_token' ? init.body.get('refresh_token') : null;
    if (token === null) return inner(address, init);
    const current = last?.token === token ? last : { token, answer: inner(address, init) };
    last = current;
    try {
      return (await current.answer).clone();
    } catch (error) {
      if (last === current) last = undefined;
      throw error;
    }
  };
}
