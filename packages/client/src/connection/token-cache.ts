export type TokenSource = string | (() => Promise<string | undefined>) | undefined;

/**
 * The credential of a connection. A function is asked once, however often the connection is lost:
 *
 *   empty ──get──► asked ──answer──► cached ──renew──► asked
 *     ▲              └── rejected, too slow ──► empty
 *     └── forget, while asked
 */
export class TokenCache {
  readonly #source: TokenSource;
  #answer: Promise<string | undefined> | undefined;
  #isPending = false;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** Whether a refused token can be replaced by asking again. */
  get canRenew(): boolean {
    return typeof this.#source === 'function';
  }

  /** The credential; undefined means the cookie. With `renew` the function is asked again. Rejects as the function does. */
  get(renew: boolean): Promise<string | undefined> {
    const source = this.#source;
    if (typeof source !== 'function') return Promise.resolve(source);
    if (renew && !this.#isPending) this.#answer = undefined;
    this.#answer ??= this.#ask(source);
    return this.#answer;
  }

  /** Gives up waiting for an answer that is still out. A cached one stays. */
  forgetPending(): void {
    if (this.#isPending) this.#answer = undefined;
    this.#isPending = false;
  }

  #ask(source: () => Promise<string | undefined>): Promise<string | undefined> {
    this.#isPending = true;
    // In a promise, so that a function that throws counts as one that rejects.
    const asked = Promise.resolve().then(source);
    const settled = (isUsable: boolean) => {
      if (this.#answer !== asked) return;
      this.#isPending = false;
      if (!isUsable) this.#answer = undefined;
    };
    asked.then(
      () => settled(true),
      () => settled(false),
    );
    return asked;
  }
}
