import { setTimeout as delay } from 'node:timers/promises';
import { extractWWWAuthenticateParams, UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { cleanText } from '@tendon/protocol/truncation';
import { boundedBody } from './bounded-body.ts';
import type { McpServerConfig } from './mcp-config.ts';
import type { McpDoor, StartWords } from './mcp-connection.ts';
import type { McpCredentials } from './mcp-credentials.ts';
import { McpSignIn, type SignInChallenge } from './mcp-sign-in.ts';
import { PageRefused } from './mcp-sign-in-attempt.ts';
import type { McpSurroundings, ServerFetch } from './mcp-surroundings.ts';
import { wordsOfError } from './words-of-error.ts';

type HttpConfig = Extract<McpServerConfig, { kind: 'http' }>;

/** The server has refused a request: it wants a sign-in, or one for more rights. */
class SignInWanted extends UnauthorizedError {
  readonly challenge: SignInChallenge;

  constructor(challenge: SignInChallenge) {
    super(challenge.isMore === true ? 'the server wants more rights (403)' : 'the server wants a sign-in (401)');
    this.challenge = challenge;
  }
}

export interface SignInMeans {
  readonly credentials: McpCredentials;
  readonly surroundings: Pick<McpSurroundings, 'networkFor'>;
  readonly onSignedIn: () => void;
}

/** A server that may want a sign-in, over all its connections. */
export class SignInDoor implements McpDoor {
  readonly fetch: FetchLike;
  readonly signIn: McpSignIn;
  readonly #closing = new AbortController();
  readonly #address: string;
  #challenge: SignInChallenge = {};
  /** What was not sent since the last try; the SDK goes on without what it could not ask. */
  readonly #refused = new Set<string>();

  constructor(config: HttpConfig, { credentials, surroundings, onSignedIn }: SignInMeans) {
    this.#address = new URL(config.url).href;
    const network = surroundings.networkFor(config, (message) => void (this.#refused.size < MAX_REFUSED && this.#refused.add(message)));
    const inner = fetchFor(config, network.fetch, (address, answer) => this.#hear(address, answer));
    this.fetch = refreshingOnce(limited(inner, this.#closing.signal));
    const { pageFault } = network;
    this.signIn = new McpSignIn({ url: config.url, client: config.oauth, credentials, fetch: this.fetch, pageFault, onSignedIn });
  }

  /** What a person does about `error`. `signedInBefore` is how often somebody had signed in when it was asked. */
  async words(error: unknown, signedInBefore: number): Promise<StartWords | string> {
    // It was asked without the tokens that there are now: another sign-in would take their place.
    if (this.signIn.count !== signedInBefore) return 'somebody has just signed in: it is tried again';
    const challenge = error instanceof SignInWanted ? error.challenge : this.#challenge;
    const wish = challenge.isMore === true ? 'it wants a sign-in for more rights' : 'it wants a sign-in';
    if (challenge.isMore === true && this.signIn.hasAskedFor(challenge))
      return `${wish}${named(challenge)}, although somebody has signed in for them, which is not enough: ask whoever runs the service for them, then start what runs it again to sign in once more`;
    this.#refused.clear();
    try {
      const address = await this.signIn.begin(challenge);
      return {
        isSignIn: true,
        // Who has the address may end the sign-in as somebody else.
        said: `${wish}: a person at this machine opens the address that stands in the log`,
        logged: `${wish}${named(challenge)}${this.#refusals()}: open this address in a browser on this machine: ${address} (it leads on to ${this.signIn.leadsTo})`,
      };
    } catch (fault) {
      if (fault instanceof PageRefused)
        return `${wish} at an address that nobody is sent to (${cleanText(fault.message).slice(0, FAULT_UNITS)}): ask whoever runs the server to mend that, or ${GET_TOKEN}`;
      return `${wish} and offers none that works here (${wordsOfError(fault)}${this.#refusals(wordsOfError(fault))}): ${GET_TOKEN}, or register Tendon at the service and set "oauth": { "clientId": "…" }`;
    }
  }

  /** But for what is told already. */
  #refusals(told?: string): string {
    const refused = [...this.#refused].filter((message) => message !== told).join('; ');
    return refused === '' ? '' : `; ${cleanText(refused).slice(0, FAULT_UNITS)}`;
  }

  close(): Promise<void> {
    this.#closing.abort();
    return this.signIn.close();
  }

  /** A refusal that no refresh can mend is told by an error, and what it says is kept for one that a refresh did not mend. */
  async #hear(address: URL, response: Response): Promise<void> {
    const isMore = response.status === 403;
    if ((response.status !== 401 && !isMore) || address.href !== this.#address) return;
    const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(response);
    if (isMore && error !== 'insufficient_scope') return;
    this.#challenge = { resourceMetadataUrl, scope: scope?.slice(0, SCOPE_UNITS), isMore };
    if (!isMore && this.signIn.hasTokens) return;
    await response.body?.cancel();
    throw new SignInWanted(this.#challenge);
  }
}

const GET_TOKEN = 'get a token from the service and set it in mcp.json as "headers": { "Authorization": "Bearer …" }';
const SCOPE_UNITS = 2_000;
const FAULT_UNITS = 3_000;
const MAX_REFUSED = 10;

function named({ isMore, scope }: SignInChallenge): string {
  return isMore === true && scope !== undefined ? ` (${cleanText(scope).slice(0, 200)})` : '';
}

export function doorOf(config: McpServerConfig, means: SignInMeans): McpDoor | undefined {
  if (config.kind !== 'http' || Object.keys(config.headers).some((name) => name.toLowerCase() === 'authorization')) return undefined;
  return new SignInDoor(config, means);
}

/** So long may one request of a sign-in take. */
const SIGN_IN_LIMIT_MS = 30_000;
const MAX_REDIRECTS = 5;

/**
 * The SDK gives no signal to the requests of a sign-in, and so a service that never answers would hold the gateway at its close. One that cannot be
 * reached is not taken for one that says nothing of itself, as the SDK would (it thinks of a browser): the address of its sign-in would be a guess.
 */
function limited(inner: FetchLike, closing: AbortSignal): FetchLike {
  return async (address, init) => {
    if (init?.signal) return inner(address, init);
    try {
      return await inner(address, { ...init, signal: AbortSignal.any([closing, AbortSignal.timeout(SIGN_IN_LIMIT_MS)]) });
    } catch (error) {
      throw error instanceof TypeError ? new Error(`${new URL(address).origin} cannot be reached`, { cause: error.cause }) : error;
    }
  };
}

/** Hears the answer of the server itself, before it is taken; what it throws is what the request rejects with. */
type Hearer = (address: URL, answer: Response) => Promise<void>;

/** A server says itself how soon its stream of events is to be opened again, and so could keep this process busy. */
const STREAM_PAUSE_MS = 200;

/**
 * Adds the headers of mcp.json, which hold credentials, to requests of the server's own origin alone. Where else a server sends a sign-in must be
 * https, unless it is not https itself. Redirects are followed here, because `fetch` takes every header but Authorization along to another origin.
 */
export function fetchFor(config: HttpConfig, send: ServerFetch, hear?: Hearer): FetchLike {
  const own = new URL(config.url);
  let pause: Promise<unknown> = Promise.resolve();
  const sendWhole = (target: URL, init: RequestInit | undefined): Promise<Response> => {
    if (target.origin !== own.origin) {
      if (target.protocol !== 'https:' && own.protocol === 'https:') throw new Error(`${target.origin} is not https, so nothing is sent there`);
      return send(target, init);
    }
    const headers = new Headers(config.headers);
    for (const [name, value] of new Headers(init?.headers)) headers.set(name, value);
    return send(target, { ...init, headers });
  };
  return async (address, init) => {
    let hop: Hop = { target: new URL(address), init };
    if (new Headers(init?.headers).get('accept') === 'text/event-stream') {
      const before = pause;
      pause = before.then(() => delay(STREAM_PAUSE_MS, undefined, { ref: false }));
      await before;
      init?.signal?.throwIfAborted();
    }
    for (let followed = 0; ; followed += 1) {
      const response = await sendWhole(hop.target, hop.init);
      const next = init?.redirect === 'manual' || followed === MAX_REDIRECTS ? undefined : nextHop(response, hop);
      if (!next) {
        // What a redirect led to elsewhere says nothing about this server.
        if (hop.target.origin === own.origin) await hear?.(new URL(address), response);
        return boundedBody(response);
      }
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
