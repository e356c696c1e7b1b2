import type { IncomingMessage, ServerResponse } from 'node:http';
import { householdOf } from '../auth/attempt-limiter.ts';
import { BoundedLines } from '../bounded-lines.ts';
import { type PlaceLimits, Places } from '../crowd/places.ts';
import type { Log } from '../log.ts';
import type { ClientAddress } from './client-address.ts';
import type { CrowdRefusal } from './entrance.ts';

/*
 * A request after the entrance (rule H32). Until it has a place nothing of its body is read and nothing is done for it:
 *
 *   let in ── a place ──► in work ──┬── its handler is done ──┐
 *                                   └── its answer was taken, ┴──► its place is free
 *                                       or its connection ended
 *
 * Whoever goes away while the database works for them keeps the place until that is over: else somebody who asks and goes, again and again,
 * would have any number of requests under way.
 */

export interface Errand {
  /** Settles when all that is done for this request is done. */
  letIn(): unknown;
  refuse(refusal: CrowdRefusal): void;
}

export interface UnderWayOptions {
  readonly addressOf: ClientAddress;
  readonly log: Log;
  readonly limits?: Partial<PlaceLimits>;
  readonly patience?: Partial<Patience>;
}

/** How long an answer is waited for until it is given up. */
export interface Patience {
  /** While nothing of it is taken. */
  readonly stalledMs: number;
  /** Altogether. */
  readonly longestMs: number;
}

const OF_ADDRESSES: PlaceLimits = { ofHousehold: 64, ofAll: 1_000, waitingOfHousehold: 400, waitingOfAll: 2_000, waitMs: 5_000 };
/** Fewer than there are connections to the database, so that nobody alone can take them all. */
export const OF_PEOPLE: PlaceLimits = { ofHousehold: 6, ofAll: 1_000, waitingOfHousehold: 100, waitingOfAll: 1_000, waitMs: 5_000 };
const PATIENCE: Patience = { stalledMs: 30_000, longestMs: 120_000 };

export class UnderWay {
  readonly #addressOf: ClientAddress;
  readonly #told: BoundedLines;
  readonly #places: Places;
  readonly #patience: Patience;
  /** What is in work on each connection: an answer that waits behind another one of its connection does not hear of the end itself. */
  readonly #ofConnection = new Map<object, Set<() => void>>();

  constructor({ addressOf, log, limits, patience }: UnderWayOptions) {
    this.#addressOf = addressOf;
    this.#told = new BoundedLines({ log, level: 'warn' });
    this.#places = new Places({ ...OF_ADDRESSES, ...limits });
    this.#patience = { ...PATIENCE, ...patience };
  }

  get count(): number {
    return this.#places.underWay;
  }

  get waiting(): number {
    return this.#places.waiting;
  }

  /** Calls one of the two; neither when the connection ends first. */
  async begin(request: IncomingMessage, response: ServerResponse, errand: Errand): Promise<void> {
    const { socket: connection } = request;
    const address = this.#addressOf(request);
    const seat = await this.#places.take({ household: householdOf(address), connection });
    if (!seat.ok) {
      if (!connection.destroyed) this.#refuse(address, errand, CROWDED[seat.crowd]);
      return;
    }
    try {
      if (connection.destroyed) return;
      await Promise.all([this.#gone(response, connection), errand.letIn()]);
    } finally {
      seat.leave();
    }
  }

  /** Resolves when the answer was taken or never will be. */
  #gone(response: ServerResponse, connection: IncomingMessage['socket']): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const works = this.#ofConnection.get(connection) ?? this.#watch(connection);
    works.add(resolve);
    response.setTimeout(this.#patience.stalledMs, () => response.destroy());
    const timer = setTimeout(() => connection.destroy(), this.#patience.longestMs).unref();
    response.once('close', resolve);
    return promise.finally(() => {
      clearTimeout(timer);
      works.delete(resolve);
    });
  }

  #watch(connection: IncomingMessage['socket']): Set<() => void> {
    const works = new Set<() => void>();
    this.#ofConnection.set(connection, works);
    connection.once('close', () => {
      this.#ofConnection.delete(connection);
      for (const end of works) end();
    });
    return works;
  }

  #refuse(address: string, errand: Errand, refusal: CrowdRefusal): void {
    const message = `requests are refused: ${this.#places.underWay} are under way`;
    this.#told.add({ key: 'crowd', fields: { event: 'requests_crowded', address }, message });
    errand.refuse(refusal);
  }
}

const CROWDED: Readonly<Record<'household' | 'all', CrowdRefusal>> = {
  household: { status: 429, code: 'rate_limited', message: 'Too many requests of your address are under way. Try again in a moment.', retryAfterS: 2 },
  all: { status: 503, code: 'unavailable', message: 'Too many requests are under way. Try again in a moment.', retryAfterS: 2 },
};
