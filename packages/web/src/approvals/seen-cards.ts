import type { Store } from '@tendon/client';

/** Which approval cards are on the screen now: the bar shows what is not. */
class SeenCards implements Store<ReadonlySet<string>> {
  #seen: ReadonlySet<string> = new Set();
  readonly #listeners = new Set<() => void>();

  get = (): ReadonlySet<string> => this.#seen;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  mark(id: string, isSeen: boolean): void {
    if (this.#seen.has(id) === isSeen) return;
    const next = new Set(this.#seen);
    if (isSeen) next.add(id);
    else next.delete(id);
    this.#seen = next;
    for (const listener of this.#listeners) listener();
  }

  /** Follows an element until the answer is called. */
  watch(id: string, element: Element): () => void {
    const observer = new IntersectionObserver((entries) => this.mark(id, entries.at(-1)?.isIntersecting ?? false), { threshold: 0.15 });
    observer.observe(element);
    return () => {
      observer.disconnect();
      this.mark(id, false);
    };
  }
}

export const seenCards = new SeenCards();
