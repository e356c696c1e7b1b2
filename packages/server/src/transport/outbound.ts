import type { BudgetShare, ByteBudget, ByteQueue } from './byte-budget.ts';
import { type EngineConnection, takenMark, unsentBytes, watchAnswers } from './wire.ts';

export interface OutboundOptions {
  readonly limitBytes: number;
  readonly stalledMs: number;
  readonly budget: ByteBudget;
  /** The connection is to be ended. Called once. */
  readonly onSlow: (waitingBytes: number) => void;
}

/*
 *   sending ──more than `limitBytes` waits, or this is the heaviest when a budget is spent, or nothing was taken for `stalledMs`──► slow: ended
 *
 * A packet that finds more than the limit already waiting ends its connection. One packet alone may therefore be of any size; memory is bounded
 * by the limit and one packet.
 */
export class Outbound implements ByteQueue {
  readonly #connection: EngineConnection;
  readonly #options: OutboundOptions;
  readonly #share: BudgetShare;
  #queued = 0;
  #flushes = 0;
  #isSlow = false;
  #taken = '';
  #takenAt: number | undefined;

  constructor(connection: EngineConnection, options: OutboundOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#share = options.budget.open(this);
    watchAnswers(connection);
    connection.on('packetCreate', ({ data }: { readonly data?: unknown }) => this.#add(typeof data === 'string' ? data.length : 0));
    // Engine.IO hands its whole queue to the transport; from there on `unsentBytes` counts it.
    connection.on('flush', () => {
      this.#queued = 0;
      this.#flushes += 1;
    });
    connection.once('close', () => this.#share.end());
  }

  get waitingBytes(): number {
    return this.#queued + unsentBytes(this.#connection);
  }

  belongTo(person: string): void {
    this.#share.belongTo(person);
  }

  cut(): void {
    if (this.#isSlow) return;
    this.#isSlow = true;
    this.#options.onSlow(this.waitingBytes);
  }

  /** Whether something of what waits was taken since. To be asked every now and then; `now` in milliseconds. */
  look(now: number): void {
    const { waitingBytes } = this;
    this.#share.count(waitingBytes);
    const taken = `${this.#flushes} ${takenMark(this.#connection)}`;
    if (waitingBytes === 0 || this.#takenAt === undefined || taken !== this.#taken) {
      this.#taken = taken;
      this.#takenAt = now;
    } else if (now - this.#takenAt >= this.#options.stalledMs) this.cut();
  }

  #add(bytes: number): void {
    if (this.#isSlow) return;
    const { waitingBytes } = this;
    if (waitingBytes > this.#options.limitBytes) {
      this.cut();
      return;
    }
    this.#queued += bytes;
    this.#share.count(waitingBytes + bytes);
  }
}
