import type { Readable, Writable } from 'node:stream';

/** Of one message: twice the largest picture or text that a tool asks for. Only a page that means harm has more to say. */
const MESSAGE_BYTES = 64 * 1024 * 1024;
/** Not handed over yet. Beyond, the browser is not read from until they are. */
const WAITING_BYTES = 16 * 1024 * 1024;
const WAITING_COUNT = 1_000;

/**
 * Chromium's `--remote-debugging-pipe`: JSON messages, each ended by a NUL byte, on descriptors 3 and 4.
 * The shape that playwright's `connectOverCDP` takes. Each message is handed over in a task of its own, however many come at once: playwright
 * follows its promises in between, and where it cannot, a page that another one opens is never told.
 * What comes is written by pages as well (`console.log`): it may end this browser, and never the gateway.
 */
export class PipeTransport {
  onmessage?: (message: object) => void;
  onclose?: (reason?: string) => void;
  readonly #out: Writable;
  readonly #input: Readable;
  /** Of the message that is not complete yet. */
  #pieces: Buffer[] = [];
  #pieceBytes = 0;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #early: ((message: { id?: number }) => void) | undefined;
  #hasEnded = false;

  constructor(out: Writable, input: Readable) {
    this.#out = out;
    this.#input = input;
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
    this.ended();
  }

  /** The browser is gone, or is let go: with its pipes closed it ends by itself. */
  ended(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#pieces = [];
    this.#waiting = [];
    this.#out.end();
    this.#input.destroy();
    this.onclose?.('the browser has ended');
  }

  #take(chunk: Buffer): void {
    let from = 0;
    for (let end = chunk.indexOf(0); end !== -1 && !this.#hasEnded; end = chunk.indexOf(0, from)) {
      if (this.#add(chunk.subarray(from, end))) this.#complete();
      from = end + 1;
    }
    if (!this.#hasEnded) this.#add(chunk.subarray(from));
  }

  /** False when the message has become too long, which ends the browser. */
  #add(piece: Buffer): boolean {
    this.#pieceBytes += piece.length;
    if (piece.length > 0) this.#pieces.push(piece);
    if (this.#pieceBytes <= MESSAGE_BYTES) return true;
    this.ended();
    return false;
  }

  #complete(): void {
    this.#waiting.push(Buffer.concat(this.#pieces));
    this.#waitingBytes += this.#pieceBytes;
    this.#pieces = [];
    this.#pieceBytes = 0;
    if (this.#waiting.length === 1) setImmediate(() => this.#handNext());
    if (this.#waiting.length >= WAITING_COUNT || this.#waitingBytes >= WAITING_BYTES) this.#input.pause();
  }

  #handNext(): void {
    const bytes = this.#waiting[0];
    if (bytes === undefined) return;
    try {
      this.#hand(JSON.parse(bytes.toString('utf8')) as object);
    } catch {
      // Neither a message that is none nor one that playwright trips over can be passed by: what follows may depend on it.
      this.ended();
    }
    this.#waiting.shift();
    this.#waitingBytes -= bytes.length;
    if (this.#waiting.length > 0) setImmediate(() => this.#handNext());
    else if (!this.#hasEnded) this.#input.resume();
  }

  #hand(message: object): void {
    if (this.#early) this.#early(message);
    else this.onmessage?.(message);
  }
}
