import type { Store } from '@tendon/client';

/** Whether this page is signing its browser out: its connection ends before it has heard that all is done, and then it loads anew. */
class SigningOut implements Store<boolean> {
  #isUnderWay = false;
  readonly #listeners = new Set<() => void>();

  get = (): boolean => this.#isUnderWay;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set(isUnderWay: boolean): void {
    this.#isUnderWay = isUnderWay;
    for (const listener of this.#listeners) listener();
  }
}

export const signingOut = new SigningOut();
