import { utf8Bytes } from '@tendon/protocol';
import { cutBefore, omission } from '@tendon/protocol/truncation';

/** Holds both ends of an output of any length in bounded memory: what comes after the head pushes the oldest of the tail out. */
export class OutputKeeper {
  readonly #headUnits: number;
  readonly #tailUnits: number;
  #head = '';
  #tail = '';
  #removedBytes = 0;

  constructor(headUnits: number, tailUnits: number) {
    this.#headUnits = headUnits;
    this.#tailUnits = tailUnits;
  }

  add(text: string): void {
    let rest = text;
    const room = this.#headUnits - this.#head.length;
    if (room > 0 && this.#tail === '') {
      const end = rest.length <= room ? rest.length : cutBefore(rest, room);
      this.#head += rest.slice(0, end);
      rest = rest.slice(end);
    }
    this.#tail += rest;
    if (this.#tail.length > 2 * this.#tailUnits) this.#trim();
  }

  /** The output with a line in its middle that says how much is missing. */
  finish(): { text: string; removedBytes: number } {
    if (this.#tail.length > this.#tailUnits) this.#trim();
    const middle = this.#removedBytes > 0 ? omission(this.#removedBytes) : '';
    return { text: `${this.#head}${middle}${this.#tail}`, removedBytes: this.#removedBytes };
  }

  #trim(): void {
    const start = cutBefore(this.#tail, this.#tail.length - this.#tailUnits);
    this.#removedBytes += utf8Bytes(this.#tail.slice(0, start));
    this.#tail = this.#tail.slice(start);
  }
}
