/** Clicks and keys that were meant for what stood there before must not approve what stands there now: on a page, in a terminal. */
export const APPROVAL_GUARD_MS = 300;

export interface GuardedCard {
  /** Everything a decision binds to. Another value is another card. */
  readonly key: string;
  /** When this card was first shown, in milliseconds of a monotonic clock. */
  readonly shownAt: number;
}

/** The card to keep: the same one, or a new one that starts its time now. */
export function guardedCard(previous: GuardedCard | undefined, key: string, now: number): GuardedCard {
  return previous?.key === key ? previous : { key, shownAt: now };
}

export function mayApprove(card: GuardedCard, now: number): boolean {
  return now - card.shownAt >= APPROVAL_GUARD_MS;
}
