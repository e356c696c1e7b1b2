import type { Log } from '@tendon/protocol';
import type { Lease, SessionStore } from '../store/session-store.ts';

/** A lease lasts 10 s: two renewals may fail before it is gone. */
const RENEW_MS = 3_000;
const SWEEP_MS = 2_000;
const CLAIM_AT_ONCE = 50;

export interface LeaseKeeperOptions {
  readonly node: string;
  readonly store: Pick<SessionStore, 'renew' | 'claimOwed'>;
  readonly log: Log;
  /** The leases this node acts under now. */
  readonly held: () => readonly Lease[];
  readonly onLost: (lease: Lease) => void;
  /** `askedAtMs`: when the database was asked, by `monotonicMs`. The lease runs from then on at the earliest. */
  readonly onKept: (lease: Lease, askedAtMs: number) => void;
  readonly onClaimed: (lease: Lease, askedAtMs: number) => void;
  /** A clock that nobody sets. */
  readonly monotonicMs: () => number;
}

/** Renews what this node owns and takes what nobody owns: the one way work is found again after any crash (I6). */
export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #timers: NodeJS.Timeout[] = [];
  #sweeping: Promise<void> | undefined;
  #renewing: Promise<void> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timers.push(
      setInterval(() => this.#renewSoon(), RENEW_MS),
      setInterval(() => void this.sweep(), SWEEP_MS),
    );
  }

  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweepOnce().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
    await Promise.all([this.#sweeping, this.#renewing]);
  }

  /** One at a time: a slow database is not asked twice. */
  #renewSoon(): void {
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
  }

  async #sweepOnce(): Promise<void> {
    const { node, store, log, onClaimed, monotonicMs } = this.#options;
    const askedAt = monotonicMs();
    try {
      const claimed = await store.claimOwed(node, CLAIM_AT_ONCE);
      for (const lease of claimed) onClaimed(lease, askedAt);
    } catch (error) {
      log.warn({ err: error }, 'owed work could not be looked for');
    }
  }

  async #renew(): Promise<void> {
    const { node, store, log, held, onLost, onKept, monotonicMs } = this.#options;
    const leases = held();
    if (leases.length === 0) return;
    const askedAt = monotonicMs();
    try {
      const kept = new Set((await store.renew(node, leases)).map((lease) => lease.sessionId));
      for (const lease of leases) {
        if (kept.has(lease.sessionId)) onKept(lease, askedAt);
        else onLost(lease);
      }
    } catch (error) {
      log.warn({ err: error }, 'leases could not be renewed');
    }
  }
}
