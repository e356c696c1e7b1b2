import { accessSync, constants, readSync, writeSync } from 'node:fs';
import { constants as system } from 'node:os';
import { delimiter, join } from 'node:path';
import type { ReadStream } from 'node:tty';
import type { IPty } from '@lydell/node-pty';
import { identifyChild, type ProcessIdentity } from '@tendon/system';

/*
 * A process of its own for one terminal. The library leaves the terminal's controlling end open to every program that its process starts
 * later, which would let one command read and type in the terminal of another: here nothing else is ever started. What it throws ends this
 * process and not the gateway, and when the gateway is gone the terminal closes.
 *
 *   waiting ──start──► running ──the shell ends──► told, exit
 *      └──no library, no shell──► told, exit
 *   any ──the gateway is gone──► exit: the terminal hangs up
 */

export type HostOrder =
  | {
      readonly kind: 'start';
      readonly program: string;
      readonly args: readonly string[];
      readonly folder: string;
      readonly environment: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'type'; readonly text: string };

export type HostReport =
  | { readonly kind: 'started'; readonly pid: number; readonly leader: ProcessIdentity | undefined }
  | { readonly kind: 'no_terminal' | 'not_started'; readonly reason: string }
  | { readonly kind: 'no_program' }
  | { readonly kind: 'ended'; readonly exitCode: number | null; readonly signal: NodeJS.Signals | null };

/** Wide enough for tables, and what most programs take for a screen. */
const SIZE = { cols: 120, rows: 40 };

let terminal: IPty | undefined;

function report(what: HostReport): void {
  process.send?.(what);
}

function reportLast(what: HostReport): void {
  process.send?.(what, undefined, undefined, () => process.exit());
}

async function start(order: Extract<HostOrder, { kind: 'start' }>): Promise<void> {
  const library = await import('@lydell/node-pty').catch((error: unknown) => error);
  if (!isLibrary(library)) return reportLast({ kind: 'no_terminal', reason: firstLine(library) });
  // The library would start it all the same, and its child would write the error into the terminal.
  if (!isOnPath(order.program, order.environment['PATH'])) return reportLast({ kind: 'no_program' });
  try {
    const env = { ...order.environment };
    terminal = library.spawn(order.program, [...order.args], { name: 'xterm-256color', cwd: order.folder, env, ...SIZE });
  } catch (error) {
    return reportLast({ kind: 'not_started', reason: firstLine(error) });
  }
  readBeforeItCloses(terminal);
  terminal.onData(writeOut);
  terminal.onExit(({ exitCode, signal }) => reportLast({ kind: 'ended', ...endOf(exitCode, signal) }));
  report({ kind: 'started', pid: terminal.pid, leader: identifyChild(terminal.pid) });
}

/** What the library keeps to itself. */
interface Inside {
  readonly fd: number;
  readonly _socket: ReadStream;
}

/** More than a system holds of what was said in a terminal and has not been read. */
const MOST_UNREAD_BYTES = 1024 * 1024;

/**
 * The library closes a terminal 200 ms after its shell has ended, so that what still has it open hangs up, and does not ask whether all that the
 * shell has said was read by then. On a busy machine, or where nobody takes it, it was not.
 */
function readBeforeItCloses(opened: IPty): void {
  const { fd, _socket: socket } = opened as unknown as Inside;
  const close = socket.destroy.bind(socket);
  socket.destroy = (error) => {
    for (let bytes = 0, piece = unread(fd); piece.length > 0 && bytes < MOST_UNREAD_BYTES && !socket.destroyed; piece = unread(fd)) {
      bytes += piece.length;
      socket.push(piece);
    }
    return close(error);
  };
}

/** Nothing, too, when all who had it open are gone. */
function unread(fd: number): Buffer {
  const piece = Buffer.alloc(64 * 1024);
  try {
    return piece.subarray(0, readSync(fd, piece));
  } catch {
    return piece.subarray(0, 0);
  }
}

const RETRY_MS = 5;
const clock = new Int32Array(new SharedArrayBuffer(4));

/**
 * Written before it goes on: what nobody takes holds the command up, as a pipe does, and nothing waits in this process, neither for memory nor
 * to be lost at its end. `process.stdout` would let it wait.
 */
function writeOut(text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      // Nobody reads on.
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) process.exit();
      Atomics.wait(clock, 0, 0, RETRY_MS);
    }
  }
}

function isLibrary(value: unknown): value is typeof import('@lydell/node-pty') {
  return typeof value === 'object' && value !== null && 'spawn' in value;
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] ?? '';
}

function isOnPath(program: string, path = ''): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function endOf(exitCode: number, signal: number | undefined): { exitCode: number | null; signal: NodeJS.Signals | null } {
  const name = Object.entries(system.signals).find(([, number]) => number === signal)?.[0];
  return name === undefined ? { exitCode, signal: null } : { exitCode: null, signal: name as NodeJS.Signals };
}

// Nobody listens: there is nothing left to do.
process.on('disconnect', () => process.exit());
process.on('message', (order: HostOrder) => {
  if (order.kind === 'type') terminal?.write(order.text);
  else void start(order);
});
