export interface BucketSize {
  /** At once, after a rest. */
  readonly most: number;
  /** Time for one more. */
  readonly refillMs: number;
}

export type Admission = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

/**
 * How often something may happen:
 *
 *   full ── take ──► fewer ── take ──► empty: refused until the next one drips in
 *     ▲               │
 *     └──── time ─────┘
 */
export class Bucket {
  readonly #size: BucketSize;
  readonly #now: () => number;
  #left: number;
  #at: number;

  /** `now`: monotonic milliseconds. */
  constructor(size: BucketSize, now: () => number) {
    this.#size = size;
    this.#now = now;
    this.#left = size.most;
    this.#at = now();
  }

  take(): Admission {
    const { most, refillMs } = this.#size;
    const at = this.#now();
    this.#left = Math.min(most, this.#left + (at - this.#at) / refillMs);
    this.#at = at;
    if (this.#left < 1) return { ok: false, retryAfterMs: Math.ceil((1 - this.#left) * refillMs) };
    this.#left -= 1;
    return { ok: true };
  }
}
