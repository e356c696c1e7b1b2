import { execFile } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { errorCode, ToolFault } from './faults.ts';

const run = promisify(execFile);
/** How long output that is already in the pipe may take to arrive after the shell has ended. */
const QUIET_MS = 20;
const DRAIN_LIMIT_MS = 400;
/** After each piece of at most 64 KiB: some 15 MB/s. */
const REST_MS = 4;

/**
 * One real pipe for both of a command's streams, so that their order is kept and `/dev/stderr` can be opened by name
 * (Node's own pipes are sockets, where that fails). It has lost its name before the command runs.
 *
 *   open ──shell has ended──► draining ──end of file──► over
 *                                 └──quiet, though a child still holds it──► held (read on, for whoever listens) ──close──► over
 */
export class OutputPipe {
  /** Given to the child; closed here by `handedOver`. */
  readonly writeFd: number;
  readonly #reader: Socket;
  readonly #decoder = new StringDecoder('utf8');
  #onText: (text: string) => void;
  #onOver: () => void = () => undefined;
  #lastDataAt = 0;
  #isOver = false;

  private constructor(readFd: number, writeFd: number, onText: (text: string) => void) {
    this.writeFd = writeFd;
    this.#onText = onText;
    this.#reader = new Socket({ fd: readFd, readable: true, writable: false });
    this.#reader.on('data', (chunk: Buffer) => this.#take(this.#decoder.write(chunk)));
    this.#reader.on('error', () => this.#reader.destroy());
    this.#reader.on('close', () => {
      this.#isOver = true;
      this.#onOver();
    });
  }

  /** Errors: a `ToolFault` when the system makes no pipe (no `mkfifo`, no space, no descriptors, no folder for it). */
  static async create(onText: (text: string) => void): Promise<OutputPipe> {
    try {
      return await OutputPipe.#make(onText);
    } catch (error) {
      const reason = errorCode(error) ?? (error instanceof Error ? error.message : String(error));
      throw new ToolFault(
        'not_started',
        `Nothing was run: no pipe for its output could be made in ${tmpdir()} (${reason}). The owner of this machine sees to it that this folder is there and can be written, that the disk has room, and that mkfifo is installed; then run it again.`,
        { cause: error },
      );
    }
  }

  static async #make(onText: (text: string) => void): Promise<OutputPipe> {
    const folder = await mkdtemp(join(tmpdir(), 'tendon-'));
    try {
      const path = join(folder, 'output');
      await run('mkfifo', ['-m', '600', path]);
      const readFd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
      return new OutputPipe(readFd, openWriter(path, readFd), onText);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** The child has its own copy of the writing end now; ours would keep the pipe from ever ending. */
  handedOver(): void {
    closeSync(this.writeFd);
  }

  /** Takes what is still in the pipe. Answers whether somebody else holds the writing end. */
  async drain(): Promise<{ isHeld: boolean }> {
    const start = performance.now();
    this.#lastDataAt = start;
    while (!this.#isOver && performance.now() - this.#lastDataAt < QUIET_MS && performance.now() - start < DRAIN_LIMIT_MS) await delay(2);
    if (this.#isOver) this.#take(this.#decoder.end());
    this.#onText = () => undefined;
    if (!this.#isOver) this.#reader.unref();
    return { isHeld: !this.#isOver };
  }

  /** Who hears what comes from now on, and that nothing more comes. Until then it is read and dropped, so that the child is not held up. */
  listen({ text, over }: { readonly text: (text: string) => void; readonly over: () => void }): void {
    this.#onText = text;
    this.#onOver = over;
    if (this.#isOver) over();
  }

  /** Reads nothing for a moment. */
  rest(): void {
    this.#reader.pause();
    setTimeout(() => this.#reader.resume(), REST_MS).unref();
  }

  close(): void {
    this.#reader.destroy();
  }

  #take(text: string): void {
    this.#lastDataAt = performance.now();
    if (text !== '') this.#onText(text);
  }
}

/** The writing end. Without one the reading end is given back. */
function openWriter(path: string, readFd: number): number {
  try {
    return openSync(path, constants.O_WRONLY);
  } catch (error) {
    closeSync(readFd);
    throw error;
  }
}
