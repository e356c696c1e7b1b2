import type { IncomingHttpHeaders } from 'node:http';
import type { Log } from '@tendon/protocol';
import { Bucket } from './bucket.ts';
import type { RelaySignIn, SignedIn } from './sign-in.ts';
import { SOCKET_TOKEN_LIFETIME_MS, type SocketTokens } from './socket-tokens.ts';

export type SocketTokenAnswer =
  | { readonly ok: true; readonly token: string; readonly expiresInMs: number }
  | { readonly ok: false; readonly code: 'unauthorized' | 'forbidden_origin' }
  | { readonly ok: false; readonly code: 'rate_limited'; readonly retryAfterMs: number };

export interface TokenDeskParts {
  readonly signIn: RelaySignIn;
  readonly tokens: SocketTokens;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/**
 * In no minute more than 256 tokens for a sign-in and 640 in all, and 128 answers to who lacks something: half of them at once, the others as
 * time goes by. So all pages that may be open (64) come back at once after an outage, and once more right after it; what asks in a loop is held
 * up, and holds up nobody else: each sign-in has its own share before that of all, and whoever may not ask takes nothing of either.
 */
const FOR_A_SIGN_IN = { most: 128, refillMs: 60_000 / 128 };
const IN_ALL = { most: 320, refillMs: 60_000 / 320 };
const FOR_THE_OTHERS = { most: 64, refillMs: 60_000 / 64 };

/** Gives a page its credential for one connection (L9), as the server gives it to a desktop page (H20). One log line per request. */
export class TokenDesk {
  readonly #parts: TokenDeskParts;
  readonly #inAll: Bucket;
  readonly #forTheOthers: Bucket;
  readonly #bySignIn = new WeakMap<SignedIn, Bucket>();

  constructor(parts: TokenDeskParts) {
    this.#parts = parts;
    this.#inAll = new Bucket(IN_ALL, parts.now);
    this.#forTheOthers = new Bucket(FOR_THE_OTHERS, parts.now);
  }

  /** `cookie`: the secret of the sign-in that came with the request. */
  issue(headers: IncomingHttpHeaders, cookie: string | undefined): SocketTokenAnswer {
    const { answer, reason } = this.#judge(headers, cookie);
    const line = { component: 'relay', event: 'auth', path: 'session_token', origin: headers.origin };
    if (answer.ok) this.#parts.log.info({ ...line, outcome: 'accepted' }, 'a token for a socket was made');
    else this.#parts.log.warn({ ...line, outcome: 'refused', code: answer.code, reason }, 'refused');
    return answer;
  }

  #judge(headers: IncomingHttpHeaders, cookie: string | undefined): Verdict {
    const asker = this.#askerOf(headers, cookie);
    if ('answer' in asker) {
      const others = this.#forTheOthers.take();
      return others.ok ? asker : limited(others.retryAfterMs, 'too many requests that lack something');
    }
    const { tokens, now } = this.#parts;
    const pace = this.#bySignIn.get(asker.signedIn) ?? new Bucket(FOR_A_SIGN_IN, now);
    this.#bySignIn.set(asker.signedIn, pace);
    const perSignIn = pace.take();
    if (!perSignIn.ok) return limited(perSignIn.retryAfterMs, 'too many tokens for this sign-in');
    const inAll = this.#inAll.take();
    if (!inAll.ok) return limited(inAll.retryAfterMs, 'too many tokens');
    return { answer: { ok: true, token: tokens.create(asker.signedIn), expiresInMs: SOCKET_TOKEN_LIFETIME_MS } };
  }

  /** Whose page asks, or what is missing for that. */
  #askerOf(headers: IncomingHttpHeaders, cookie: string | undefined): { readonly signedIn: SignedIn } | Verdict {
    const { signIn } = this.#parts;
    if (!isOwnPage(headers)) return refuse('forbidden_origin', 'not from a page of this relay');
    if (!isPlainRequest(headers)) return refuse('forbidden_origin', 'without the headers that only our own page can send');
    const signedIn = signIn.find(cookie);
    if (signedIn === undefined) return refuse('unauthorized', 'not signed in');
    const pageKey = headers['x-csrf-token'];
    if (typeof pageKey !== 'string' || !signIn.isPageKey(signedIn, pageKey))
      return refuse('forbidden_origin', "the page's key is missing or of another sign-in");
    return { signedIn };
  }
}

interface Verdict {
  readonly answer: SocketTokenAnswer;
  /** For the log, not for the caller. */
  readonly reason?: string;
}

function refuse(code: 'unauthorized' | 'forbidden_origin', reason: string): Verdict {
  return { answer: { ok: false, code }, reason };
}

function limited(retryAfterMs: number, reason: string): Verdict {
  return { answer: { ok: false, code: 'rate_limited', retryAfterMs }, reason };
}

/** The door has looked at both before. Here the word of the browser must be there: a request without it is none of a page. */
function isOwnPage({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  const own = `http://${host}`;
  return site === undefined ? origin === own : site === 'same-origin' && (origin === undefined || origin === own);
}

/** Both make another site's page ask first (a preflight), which no route of ours answers. */
function isPlainRequest(headers: IncomingHttpHeaders): boolean {
  return /^application\/json(?:;|$)/i.test(headers['content-type'] ?? '') && headers['x-requested-with'] === 'tendon';
}
