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
  /** Addresses remembered at most; beyond it the one that was quiet longest is forgotten. */
  readonly maxEntries?: number;
}

export type Admission = { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };

interface Bucket {
  tokens: number;
  at: number;
}

export class AttemptLimiter {
  readonly #buckets = new Map<string, Bucket>();
  readonly #options: LimiterOptions;

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
    const { capacity, refillMs, now, maxEntries = 10_000 } = this.#options;
    const at = now();
    const known = this.#buckets.get(key);
    const bucket = known ? { tokens: Math.min(capacity, known.tokens + (at - known.at) / refillMs), at } : { tokens: capacity, at };
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > maxEntries) {
      const oldest = this.#buckets.keys().next();
      if (!oldest.done) this.#buckets.delete(oldest.value);
    }
    return bucket;
  }
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
