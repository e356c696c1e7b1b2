import { epochMs } from '@tendon/testing';

export interface Arrival {
  readonly index: number;
  readonly sentAt: number;
  readonly receivedAt: number;
}

/** Puts the pieces of one stream of stamped tokens together and notes when each token was whole. */
export class StreamReader {
  readonly arrivals: Arrival[] = [];
  #rest = '';
  #waiting: { readonly count: number; readonly resolve: () => void } | undefined;

  add(text: string): void {
    const receivedAt = epochMs();
    this.#rest += text;
    const end = this.#rest.lastIndexOf(' ') + 1;
    for (const match of this.#rest.slice(0, end).matchAll(/(\d+)@(\d+\.\d+) /g)) {
      this.arrivals.push({ index: Number(match[1]), sentAt: Number(match[2]), receivedAt });
    }
    this.#rest = this.#rest.slice(end);
    if (this.#waiting && this.arrivals.length >= this.#waiting.count) this.#waiting.resolve();
  }

  /** Resolves when `count` tokens are there. */
  whole(count: number): Promise<void> {
    if (this.arrivals.length >= count) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = { count, resolve };
    });
  }

  latencies(): number[] {
    return this.arrivals.map((arrival) => arrival.receivedAt - arrival.sentAt);
  }
}
