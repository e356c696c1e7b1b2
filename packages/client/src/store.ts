import type { Scheduler, Store } from './types.ts';

/**
 * Tells listeners about changed stores, all of one frame together:
 *
 *   quiet ──set──► scheduled ──frame──► (listeners told) ──► quiet
 *     └──────────────┴──close──► closed: told at once, nothing scheduled any more
 */
export class Notifier {
  readonly #scheduler: Scheduler;
  readonly #changed = new Set<Set<() => void>>();
  #cancel: (() => void) | undefined;
  #isClosed = false;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  changed(listeners: Set<() => void>): void {
    this.#changed.add(listeners);
    if (this.#isClosed) this.flush();
    else this.#cancel ??= this.#scheduler(() => this.flush());
  }

  /** Tells all that wait to be told. Every listener is reached, also when one throws; the first error is thrown afterwards. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    const told = [...this.#changed].flatMap((listeners) => [...listeners]);
    this.#changed.clear();
    const errors: unknown[] = [];
    for (const listener of told) {
      try {
        listener();
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length > 0) throw errors[0];
  }

  close(): void {
    this.#isClosed = true;
    this.flush();
  }
}

export interface WritableStore<T> extends Store<T> {
  set(value: T): void;
}

/** The functions are free of `this`, so that they can be handed to `useSyncExternalStore` as they are. */
export function createStore<T>(initial: T, notifier: Notifier): WritableStore<T> {
  let current = initial;
  const listeners = new Set<() => void>();
  return {
    get: () => current,
    set(value) {
      if (Object.is(value, current)) return;
      current = value;
      notifier.changed(listeners);
    },
    subscribe(listener) {
      // A function of its own, so that the same listener given twice is two subscriptions.
      const entry = () => listener();
      listeners.add(entry);
      return () => void listeners.delete(entry);
    },
  };
}
