import type { Readable, Writable } from 'node:stream';

/**
 * Chromium's `--remote-debugging-pipe`: JSON messages, each ended by a NUL byte, on descriptors 3 and 4.
 * The shape that playwright's `connectOverCDP` takes. Each message is handed over in a task of its own, however many come at once: playwright
 * follows its promises in between, and where it cannot, a page that another one opens is never told.
 */
export class PipeTransport {
  onmessage?: (message: object) => void;
  onclose?: (reason?: string) => void;
  readonly #out: Writable;
  #pieces: Buffer[] = [];
  readonly #waiting: string[] = [];
  #early: ((message: { id?: number }) => void) | undefined;
  #hasEnded = false;

  constructor(out: Writable, input: Readable) {
    this.#out = out;
    out.on('error', () => this.ended());
    input.on('error', () => this.ended());
    input.on('data', (chunk: Buffer) => this.#take(chunk));
    input.on('close', () => this.ended());
  }

  /** Whether the browser answers at all: `true`, or what went wrong. Before playwright is connected. */
  firstAnswer(limitMs: number): Promise<true | string> {
    return new Promise((resolve) => {
      const limit = setTimeout(() => resolve(`It did not answer within ${limitMs / 1_000} s.`), limitMs);
      this.#early = ({ id }) => {
        if (id !== 0) return;
        clearTimeout(limit);
        this.#early = undefined;
        resolve(true);
      };
      this.#out.once('close', () => clearTimeout(limit));
      this.send({ id: 0, method: 'Browser.getVersion', params: {} });
    });
  }

  send(message: object): void {
    if (!this.#hasEnded) this.#out.write(`${JSON.stringify(message)}\0`);
  }

  close(): void {
    this.#out.end();
    this.ended();
  }

  /** The browser is gone, or was let go. */
  ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.onclose?.('the browser has ended');
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, from)) {
      this.#pieces.push(chunk.subarray(from, end));
      const text = Buffer.concat(this.#pieces).toString('utf8');
      this.#pieces = [];
      from = end + 1;
      this.#waiting.push(text);
      if (this.#waiting.length === 1) setImmediate(() => this.#handNext());
    }
    if (from < chunk.length) this.#pieces.push(chunk.subarray(from));
  }

  #handNext(): void {
    const text = this.#waiting[0];
    if (text === undefined) return;
    try {
      this.#hand(JSON.parse(text) as object);
    } finally {
      this.#waiting.shift();
      if (this.#waiting.length > 0) setImmediate(() => this.#handNext());
    }
  }

  #hand(message: object): void {
    if (this.#early) this.#early(message);
    else this.onmessage?.(message);
  }
}
