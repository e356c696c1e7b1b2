import type { ModelName } from './providers.ts';

/** So many messages are remembered; of the one that was added first it is forgotten first, and found out again by one more refusal. */
const MAX_MESSAGES = 10_000;

/** Messages whose pictures a model's provider does not take. Lives as long as the process. */
export class RefusedPictures {
  readonly #known = new Set<string>();

  has(name: ModelName, messageId: string): boolean {
    return this.#known.has(keyOf(name, messageId));
  }

  add(name: ModelName, messageIds: Iterable<string>): void {
    for (const messageId of messageIds) this.#known.add(keyOf(name, messageId));
    for (const oldest of this.#known) {
      if (this.#known.size <= MAX_MESSAGES) break;
      this.#known.delete(oldest);
    }
  }
}

function keyOf({ provider, id }: ModelName, messageId: string): string {
  return `${provider}/${id} ${messageId}`;
}
