/*
 * What waits to be sent, or has come of unfinished messages, of each person and of all (rules T26, T27). What a connection has of it is counted
 * when there is more, and once a second; meanwhile it may have become less. So whoever is over their budget by that count is looked at again
 * before anything is cut.
 */

export interface BudgetLimits {
  readonly ofPerson: number;
  readonly ofAll: number;
}

/** What waits on one connection. */
export interface ByteQueue {
  /** Now. */
  readonly waitingBytes: number;
  /** The budget is spent, and this is the heaviest. */
  cut(): void;
}

interface Share {
  readonly queue: ByteQueue;
  holder: Holder;
  bytes: number;
}

interface Holder {
  readonly name: string;
  readonly shares: Set<Share>;
  bytes: number;
}

/** One connection's part in it. */
export interface BudgetShare {
  belongTo(person: string): void;
  /** So much waits, with what is about to be added. May cut this one or others, at once. */
  count(bytes: number): void;
  end(): void;
}

/** Of those who have not signed in. */
const NOBODY = '';

export class ByteBudget {
  readonly #limits: BudgetLimits;
  readonly #holders = new Map<string, Holder>();
  #bytes = 0;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  open(queue: ByteQueue): BudgetShare {
    const share: Share = { queue, holder: this.#holder(NOBODY), bytes: 0 };
    share.holder.shares.add(share);
    return {
      belongTo: (person) => this.#move(share, person),
      count: (bytes) => {
        if (!share.holder.shares.has(share)) return;
        this.#set(share, bytes);
        this.#keepBounds(share);
      },
      end: () => this.#end(share),
    };
  }

  #holder(name: string): Holder {
    const holder = this.#holders.get(name) ?? { name, shares: new Set(), bytes: 0 };
    this.#holders.set(name, holder);
    return holder;
  }

  #move(share: Share, person: string): void {
    const { bytes } = share;
    if (!this.#end(share)) return;
    share.holder = this.#holder(person);
    share.holder.shares.add(share);
    this.#set(share, bytes);
  }

  #end(share: Share): boolean {
    const { holder } = share;
    if (!holder.shares.delete(share)) return false;
    this.#set(share, 0);
    if (holder.shares.size === 0) this.#holders.delete(holder.name);
    return true;
  }

  #set(share: Share, bytes: number): void {
    this.#bytes += bytes - share.bytes;
    share.holder.bytes += bytes - share.bytes;
    share.bytes = bytes;
  }

  #keepBounds(share: Share): void {
    const { holder } = share;
    const { ofPerson, ofAll } = this.#limits;
    if (holder.bytes > ofPerson) {
      this.#recount(holder, share);
      while (holder.bytes > ofPerson) this.#cutHeaviest(holder);
    }
    if (this.#bytes <= ofAll) return;
    for (const other of this.#holders.values()) this.#recount(other, share);
    while (this.#bytes > ofAll) this.#cutHeaviest(mostOf(this.#holders.values()));
  }

  /** But for the one whose next packet is counted already. */
  #recount({ shares }: Holder, except: Share): void {
    for (const share of shares) if (share !== except) this.#set(share, share.queue.waitingBytes);
  }

  #cutHeaviest({ shares }: Holder): void {
    const heaviest = mostOf(shares);
    this.#end(heaviest);
    heaviest.queue.cut();
  }
}

/** There is at least one, since something is over a bound. */
function mostOf<Weighed extends { readonly bytes: number }>(all: Iterable<Weighed>): Weighed {
  return [...all].reduce((most, one) => (one.bytes > most.bytes ? one : most));
}
