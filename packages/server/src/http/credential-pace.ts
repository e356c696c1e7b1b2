import { createHash } from 'node:crypto';
import { type Admission, AttemptLimiter } from '../auth/attempt-limiter.ts';

const CAPACITY = 400;
const REFILL_MS = 10;
const SESSION_COOKIE = /^(?:__Secure-)?tendon-\d+\.session_token=(.*)$/;

export interface Offered {
  /** Of an `Authorization: Bearer` header. */
  readonly token: string | undefined;
  /** The whole header. */
  readonly cookie: string | undefined;
}

/** How fast one credential may ask, from however many addresses (rule H31). It is not looked up for that: a wrong one has the same pace. */
export class CredentialPace {
  readonly #limiter: AttemptLimiter;

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number = () => performance.now()) {
    this.#limiter = new AttemptLimiter({ capacity: CAPACITY, refillMs: REFILL_MS, now });
  }

  take({ token, cookie = '' }: Offered): Admission {
    const refused = (token === undefined ? sessionsIn(cookie) : [asSigned(token)])
      .map((credential) => this.#limiter.take('credential', createHash('sha256').update(credential).digest('base64url')))
      .find(({ ok }) => !ok);
    return refused ?? { ok: true };
  }
}

/** The last character of a signature can be written in several ways that mean the same; what is signed cannot. */
function asSigned(token: string): string {
  const [header, claims, signature, ...rest] = token.split('.');
  if (signature === undefined || rest.length > 0) return token;
  return [header, claims, Buffer.from(signature, 'base64url').toString('base64url')].join('.');
}

/**
 * The sessions that a cookie header names. Nothing else in it counts, nor how a value is written: who varies that would be another each time; and
 * what a proxy in front adds to everybody's requests would make them all one.
 */
function sessionsIn(cookie: string): string[] {
  const values = cookie.split(';').flatMap((pair) => SESSION_COOKIE.exec(pair.trim())?.[1] ?? []);
  return [...new Set(values.map((value) => decoded(value).replace(/^"/, '').split('.', 1)[0] ?? ''))];
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
