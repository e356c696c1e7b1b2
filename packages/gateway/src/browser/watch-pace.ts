/** When what is shown of a session was begun and drawn last. One for all casts of a session: a new one goes on in the pace of the one before. */
export interface ViewPace {
  /** When a command about it was taken last. */
  takenAt: number;
  /** When something was shown, asked or cast anew last. */
  turnAt: number;
}

/** Between two turns of a session, and two commands about it. */
export const GAP_MS = 300;
/** So many commands are taken within GAP_MS, whatever sessions they name. */
const MOST_COMMANDS = 20;

/**
 * The pace of watches. The server is not trusted, and a watch that it switches off and on begins anew: so its pace is remembered past its end,
 * for as long as it matters.
 */
export class WatchPace {
  readonly #now: () => number;
  readonly #paces = new Map<string, ViewPace>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** How long a command about this session has to wait; 0: it is taken now. */
  take(sessionId: string): number {
    const now = this.#now();
    const pace = this.#paces.get(sessionId);
    const since = now - GAP_MS;
    if (pace && pace.takenAt > since) return pace.takenAt - since;
    const recent = [...this.#paces.values()].map(({ takenAt }) => takenAt).filter((takenAt) => takenAt > since);
    if (recent.length >= MOST_COMMANDS) return Math.min(...recent) - since;
    this.of(sessionId).takenAt = now;
    return 0;
  }

  of(sessionId: string): ViewPace {
    const pace = this.#paces.get(sessionId) ?? { takenAt: Number.NEGATIVE_INFINITY, turnAt: Number.NEGATIVE_INFINITY };
    this.#paces.set(sessionId, pace);
    return pace;
  }

  /** Keeps what is still of use: of these sessions all, of the others what is recent. */
  forgetAllBut(sessions: ReadonlyMap<string, unknown>): void {
    const since = this.#now() - GAP_MS;
    for (const [sessionId, { takenAt, turnAt }] of this.#paces)
      if (!sessions.has(sessionId) && takenAt <= since && turnAt <= since) this.#paces.delete(sessionId);
  }
}
