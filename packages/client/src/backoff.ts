const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
/** More than any server asks for. A timer takes what is over 25 days for no time at all, and the server would be asked without a pause. */
const LONGEST_ASKED_MS = 24 * 3_600_000;

/**
 * How long to wait before try number `attempt` + 1, in ms: exponential with full jitter, so that a thousand clients cut off by one
 * restart do not come back in the same instant (AWS Architecture Blog, "Exponential Backoff And Jitter", 2015).
 * `jitter` is uniform in [0, 1). A wait that the server asked for is kept, and the jitter comes on top.
 */
export function backoffMs(attempt: number, jitter: number, retryAfterMs = 0): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(Math.max(attempt, 1) - 1, 10));
  return Math.round(retryAfterMs + jitter * ceiling);
}

/** What a refusal's `details` says about waiting, in ms; 0 when it says nothing usable. */
export function retryAfterMs(details: unknown): number {
  if (typeof details !== 'object' || details === null || !('retryAfterMs' in details)) return 0;
  const value = details.retryAfterMs;
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? Math.min(value, LONGEST_ASKED_MS) : 0;
}
