import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { ReadBuffer, serializeMessage } from '@modelcontextprotocol/sdk/shared/stdio.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { CALL_MARKER, identify, killCallProcesses, type ProcessIdentity, running, shellEnvironment } from '@tendon/system';
import type { ServerSeat, ServerStart } from './mcp-surroundings.ts';

export interface StdioStart extends ServerStart {
  readonly marker: string;
  readonly onLeader: (leader: ProcessIdentity) => void;
  readonly seat: (start: ServerStart) => Promise<ServerSeat>;
}

type Child = ChildProcessByStdio<Writable, Readable, Readable>;

/** So much of what a server last wrote to its error output is told when it ends. */
const TAIL_UNITS = 2_000;
/** A server that is told to end by the end of its input may take so long for it. */
const POLITE_MS = 1_000;
/** A server that asks and asks, and does not read the answers, is ended. */
const MAX_UNREAD_BYTES = 16 * 1024 * 1024;

/**
 * A server as a child with a process group, an environment and a marker like those of a command, so that it ends whole. The SDK's own transport
 * ends only the process that it started: `npx` and `uvx` start another one.
 *
 *   idle ──start──► running ──close, or its end──► ending (all its processes) ──► closed: `onclose`, once
 */
export class StdioTransport implements Transport {
  onclose?: () => void;
  onerror?: (error: Error) => void;
  onmessage?: (message: JSONRPCMessage) => void;
  readonly #start: StdioStart;
  readonly #buffer = new ReadBuffer();
  #child: Child | undefined;
  #seat: ServerSeat | undefined;
  #leader: ProcessIdentity | undefined;
  #exited: Promise<void> = Promise.resolve();
  #ending: Promise<void> | undefined;
  #tail = '';
  #exit = '';

  constructor(start: StdioStart) {
    this.#start = start;
  }

  /** How it ended and what it last said, for people. */
  get lastWords(): string {
    const said = this.#tail.trim();
    return `${this.#exit}${said === '' ? '' : `${this.#exit === '' ? '' : '; '}it last wrote: ${said}`}`;
  }

  /** Its end has begun: nothing more is sent, and `onclose` follows. */
  get isEnding(): boolean {
    return this.#ending !== undefined || this.#child?.stdin.writable === false;
  }

  async start(): Promise<void> {
    const { server, command, args, cwd, marker } = this.#start;
    const env = { ...shellEnvironment(process.env, marker), ...this.#start.env, [CALL_MARKER]: marker };
    const seat = await this.#start.seat({ server, command, args, cwd, env });
    this.#seat = seat;
    if (this.#ending) {
      seat.leave();
      throw new Error('it was ended before it had started');
    }
    const child: Child = spawn(seat.program, [...seat.args], {
      cwd,
      env: { ...seat.env },
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    await running(child);
    child.on('error', (error) => this.onerror?.(error));
    this.#child = child;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#exited = promise;
    child.once('exit', (code, signal) => {
      // What it was ended for says more than the signal.
      this.#exit ||= code === null ? `it was ended by ${signal}` : `it ended with exit code ${code}`;
      resolve();
      this.#closeQuietly();
    });
    // A server that is gone is told by its exit.
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => this.#take(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      const said = this.#tail + chunk.toString('utf8');
      // No half of a word: half a secret would not be found and hidden.
      this.#tail = said.length > TAIL_UNITS ? said.slice(-TAIL_UNITS).replace(/^\S+/, '') : said;
    });
    if (child.pid !== undefined) this.#leader = await identify(child.pid);
    if (this.#leader) this.#start.onLeader(this.#leader);
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const { stdin } = this.#child ?? {};
    if (!stdin?.writable) throw new Error('the server has ended');
    if (stdin.writableLength > MAX_UNREAD_BYTES) {
      this.#exit = `it has left more than ${MAX_UNREAD_BYTES} bytes unread`;
      this.#closeQuietly();
      throw new Error(this.#exit);
    }
    await new Promise<void>((resolve, reject) => void stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve())));
  }

  close(): Promise<void> {
    this.#ending ??= this.#end();
    return this.#ending;
  }

  #closeQuietly(): void {
    this.close().catch((error: unknown) => this.onerror?.(error instanceof Error ? error : new Error(String(error))));
  }

  async #end(): Promise<void> {
    const child = this.#child;
    if (child) {
      child.stdin.end();
      const polite = new AbortController();
      await Promise.race([this.#exited, delay(POLITE_MS, undefined, { signal: polite.signal }).catch(() => undefined)]);
      polite.abort();
      await killCallProcesses({ callId: this.#start.marker, leader: this.#leader });
      child.stdout.destroy();
      child.stderr.destroy();
    }
    this.#seat?.leave();
    this.#buffer.clear();
    this.onclose?.();
  }

  #take(chunk: Buffer): void {
    try {
      this.#buffer.append(chunk);
    } catch (error) {
      this.#exit = error instanceof Error ? error.message : 'it wrote too much';
      this.#closeQuietly();
      return;
    }
    for (let isMore = true; isMore; ) isMore = this.#readOne();
  }

  /** A line that is no message, such as a log line of a careless server, is left out. */
  #readOne(): boolean {
    try {
      const message = this.#buffer.readMessage();
      if (message === null) return false;
      this.onmessage?.(message);
    } catch (error) {
      this.onerror?.(error instanceof Error ? error : new Error(String(error)));
    }
    return true;
  }
}
