import { randomInt } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { errorCode } from './faults.ts';

/** So many are written down as given out at once: a start costs one small write, and the next start begins after them. */
const BLOCK = 100;
/** Of a record that cannot be read nobody knows how far it was. */
const MOST_RANDOM_BLOCKS = 100_000;

/** Numbers for what runs in the background, none of which an earlier start of this gateway has given out: an old one must not name a new process. */
export class ProcessNumbers {
  readonly #path: string | undefined;
  readonly #first: number;
  #last: number;
  #reserved: number;

  /** Begins after the last number that stands in the file. Without a file it begins with 1. */
  constructor(path?: string) {
    this.#path = path;
    this.#last = path === undefined ? 0 : lastIn(path);
    this.#first = this.#last + 1;
    this.#reserved = this.#last;
  }

  next(): number {
    if (this.#last === this.#reserved) this.#reserve();
    this.#last += 1;
    return this.#last;
  }

  /** Whether an id, such as `p12`, has a number from before this start. */
  isEarlier(id: string): boolean {
    const number = Number(/^p([1-9]\d{0,14})$/.exec(id)?.[1] ?? Number.NaN);
    return number < this.#first;
  }

  #reserve(): void {
    this.#reserved += BLOCK;
    if (this.#path === undefined) return;
    try {
      writeFileSync(`${this.#path}.new`, String(this.#reserved), { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // A disk that takes nothing must not cost the call; numbers may then be given out again by the next start.
    }
  }
}

function lastIn(path: string): number {
  try {
    const text = readFileSync(path, 'utf8');
    return /^\d{1,12}$/.test(text) ? Number(text) : randomInt(1, MOST_RANDOM_BLOCKS) * BLOCK;
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? 0 : randomInt(1, MOST_RANDOM_BLOCKS) * BLOCK;
  }
}
