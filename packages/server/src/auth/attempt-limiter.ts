/**
 * Slows down guessing. One bucket of allowed mistakes per kind of credential and address:
 *
 *   full ── take ──► fewer ── take ──► empty: refused until the next token drips in
 *     ▲                │
 *     └── giveBack (it was right) / time
 *
 * A token is taken before the credential is looked at, so that parallel guesses cannot all pass before the first one fails.
 */
export interface LimiterOptions {
  readonly capacity: number;
  /** Time for one mistake to be forgiven. */
  readonly refillMs: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** Buckets remembered at most; beyond it the one that was quiet longest is forgotten. */
  readonly maxEntries?: number;
  /**
   * For buckets of what is guessed at, where whoever guesses chooses the names: they must not be able to have one forgotten by filling others. None is
   * forgotten before it is full again; while there is no place, those who have none share a few, and get their own with what is left there.
   */
  readonly keepsOwing?: boolean;
}

/** Shared by whoever finds no place. So many that an honest one seldom meets a guesser, so few that they cost nothing. */
const SHARED = 1_024;

export type Admission = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

interface Bucket {
  tokens: number;
  at: number;
}

export class AttemptLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #shared = new Map<number, Bucket>();
  readonly #options: LimiterOptions;
  #sweptAt = Number.NEGATIVE_INFINITY;

  constructor(options: LimiterOptions) {
    this.#options = options;
  }

  /** Counts an attempt. No address is exempt, loopback included: any page and any process on this machine comes from there. */
  take(kind: string, address: string): Admission {
    const bucket = this.#bucket(keyOf(kind, address));
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return { ok: true };
    }
    return { ok: false, retryAfterMs: Math.max(1, Math.ceil((1 - bucket.tokens) * this.#options.refillMs)) };
  }

  /** The attempt was right and does not count. */
  giveBack(kind: string, address: string): void {
    const bucket = this.#bucket(keyOf(kind, address));
    bucket.tokens = Math.min(this.#options.capacity, bucket.tokens + 1);
  }

  #bucket(key: string): Bucket {
    const { now, maxEntries = 10_000, keepsOwing = false } = this.#options;
    const at = now();
    const known = this.#buckets.get(key);
    if (known === undefined && keepsOwing) return this.#newBucket(key, at);
    const bucket = this.#filled(known, at);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > maxEntries) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return bucket;
  }

  /** What was guessed in the shared one counts on: waiting for a place of one's own makes no more guesses. */
  #newBucket(key: string, at: number): Bucket {
    const { maxEntries = 10_000 } = this.#options;
    const place = placeOf(key);
    const shared = this.#filled(this.#shared.get(place), at);
    if (this.#buckets.size >= maxEntries) this.#sweep(at);
    if (this.#buckets.size >= maxEntries) {
      this.#shared.set(place, shared);
      return shared;
    }
    const bucket = { ...shared };
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Forgets all that are full again: they say nothing. Dear, so no more often than a mistake is forgiven. */
  #sweep(at: number): void {
    if (at - this.#sweptAt < this.#options.refillMs) return;
    this.#sweptAt = at;
    for (const [key, bucket] of this.#buckets) if (this.#filled(bucket, at).tokens >= this.#options.capacity) this.#buckets.delete(key);
  }

  #filled(bucket: Bucket | undefined, at: number): Bucket {
    const { capacity, refillMs } = this.#options;
    return bucket ? { tokens: Math.min(capacity, bucket.tokens + (at - bucket.at) / refillMs), at } : { tokens: capacity, at };
  }
}

/** It may be foreseen: whoever empties one on purpose keeps out whom they could have kept out by name. */
function placeOf(key: string): number {
  let sum = 0;
  for (let index = 0; index < key.length; index += 1) sum = (sum * 31 + key.charCodeAt(index)) >>> 0;
  return sum % SHARED;
}

function keyOf(kind: string, address: string): string {
  return `${kind} ${householdOf(address)}`;
}

/** One household of IPv6 has a whole /64 (RFC 6177), so that is what counts as one address. */
export function householdOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!address.includes(':') || address === '::1') return address;
  const [head = '', tail] = address.split('%')[0]?.split('::') ?? [];
  const left = head.split(':').filter((group) => group !== '');
  const right = (tail ?? '').split(':').filter((group) => group !== '');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill('0'), ...right].slice(0, 4);
  return groups.map((group) => group.toLowerCase().padStart(4, '0')).join(':');
}
