/** Runs work on one file in order: two edits of the same file at once would lose the first. Different files do not wait for each other. */
export class PathQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  async run<T>(path: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(path) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#tails.set(path, mine);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(path) === mine) this.#tails.delete(path);
    }
  }
}
