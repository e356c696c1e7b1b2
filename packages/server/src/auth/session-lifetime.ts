/** From its sign-in on, however much it is used: then its person signs in again (ASVS 7.3.2). */
const LONGEST_SESSION_MS = 90 * 24 * 3_600_000;

/** When a browser session that was opened then ends for good. */
export function lastMomentOf(openedAt: Date): Date {
  return new Date(openedAt.getTime() + LONGEST_SESSION_MS);
}

/** Whoever signed in before this moment has to do it again. */
export function oldestOpening(now: Date): Date {
  return new Date(now.getTime() - LONGEST_SESSION_MS);
}
