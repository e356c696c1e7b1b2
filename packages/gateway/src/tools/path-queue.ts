/** Runs work on one file in order: two edits of the same file at once would lose the first. Different files do not wait for each other. */
export class PathQueue {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** The same for work on several files, which nobody else changes meanwhile. Taken in one order by all, so that no two wait for each other. */
  async runAll<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
    const inOrder = [...new Set(paths)].sort();
    const locked = inOrder.reduceRight<() => Promise<T>>((inner, path) => () => this.run(path, inner), work);
    return locked();
  }

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
