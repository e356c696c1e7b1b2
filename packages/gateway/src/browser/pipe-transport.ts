import type { Readable, Writable } from 'node:stream';

/**
 * Chromium's `--remote-debugging-pipe`: JSON messages, each ended by a NUL byte, on descriptors 3 and 4.
 * The shape that playwright's `connectOverCDP` takes.
 */
export class PipeTransport {
  onmessage?: (message: object) => void;
  onclose?: (reason?: string) => void;
  readonly #out: Writable;
  #pieces: Buffer[] = [];
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
      this.#hand(JSON.parse(text) as object);
    }
    if (from < chunk.length) this.#pieces.push(chunk.subarray(from));
  }

  #hand(message: object): void {
    if (this.#early) this.#early(message);
    else this.onmessage?.(message);
  }
}
