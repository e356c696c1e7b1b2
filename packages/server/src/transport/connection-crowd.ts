import type { HandshakeRefusal, Log } from '@tendon/protocol';
import { householdOf } from '../auth/attempt-limiter.ts';
import { BoundedLines } from '../bounded-lines.ts';
import type { CrowdRefusal, NamespaceName } from './options.ts';

/*
 * How many connections there are (rule T25):
 *
 *   comes ──its household and all together have a place for somebody unknown──► newcomer ──its person has a place──► guest
 *     │                                                                           │   │
 *     ├── none, and the oldest of them has had its second ── the oldest goes ◄────┘   └── none ──► refused at its handshake
 *     └── none, and all came just now ──► refused at the door
 *
 * Behind a reverse proxy that is not declared all people have one address. So only who has not signed in counts there, which takes a moment;
 * and since the entrance (H29) lets no address in faster than its places come free, somebody who fills them all keeps nobody out.
 */

export interface ConnectionLimits {
  /** Connections that have not signed in. */
  readonly newcomers: {
    readonly ofHousehold: number;
    readonly ofAll: number /** So long nobody loses their place to somebody newer. */;
    readonly graceMs: number;
  };
  readonly ofPerson: Readonly<Record<NamespaceName, number>>;
  /** Of all people, in both namespaces. */
  readonly ofAll: number;
}

/** A connection that has not signed in. */
export interface Newcomer {
  readonly address: string;
  readonly cameAt: number;
}

export type Seating = { readonly ok: true /** May be called again. */; leave(): void } | { readonly ok: false; readonly refusal: HandshakeRefusal };

export interface CrowdOptions {
  readonly log: Log;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
}

const EVENT = 'connections_crowded';
const RETRY_AFTER_MS = 10_000;
const RETRY_AT_DOOR_S = 2;
/** While there are more than so many of all, a person has no more than a share of their own: so it takes very many people to keep somebody out. */
const CROWDED = 9 / 10;
const SHARE_WHEN_CROWDED = 1 / 8;

const PROXIED = 'Behind a reverse proxy that TENDON_TRUSTED_PROXIES does not name, all people have one address.';
const AT_DOOR: Readonly<Record<'household' | 'all', CrowdRefusal>> = {
  household: { status: 429, message: `Too many connections of your address are signing in. Try again in a moment. ${PROXIED}`, retryAfterS: RETRY_AT_DOOR_S },
  all: { status: 503, message: 'Too many connections are signing in. Try again in a moment.', retryAfterS: RETRY_AT_DOOR_S },
};

export class ConnectionCrowd {
  readonly #limits: ConnectionLimits;
  readonly #now: () => number;
  /** Each the oldest first. */
  readonly #newcomers = new Set<Newcomer>();
  readonly #households = new Map<string, Set<Newcomer>>();
  readonly #guests = new Map<string, number>();
  #guestsOfAll = 0;
  readonly #told: BoundedLines;

  constructor(limits: ConnectionLimits, { log, now }: CrowdOptions) {
    this.#limits = limits;
    this.#now = now;
    this.#told = new BoundedLines({ log, level: 'warn' });
  }

  /** Tells what was counted and not told yet. */
  close(): void {
    this.#told.close();
  }

  /** Why nobody more may come from this address now. */
  atDoor(address: string): CrowdRefusal | undefined {
    const { ofHousehold, ofAll } = this.#limits.newcomers;
    const crowd = this.#isFull(this.#households.get(householdOf(address)), ofHousehold)
      ? 'household'
      : this.#isFull(this.#newcomers, ofAll)
        ? 'all'
        : undefined;
    if (crowd === undefined) return undefined;
    this.#tell({ address }, `connections are refused: ${this.#newcomers.size} are signing in`);
    return AT_DOOR[crowd];
  }

  /** The one whose place this one has taken, if any: it is to be ended. */
  arrive(newcomer: Newcomer): Newcomer | undefined {
    const household = householdOf(newcomer.address);
    const ofHousehold = this.#households.get(household) ?? new Set();
    this.#households.set(household, ofHousehold.add(newcomer));
    this.#newcomers.add(newcomer);
    const { newcomers } = this.#limits;
    const crowd = ofHousehold.size > newcomers.ofHousehold ? ofHousehold : this.#newcomers.size > newcomers.ofAll ? this.#newcomers : undefined;
    const oldest = crowd?.values().next().value;
    if (!oldest) return undefined;
    this.#tell({ address: oldest.address }, `connections are ended that have not signed in: there are ${this.#newcomers.size}`);
    this.leave(oldest);
    return oldest;
  }

  /** It has signed in, or ended. */
  leave(newcomer: Newcomer): void {
    if (!this.#newcomers.delete(newcomer)) return;
    const household = householdOf(newcomer.address);
    const ofHousehold = this.#households.get(household);
    ofHousehold?.delete(newcomer);
    if (ofHousehold?.size === 0) this.#households.delete(household);
  }

  /** A place for one more connection of a person. */
  seat({ address }: Newcomer, { userId, namespace }: { readonly userId: string; readonly namespace: NamespaceName }): Seating {
    const name = `${namespace} ${userId}`;
    const most = this.#limits.ofPerson[namespace];
    const taken = this.#guests.get(name) ?? 0;
    const isCrowded = this.#guestsOfAll > this.#limits.ofAll * CROWDED && taken >= Math.ceil(most * SHARE_WHEN_CROWDED);
    const message = taken >= most ? FULL[namespace](most) : isCrowded || this.#guestsOfAll >= this.#limits.ofAll ? FULL_HOUSE : undefined;
    if (message !== undefined) {
      this.#tell({ address, userId, namespace }, `handshakes are refused: there are ${taken} connections of this person, and ${this.#guestsOfAll} in all`);
      return { ok: false, refusal: { code: 'rate_limited', message, retryAfterMs: RETRY_AFTER_MS } };
    }
    this.#guests.set(name, taken + 1);
    this.#guestsOfAll += 1;
    let isLeft = false;
    const leave = (): void => {
      if (isLeft) return;
      isLeft = true;
      this.#gone(name);
    };
    return { ok: true, leave };
  }

  #gone(name: string): void {
    this.#guestsOfAll -= 1;
    const left = (this.#guests.get(name) ?? 0) - 1;
    if (left > 0) this.#guests.set(name, left);
    else this.#guests.delete(name);
  }

  /** And none of them has had its time. */
  #isFull(newcomers: ReadonlySet<Newcomer> | undefined, most: number): boolean {
    const oldest = newcomers?.values().next().value;
    return newcomers !== undefined && newcomers.size >= most && oldest !== undefined && this.#now() - oldest.cameAt < this.#limits.newcomers.graceMs;
  }

  #tell(who: { readonly address: string; readonly userId?: string; readonly namespace?: string }, message: string): void {
    this.#told.add({ key: EVENT, fields: { event: EVENT, ...who }, message });
  }
}

const FULL: Readonly<Record<NamespaceName, (most: number) => string>> = {
  agent: (most) => `You have ${most} connections here already, and nobody may have more. Close some pages or programs.`,
  gateway: (most) => `${most} machines of yours are connected here already, and nobody may have more. Stop the gateway on some of them.`,
};
const FULL_HOUSE = 'This server has as many connections as it takes. Close some of yours, or try again in a moment.';
