import { type Waiting, WaitingLines } from './waiting-lines.ts';

/*
 * How much is under way at once, for each household (an address, a person) and in all (rules H32, H33 and T24):
 *
 *   asks ──its household and all together have a place left──────────► in work ── leave() ──► its place goes to whose turn it is
 *     │                                                                   ▲
 *     └──────────► waits ── its turn: households in turn, and of each ────┘
 *                    │       its connections, in their order
 *                    ├── `waitMs` are over ──► refused
 *                    └── too many wait ──► of the longest line the newest is refused
 *
 * While more than half of all places are taken, each household has no more than an eighth of its own: so it takes very many of them to keep
 * somebody else from a place.
 */

export interface PlaceLimits {
  readonly ofHousehold: number;
  readonly ofAll: number;
  readonly waitingOfHousehold: number;
  readonly waitingOfAll: number;
  readonly waitMs: number;
}

export type Seat =
  | { readonly ok: true; readonly hasWaited: boolean /** May be called again. */; leave(): void }
  /** Whose places were all taken, and when to try again. */
  | { readonly ok: false; readonly crowd: 'household' | 'all'; readonly retryAfterMs: number };

/** Calls `work` after so long, unless what it gives back is called first. */
export type Later = (ms: number, work: () => void) => () => void;

interface Visitor extends Waiting {
  settle(seat: Seat): void;
}

const RETRY_AFTER_MS = 2_000;
const SHARE_WHEN_CROWDED = 1 / 8;

export class Places {
  readonly #limits: PlaceLimits;
  readonly #later: Later;
  readonly #taken = new Map<string, number>();
  readonly #lines = new WaitingLines<Visitor>();
  #underWay = 0;

  constructor(limits: PlaceLimits, later: Later = laterByTimer) {
    this.#limits = limits;
    this.#later = later;
  }

  get underWay(): number {
    return this.#underWay;
  }

  get waiting(): number {
    return this.#lines.size;
  }

  /** Who asked first of a connection has the first place that comes to it. Never rejects. */
  take({ household, connection }: Waiting): Promise<Seat> {
    if (this.#lines.waitingOf(household) === 0 && this.#hasPlace(household)) return Promise.resolve(this.#seat(household, false));
    return new Promise((resolve) => this.#queue({ household, connection }, resolve));
  }

  #queue(waiting: Waiting, resolve: (seat: Seat) => void): void {
    const { waitingOfHousehold, waitingOfAll, waitMs } = this.#limits;
    const visitor: Visitor = {
      ...waiting,
      settle: (seat) => {
        forget();
        resolve(seat);
      },
    };
    const forget = this.#later(waitMs, () => {
      this.#lines.remove(visitor);
      visitor.settle(this.#refusal());
    });
    this.#lines.add(visitor);
    if (this.#lines.waitingOf(waiting.household) > waitingOfHousehold) this.#lines.takeNewest(visitor, 'household').settle(this.#refusal());
    else if (this.#lines.size > waitingOfAll) this.#lines.takeNewest(visitor, 'all').settle(this.#refusal('all'));
  }

  #refusal(crowd: 'household' | 'all' = this.#underWay < this.#limits.ofAll ? 'household' : 'all'): Seat {
    return { ok: false, crowd, retryAfterMs: RETRY_AFTER_MS };
  }

  #hasPlace(household: string): boolean {
    const { ofHousehold, ofAll } = this.#limits;
    const share = this.#underWay > ofAll / 2 ? Math.ceil(ofHousehold * SHARE_WHEN_CROWDED) : ofHousehold;
    return this.#underWay < ofAll && (this.#taken.get(household) ?? 0) < share;
  }

  #seat(household: string, hasWaited: boolean): Seat {
    this.#underWay += 1;
    this.#taken.set(household, (this.#taken.get(household) ?? 0) + 1);
    let isLeft = false;
    const leave = (): void => {
      if (isLeft) return;
      isLeft = true;
      this.#freed(household);
    };
    return { ok: true, hasWaited, leave };
  }

  #freed(household: string): void {
    this.#underWay -= 1;
    const left = (this.#taken.get(household) ?? 0) - 1;
    if (left > 0) this.#taken.set(household, left);
    else this.#taken.delete(household);
    while (this.#lines.size > 0 && this.#underWay < this.#limits.ofAll) {
      const visitor = this.#lines.next((name) => this.#hasPlace(name));
      if (!visitor) return;
      visitor.settle(this.#seat(visitor.household, true));
    }
  }
}

function laterByTimer(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms).unref();
  return () => clearTimeout(timer);
}
