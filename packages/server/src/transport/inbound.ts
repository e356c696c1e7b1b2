import { limitMessages, unfinishedBytes, watchArrivals } from './arrivals.ts';
import type { BudgetLimits, BudgetShare, ByteBudget, ByteQueue } from './byte-budget.ts';
import type { EngineConnection } from './wire.ts';

export interface InboundLimits {
  /** Largest message of a connection that has not signed in. */
  readonly newcomerMessageBytes: number;
  /** How long a message may take to come. */
  readonly messageMs: number;
  readonly budget: BudgetLimits;
}

export interface InboundOptions {
  readonly limits: InboundLimits;
  /** Largest message, once signed in. */
  readonly messageBytes: number;
  readonly budget: ByteBudget;
  /** The connection is to be ended. Called once. */
  readonly onCut: (bytes: number) => void;
}

/** What has come is looked at when so much is new, or an eighth of what was there: looking costs with each piece that is there. */
const LOOK_EVERY_BYTES = 64 * 1024;
const LOOK_EVERY_SHARE = 1 / 8;

/*
 *   newcomer (small messages) ──signed in──► guest ──this is the heaviest when a budget is spent, or a message takes too long──► cut
 *
 * What has come of a message that is not finished takes memory for as long as its sender likes (rule T27). Whoever sends nothing more of it
 * cannot answer a ping either, and ends with that (T15).
 */
export class Inbound implements ByteQueue {
  readonly #connection: EngineConnection;
  readonly #options: InboundOptions;
  readonly #share: BudgetShare;
  #messageBytes: number;
  #isCut = false;
  /** Since the last look. */
  #arrived = 0;
  #nextLook = LOOK_EVERY_BYTES;
  #finished = 0;
  #unfinished: { readonly after: number; readonly since: number } | undefined;

  constructor(connection: EngineConnection, options: InboundOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#share = options.budget.open(this);
    this.#messageBytes = options.limits.newcomerMessageBytes;
    limitMessages(connection, this.#messageBytes);
    watchArrivals(connection, (bytes) => this.#arrive(bytes));
    connection.on('upgrade', () => limitMessages(connection, this.#messageBytes));
    connection.on('packet', () => {
      this.#finished += 1;
    });
    connection.once('close', () => this.#share.end());
  }

  get waitingBytes(): number {
    return unfinishedBytes(this.#connection);
  }

  belongTo(person: string): void {
    this.#share.belongTo(person);
  }

  /** It has signed in. */
  admit(): void {
    this.#messageBytes = this.#options.messageBytes;
    limitMessages(this.#connection, this.#messageBytes);
  }

  cut(): void {
    if (this.#isCut) return;
    this.#isCut = true;
    this.#options.onCut(this.waitingBytes);
  }

  /** To be asked every now and then; `now` in milliseconds. */
  look(now: number): void {
    const waiting = this.#count();
    if (waiting === 0) this.#unfinished = undefined;
    else if (this.#unfinished?.after !== this.#finished) this.#unfinished = { after: this.#finished, since: now };
    else if (now - this.#unfinished.since >= this.#options.limits.messageMs) this.cut();
  }

  #arrive(bytes: number): void {
    this.#arrived += bytes;
    if (this.#arrived >= this.#nextLook) this.#count();
  }

  #count(): number {
    const { waitingBytes } = this;
    this.#arrived = 0;
    this.#nextLook = Math.max(LOOK_EVERY_BYTES, waitingBytes * LOOK_EVERY_SHARE);
    this.#share.count(waitingBytes);
    return waitingBytes;
  }
}
