/** Timers that all end together. */
export class Timers {
  readonly #open = new Map<NodeJS.Timeout, () => void>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  later(ms: number, work: () => void): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#open.delete(timer);
      work();
    }, ms);
    this.#open.set(timer, () => undefined);
  }

  /** Resolves after `ms`, or at once when the timers are closed. */
  pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#open.delete(timer);
        resolve();
      }, ms);
      this.#open.set(timer, resolve);
    });
  }

  /** However many ask for one key meanwhile, `work` is done once. */
  oncePerKey(ms: number, work: (key: string) => void): (key: string) => void {
    const toCome = new Set<string>();
    return (key) => {
      if (toCome.has(key)) return;
      toCome.add(key);
      this.later(ms, () => {
        toCome.delete(key);
        work(key);
      });
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const [timer, settle] of this.#open) {
      clearTimeout(timer);
      settle();
    }
    this.#open.clear();
  }
}
