import type { AgentNotices } from '@tendon/protocol';

type Summary = AgentNotices['session:summary'];

export const SUMMARY_PACE_MS = 50;

/**
 * What the clients of a person are told of their list of sessions:
 *
 *   quiet ── a summary: told at once ──► pacing ── 50 ms without another ──► quiet
 *                                          │  ▲
 *                                          └──┘ 50 ms: what has come since is told together, of each session the newest
 *
 * Every summary goes to every client of its person. With many of both at work their product is what a node would be busy with, while tokens wait.
 */
export class SummaryPacer {
  readonly #tell: (userId: string, summary: Summary) => void;
  /** By person, while pacing: what waits, by session. */
  readonly #waiting = new Map<string, Map<string, Summary>>();

  constructor(tell: (userId: string, summary: Summary) => void) {
    this.#tell = tell;
  }

  add(userId: string, summary: Summary): void {
    const waiting = this.#waiting.get(userId);
    if (waiting) {
      waiting.set(summary.session.id, summary);
      return;
    }
    this.#tell(userId, summary);
    this.#pace(userId);
  }

  #pace(userId: string): void {
    this.#waiting.set(userId, new Map());
    setTimeout(() => this.#release(userId), SUMMARY_PACE_MS).unref();
  }

  #release(userId: string): void {
    const waiting = this.#waiting.get(userId);
    this.#waiting.delete(userId);
    if (!waiting || waiting.size === 0) return;
    for (const summary of waiting.values()) this.#tell(userId, summary);
    this.#pace(userId);
  }
}
