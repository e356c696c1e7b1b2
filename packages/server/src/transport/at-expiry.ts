/** Node's longest timer (2^31 - 1 ms, 24.8 days); a later end is looked at again then. */
export const LONGEST_TIMER_MS = 2_147_483_647;

export interface ExpiryClock {
  readonly now: () => number;
  /** Calls `work` after so long, unless what it gives back is called first. */
  readonly later: (ms: number, work: () => void) => () => void;
}

const CLOCK: ExpiryClock = {
  now: Date.now,
  later: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** Calls `end` at this moment, not before the caller is done; answers with the way to forget about it. */
export function atExpiry(expiresAt: Date, end: () => void, clock: ExpiryClock = CLOCK): () => void {
  const leftMs = (): number => expiresAt.getTime() - clock.now();
  const wait = (): (() => void) => clock.later(Math.min(LONGEST_TIMER_MS, Math.max(0, leftMs())), look);
  const look = (): void => {
    if (leftMs() > 0) forget = wait();
    else end();
  };
  let forget = wait();
  return () => forget();
}
