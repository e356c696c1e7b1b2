import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Admission, AttemptLimiter } from '../auth/attempt-limiter.ts';

const CAPACITY = 400;
const REFILL_MS = 10;

/** How fast one credential may ask, from however many addresses (rule H31). It is not looked up for that: a wrong one has the same pace. */
export class CredentialPace {
  readonly #limiter: AttemptLimiter;

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number = () => performance.now()) {
    this.#limiter = new AttemptLimiter({ capacity: CAPACITY, refillMs: REFILL_MS, now });
  }

  take({ authorization, cookie }: IncomingHttpHeaders): Admission {
    const credential = authorization ?? cookie;
    if (credential === undefined) return { ok: true };
    return this.#limiter.take('credential', createHash('sha256').update(credential).digest('base64url'));
  }
}
