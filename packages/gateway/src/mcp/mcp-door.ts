import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { McpServerConfig } from './mcp-config.ts';
import type { McpDoor, StartWords } from './mcp-connection.ts';
import type { McpCredentials } from './mcp-credentials.ts';
import { McpSignIn, type SignInChallenge } from './mcp-sign-in.ts';
import { wordsOfError } from './words-of-error.ts';

type HttpConfig = Extract<McpServerConfig, { kind: 'http' }>;

/** A server that may want a sign-in, over all its connections. */
export class SignInDoor implements McpDoor {
  readonly fetch: FetchLike;
  readonly signIn: McpSignIn;
  readonly #closing = new AbortController();
  #challenge: SignInChallenge = {};

  constructor(config: HttpConfig, credentials: McpCredentials, onSignedIn: () => void) {
    const inner = fetchFor(config, (challenge) => {
      this.#challenge = challenge;
    });
    this.fetch = refreshingOnce(limited(inner, this.#closing.signal));
    this.signIn = new McpSignIn({ url: config.url, credentials, fetch: this.fetch, onSignedIn });
  }

  /** What a person does to get in. */
  async words(signedInBefore: number): Promise<StartWords | string> {
    // This try had begun without the tokens that there are now: another sign-in would take their place.
    if (this.signIn.count !== signedInBefore) return 'somebody has just signed in: it is tried again';
    try {
      const address = await this.signIn.begin(this.#challenge);
      return {
        // Who has the address, and the state in it, may end the sign-in as somebody else.
        said: 'it wants a sign-in: a person at this machine opens the address that stands in the log of the gateway',
        logged: `it wants a sign-in: open this address in a browser on this machine: ${address}`,
      };
    } catch (error) {
      return `it wants a sign-in (401) and offers none that works here (${wordsOfError(error)}): get a token from the service and set it in mcp.json as "headers": { "Authorization": "Bearer …" }`;
    }
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.signIn.close();
  }
}

export function doorOf(config: McpServerConfig, credentials: McpCredentials, onSignedIn: () => void): McpDoor | undefined {
  if (config.kind !== 'http' || Object.keys(config.headers).some((name) => name.toLowerCase() === 'authorization')) return undefined;
  return new SignInDoor(config, credentials, onSignedIn);
}

/** So long may one request of a sign-in take. */
const SIGN_IN_LIMIT_MS = 30_000;
const MAX_REDIRECTS = 5;

/** The SDK gives no signal to the requests of a sign-in, and so a service that never answers would hold the gateway at its close. */
function limited(inner: FetchLike, closing: AbortSignal): FetchLike {
  return (address, init) => inner(address, init?.signal ? init : { ...init, signal: AbortSignal.any([closing, AbortSignal.timeout(SIGN_IN_LIMIT_MS)]) });
}

/**
 * Adds the headers of mcp.json, which hold credentials, to requests of the server's own origin alone, and hears what a 401 says. Where else a server
 * sends a sign-in must be https, unless it is not https itself. Redirects are followed here, because `fetch` takes every header but Authorization
 * along to another origin.
 */
export function fetchFor(config: HttpConfig, onChallenge: (challenge: SignInChallenge) => void): FetchLike {
  const own = new URL(config.url);
  const send = async (target: URL, init: RequestInit | undefined): Promise<Response> => {
    if (target.origin !== own.origin) {
      if (target.protocol !== 'https:' && own.protocol === 'https:') throw new Error(`${target.origin} is not https, so nothing is sent there`);
      return fetch(target, { ...init, redirect: 'manual' });
    }
    const headers = new Headers(config.headers);
    for (const [name, value] of new Headers(init?.headers)) headers.set(name, value);
    const response = await fetch(target, { ...init, headers, redirect: 'manual' });
    if (response.status === 401) onChallenge(extractWWWAuthenticateParams(response));
    return response;
  };
  return async (address, init) => {
    let hop: Hop = { target: new URL(address), init };
    for (let followed = 0; ; followed += 1) {
      const response = await send(hop.target, hop.init);
      const next = init?.redirect === 'manual' || followed === MAX_REDIRECTS ? undefined : nextHop(response, hop);
      if (!next) return response;
      await response.body?.cancel();
      hop = next;
    }
  };
}

interface Hop {
  readonly target: URL;
  readonly init: RequestInit | undefined;
}

/** Undefined for an answer that is to be taken as it is. Nothing but a plain GET leaves an origin by a redirect, and no header goes with it but `accept`. */
function nextHop(response: Response, { target, init }: Hop): Hop | undefined {
  const location = response.headers.get('location');
  if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return undefined;
  const next = URL.parse(location, target);
  if (next === null) return undefined;
  const isGet = (init?.method ?? 'GET').toUpperCase() === 'GET';
  const hasCredentials = next.username !== '' || next.password !== '';
  if (hasCredentials || (!isGet && response.status < 307)) return undefined;
  if (next.origin === target.origin) return { target: next, init };
  const accept = new Headers(init?.headers).get('accept');
  return isGet ? { target: next, init: { ...init, headers: accept === null ? {} : { accept } } } : undefined;
}

/** A refresh token is good once. Two requests that find their token run out at the same moment share what the first one gets for it. */
function refreshingOnce(inner: FetchLike): FetchLike {
  let last: { readonly token: string; readonly answer: Promise<Response> } | undefined;
  return async (address, init) => {
    const token = init?.body instanceof URLSearchParams && init.body.get('grant_type') === 'refresh_token' ? init.body.get('refresh_token') : null;
    if (token === null) return inner(address, init);
    const current = last?.token === token ? last : { token, answer: inner(address, init) };
    last = current;
    const forget = (): void => {
      if (last === current) last = undefined;
    };
    try {
      const response = await current.answer;
      // A service that was down for a moment has not taken the token.
      if (!response.ok) forget();
      return response.clone();
    } catch (error) {
      forget();
      throw error;
    }
  };
}
