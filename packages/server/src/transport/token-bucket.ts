export interface TokenBucket {
  /** Takes `cost` tokens, or takes nothing and says after how many milliseconds the same cost would be there. */
  take(cost: number): { readonly ok: true } | { readonly ok: false; readonly retryAfterMs: number };
}

export interface BucketSize {
  readonly perSecond: number;
  readonly burst: number;
}

/** A full bucket of `burst` tokens that refills by `perSecond`. A cost over the burst counts as the whole burst. `now` is monotonic, in milliseconds. */
export function createTokenBucket(size: BucketSize, now: () => number): TokenBucket {
  let tokens = size.burst;
  let filledAt = now();
  return {
    take(cost) {
      const at = now();
      tokens = Math.min(size.burst, tokens + (Math.max(0, at - filledAt) * size.perSecond) / 1_000);
      filledAt = at;
      const price = Math.min(cost, size.burst);
      if (tokens >= price) {
        tokens -= price;
        return { ok: true };
      }
      return { ok: false, retryAfterMs: Math.ceil(((price - tokens) * 1_000) / size.perSecond) };
    },
  };
}
