import type { Log } from '@tendon/protocol';
import type { AuditLog } from './auth/audit-log.ts';
import type { SessionStore } from './store/index.ts';

/** A client that was away for longer gets a page instead of the events that it missed. */
const EVENTS_KEPT_MS = 30 * 24 * 60 * 60_000;
const FIRST_PASS_MS = 60_000;
const PASS_MS = 5 * 60_000;
/** So much and no more in one pass, then others have the database; the next pass goes on where this one ended. */
const STEPS_PER_PASS = 20;

export interface HousekeeperOptions {
  readonly store: Pick<SessionStore, 'pruneEvents'>;
  readonly audit: Pick<AuditLog, 'prune'>;
  readonly now: () => Date;
  readonly log: Log;
}

/**
 * Deletes what has outlived its use, a little every few minutes. Two nodes that do so at once do no harm.
 *
 *     resting ──timer──► passing ──all seen, or enough for now──► resting
 */
export class Housekeeper {
  readonly #options: HousekeeperOptions;
  #timer: NodeJS.Timeout | undefined;
  #passing: Promise<number> | undefined;
  #cursor: string | undefined;
  #isClosed = false;

  constructor(options: HousekeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#restFor(FIRST_PASS_MS);
  }

  /** How many events went. Never rejects: what could not be done now is done by a later pass. */
  pass(): Promise<number> {
    this.#passing ??= this.#pass().finally(() => {
      this.#passing = undefined;
    });
    return this.#passing;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#passing;
  }

  #restFor(ms: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => void this.pass().then(() => this.#restFor(PASS_MS)), ms);
  }

  async #pass(): Promise<number> {
    const { store, audit, log, now } = this.#options;
    const before = new Date(now().getTime() - EVENTS_KEPT_MS).toISOString();
    let total = 0;
    try {
      for (let steps = 0; steps < STEPS_PER_PASS && !this.#isClosed; steps += 1) {
        const { pruned, nextCursor } = await store.pruneEvents(before, this.#cursor);
        total += pruned;
        this.#cursor = nextCursor;
        if (nextCursor === undefined) break;
      }
    } catch (error) {
      log.warn({ err: error }, 'old events could not be deleted; the next pass tries again');
    }
    await audit.prune().catch((error: unknown) => log.warn({ err: error }, 'old entries of the audit log could not be deleted; the next pass tries again'));
    if (total > 0) log.info({ count: total }, 'old events were deleted');
    return total;
  }
}
