import type { IncomingMessage } from 'node:http';
import { AttemptLimiter, householdOf } from '../auth/attempt-limiter.ts';
import { BoundedLines } from '../bounded-lines.ts';
import { type Waiting, WaitingLines } from '../crowd/waiting-lines.ts';
import type { Log } from '../log.ts';
import type { ClientAddress } from './client-address.ts';

/*
 * What every request, poll and upgrade passes after the door and before anything that costs (rules H29 and H30):
 *
 *   asks ──nobody waits, few came in this turn──────────────────────► in
 *     │                                                                ▲ a few in each turn of the event loop: addresses in turn, and of
 *     └──────────► waiting ────────────────────────────────────────────┘ each its connections, none faster than the pace of an address
 *                     ├──its connection ends──► forgotten
 *                     └──too many wait──► of the longest line the newest is refused, and its connection read no more
 *
 * A turn of the event loop in which a few hundred requests are begun is one in which nobody else is answered; and refusing them costs nearly
 * as much. So a connection of which several wait is left unread as well.
 */

export interface EntranceLimits {
  /** How many come in during one turn of the event loop. */
  readonly perTurn: number;
  readonly perSecond: number;
  readonly burst: number;
  /** Of one connection: while more wait, it is not read. */
  readonly mostOfConnection: number;
  readonly mostOfAddress: number;
  readonly mostOfAll: number;
}

const ENTRANCE_LIMITS: EntranceLimits = { perTurn: 4, perSecond: 200, burst: 400, mostOfConnection: 16, mostOfAddress: 250, mostOfAll: 1_000 };

/** How somebody is told that too many wait: the address' own share of the places is taken (429), or all of them are (503). */
export interface CrowdRefusal {
  readonly status: 429 | 503;
  readonly code: 'rate_limited' | 'unavailable';
  readonly message: string;
  readonly retryAfterS: number;
}

export interface Visit {
  letIn(): void;
  /** The answer ends the connection. */
  refuse(refusal: CrowdRefusal): void;
}

export interface EntranceOptions {
  readonly addressOf: ClientAddress;
  readonly log: Log;
  readonly limits?: Partial<EntranceLimits>;
  /** Milliseconds that only grow. */
  readonly now?: () => number;
  readonly nextTurn?: (work: () => void) => void;
  readonly later?: (ms: number, work: () => void) => void;
}

interface Visitor extends Waiting {
  readonly connection: IncomingMessage['socket'];
  readonly address: string;
  readonly visit: Visit;
}

const PACE = 'request';
const RETRY_AFTER_S = 2;
const CROWDED: Readonly<Record<'household' | 'all', CrowdRefusal>> = {
  household: { status: 429, code: 'rate_limited', message: 'Too many requests of your address wait. Try again in a moment.', retryAfterS: RETRY_AFTER_S },
  all: { status: 503, code: 'unavailable', message: 'Too many requests wait. Try again in a moment.', retryAfterS: RETRY_AFTER_S },
};

export class Entrance {
  readonly #limits: EntranceLimits;
  readonly #addressOf: ClientAddress;
  readonly #told: BoundedLines;
  readonly #now: () => number;
  readonly #nextTurn: (work: () => void) => void;
  readonly #later: (ms: number, work: () => void) => void;
  readonly #pace: AttemptLimiter;
  readonly #lines = new WaitingLines<Visitor>();
  /** Connections that have waited once: their end is watched. */
  readonly #watched = new WeakSet<object>();
  readonly #unread = new Set<IncomingMessage['socket']>();
  /** Connections that end with a refusal: what else was read of them goes unanswered, as HTTP lets it. */
  readonly #leaving = new WeakSet<object>();
  #cameIn = 0;
  #isTurnDue = false;
  #isPaceDue = false;

  constructor(options: EntranceOptions) {
    this.#limits = { ...ENTRANCE_LIMITS, ...options.limits };
    this.#addressOf = options.addressOf;
    this.#told = new BoundedLines({ log: options.log, level: 'warn' });
    this.#now = options.now ?? (() => performance.now());
    this.#nextTurn = options.nextTurn ?? ((work) => void setImmediate(work));
    this.#later = options.later ?? ((ms, work) => void setTimeout(work, ms).unref());
    const { burst, perSecond } = this.#limits;
    this.#pace = new AttemptLimiter({ capacity: burst, refillMs: 1_000 / perSecond, now: this.#now });
  }

  /** How many wait. */
  get waiting(): number {
    return this.#lines.size;
  }

  /** Calls one of the two, now or later; neither when the connection ends first. */
  admit(request: IncomingMessage, visit: Visit): void {
    const { socket: connection } = request;
    if (this.#leaving.has(connection)) return;
    const address = this.#addressOf(request);
    const visitor: Visitor = { household: householdOf(address), connection, address, visit };
    if (this.#lines.size === 0 && this.#cameIn < this.#limits.perTurn && this.#mayEnter(visitor.household)) this.#letIn(visitor);
    else this.#queue(visitor);
  }

  #queue(visitor: Visitor): void {
    const { connection, household } = visitor;
    this.#lines.add(visitor);
    this.#watch(connection);
    const { mostOfConnection, mostOfAddress, mostOfAll } = this.#limits;
    if (this.#lines.waitingOf(household) > mostOfAddress) this.#refuse(this.#lines.takeNewest(visitor, 'household'), CROWDED.household);
    else if (this.#lines.size > mostOfAll) this.#refuse(this.#lines.takeNewest(visitor, 'all'), CROWDED.all);
    if (this.#lines.lengthOf(visitor) >= mostOfConnection) {
      this.#unread.add(connection);
      connection.pause();
    }
    this.#expectTurn();
  }

  #watch(connection: IncomingMessage['socket']): void {
    if (this.#watched.has(connection)) return;
    this.#watched.add(connection);
    connection.once('close', () => {
      this.#lines.leave(connection);
      this.#unread.delete(connection);
    });
    // Node reads on after each answer.
    connection.on('resume', () => {
      if (this.#unread.has(connection)) connection.pause();
    });
  }

  #letIn(visitor: Visitor): void {
    this.#cameIn += 1;
    this.#expectTurn();
    visitor.visit.letIn();
  }

  #refuse({ connection, address, visit }: Visitor, refusal: CrowdRefusal): void {
    this.#leaving.add(connection);
    this.#told.add({ key: 'flood', fields: { event: 'request_flood', address }, message: `requests are refused: ${this.#lines.size} wait` });
    visit.refuse(refusal);
  }

  #expectTurn(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.#nextTurn(() => this.#takeTurn());
  }

  #takeTurn(): void {
    this.#isTurnDue = false;
    this.#cameIn = 0;
    let soonestMs = Number.POSITIVE_INFINITY;
    const mayEnter = (household: string): boolean => {
      const admission = this.#pace.take(PACE, household);
      if (!admission.ok) soonestMs = Math.min(soonestMs, admission.retryAfterMs);
      return admission.ok;
    };
    while (this.#cameIn < this.#limits.perTurn) {
      const visitor = this.#lines.next(mayEnter);
      if (!visitor) break;
      this.#readOn(visitor);
      this.#letIn(visitor);
    }
    if (this.#cameIn === 0 && this.#lines.size > 0) this.#waitForPace(soonestMs);
  }

  /** Everybody who waits is too fast. */
  #waitForPace(ms: number): void {
    if (this.#isPaceDue) return;
    this.#isPaceDue = true;
    this.#later(ms, () => {
      this.#isPaceDue = false;
      this.#expectTurn();
    });
  }

  #mayEnter(household: string): boolean {
    return this.#pace.take(PACE, household).ok;
  }

  #readOn(visitor: Visitor): void {
    const { connection } = visitor;
    if (!this.#unread.has(connection) || this.#lines.lengthOf(visitor) > this.#limits.mostOfConnection / 2) return;
    this.#unread.delete(connection);
    connection.resume();
  }
}
