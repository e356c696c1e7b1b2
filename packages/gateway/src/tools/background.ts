import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { type CallProcesses, killCallProcesses, mayBeAlive, type ProcessBook } from '@tendon/system';
import type { NetworkSeat } from '../sandbox/command-networks.ts';
import type { OutputPipe } from './output-pipe.ts';
import { OutputSpool } from './output-spool.ts';
import { ProcessNumbers } from './process-numbers.ts';

/** How a command's shell ended. */
export interface ShellEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Something that can be typed into. */
export interface Terminal {
  /** As if the keys were pressed. False when its command is over. */
  type(text: string): boolean;
}

/** A command whose output is kept: one that was left running, was started in the background, or said more than a result holds. */
export interface KeptCommand {
  /** Short, good for its own session alone, and of this start of the gateway: `p1`. */
  readonly id: string;
  readonly sessionId: string;
  readonly command: string;
  readonly startedAt: Date;
  readonly spool: OutputSpool;
  /** Undefined while something of it runs. */
  readonly ended: { readonly at: Date; readonly end: ShellEnd | undefined } | undefined;
  /** There for one that was started in a terminal and left running in it. */
  readonly terminal?: Terminal | undefined;
}

/** Where commands leave what outlives their call. */
export interface Background {
  /** Where the whole output of a call goes. */
  openSpool(callId: string): OutputSpool;
  /**
   * Takes over what still runs: its pipe is read on into the spool, from before this answers. `shell` settles when the call's own shell ends,
   * where it has not. Answers when the next start of the gateway would know of it.
   */
  adopt(left: LeftRunning): Promise<string>;
  /** Keeps the output of a command that is over. */
  keep(kept: KeptOutput): string;
  ofSession(sessionId: string): readonly KeptCommand[];
  find(sessionId: string, id: string): KeptCommand | undefined;
  /** Whether the id is one of before this gateway was started. */
  isEarlier(id: string): boolean;
  /** Ends all processes of a command. False when none ran. */
  stop(sessionId: string, id: string): Promise<boolean>;
  /** Resolves when a command has said more, or has ended, or after so long. */
  changed(kept: KeptCommand, ms: number): Promise<void>;
}

export interface KeptOutput {
  readonly sessionId: string;
  readonly command: string;
  readonly startedAt: Date;
  readonly spool: OutputSpool;
  readonly end?: ShellEnd | undefined;
}

export interface LeftRunning extends Omit<KeptOutput, 'end'> {
  readonly call: CallProcesses;
  readonly pipe: OutputPipe;
  readonly shell?: Promise<ShellEnd | Error>;
  /** Its place in a filtered network, which it has until nothing of it runs. */
  readonly seat?: Pick<NetworkSeat, 'handOver'> | undefined;
  readonly terminal?: Terminal | undefined;
}

/** What runs, for the next start of a gateway that was killed. */
export type RunningBook = Pick<ProcessBook, 'note' | 'strike' | 'settled'>;

interface Entry extends KeptCommand {
  ended: KeptCommand['ended'];
  readonly changes: EventEmitter;
  readonly running: Pick<LeftRunning, 'call' | 'pipe'> | undefined;
  onEnded: (() => void) | undefined;
}

/** The oldest that are over are forgotten first; what runs is never forgotten. */
const MOST_KEPT = 50;
/** How long until one that has let go of its output is looked for again: each look goes through all processes of the machine. */
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 8_000;

/**
 * What commands have left running, such as a development server, and what they have said. It lives as long as the gateway and ends with it: what
 * a killed one could not end stands in its book, and the next start ends it.
 *
 *   running ──nobody holds its output──► silent (looked for) ──its shell and all its processes are gone──► ended
 *      └────────── stop, close ─────────────┴──► ended
 */
export class BackgroundProcesses implements Background {
  readonly #folder: string | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #numbers: ProcessNumbers;
  readonly #book: RunningBook | undefined;

  /** `folder`: where long outputs are kept; without one, only what fits into memory. */
  constructor(folder?: string, numbers = new ProcessNumbers(), book?: RunningBook) {
    this.#folder = folder;
    this.#numbers = numbers;
    this.#book = book;
  }

  openSpool(callId: string): OutputSpool {
    return new OutputSpool(this.#folder, callId);
  }

  async adopt({ call, pipe, shell, seat, ...kept }: LeftRunning): Promise<string> {
    const entry = this.#put(kept, { call, pipe });
    const take = (text: string): void => {
      entry.spool.add(text);
      entry.changes.emit('change');
    };
    entry.onEnded = seat?.handOver(take);
    pipe.listen({
      text: (text) => {
        take(text);
        // What is only counted is read slowly, so that a flood without end does not take the gateway's time.
        if (entry.spool.totalBytes > entry.spool.keptBytes) pipe.rest();
      },
      over: () => void this.#watch(entry, call, shell),
    });
    await this.#book?.note(call.callId, call.leader);
    return entry.id;
  }

  keep({ end, ...kept }: KeptOutput): string {
    const entry = this.#put(kept, undefined);
    entry.ended = { at: new Date(), end };
    return entry.id;
  }

  ofSession(sessionId: string): readonly KeptCommand[] {
    return [...this.#entries.values()].filter((entry) => entry.sessionId === sessionId);
  }

  find(sessionId: string, id: string): KeptCommand | undefined {
    const entry = this.#entries.get(id);
    return entry?.sessionId === sessionId ? entry : undefined;
  }

  isEarlier(id: string): boolean {
    return this.#numbers.isEarlier(id);
  }

  async stop(sessionId: string, id: string): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (entry?.sessionId !== sessionId || !entry.running) return false;
    const hasRun = entry.ended === undefined;
    await killCallProcesses(entry.running.call);
    entry.running.pipe.close();
    this.#ended(entry, undefined);
    return hasRun;
  }

  async changed(kept: KeptCommand, ms: number): Promise<void> {
    const entry = this.#entries.get(kept.id);
    if (entry && !entry.ended) await once(entry.changes, 'change', { signal: AbortSignal.timeout(Math.ceil(ms)) }).catch(() => undefined);
  }

  /** Sessions of which something runs or is kept. */
  get sessions(): readonly string[] {
    return [...new Set([...this.#entries.values()].map(({ sessionId }) => sessionId))];
  }

  /** The session is over: what it has left running ends, and what it has said is kept no longer. */
  async endSession(sessionId: string): Promise<void> {
    await this.#end([...this.#entries.values()].filter((entry) => entry.sessionId === sessionId));
  }

  /** Ends all of them. May be called twice. */
  async close(): Promise<void> {
    await this.#end([...this.#entries.values()]);
  }

  async #end(entries: readonly Entry[]): Promise<void> {
    for (const { id } of entries) this.#entries.delete(id);
    await Promise.all(
      entries.map(async (entry) => {
        // Also of one that counts as ended: a look can miss what is just being started.
        if (entry.running) await killCallProcesses(entry.running.call);
        entry.running?.pipe.close();
        this.#ended(entry, undefined);
        entry.spool.close();
      }),
    );
    await this.#book?.settled();
  }

  #put(kept: Omit<LeftRunning, 'call' | 'pipe' | 'shell' | 'seat'>, running: Entry['running']): Entry {
    const entry: Entry = { ...kept, id: `p${this.#numbers.next()}`, ended: undefined, changes: new EventEmitter(), running, onEnded: undefined };
    this.#entries.set(entry.id, entry);
    const over = [...this.#entries.values()].filter(({ ended }) => ended !== undefined);
    for (const old of over.slice(0, Math.max(0, over.length - MOST_KEPT))) {
      old.spool.close();
      this.#entries.delete(old.id);
    }
    return entry;
  }

  /** Nobody holds its output any more. It may still run: a daemon sends what it says elsewhere. */
  async #watch(entry: Entry, call: CallProcesses, shell: LeftRunning['shell']): Promise<void> {
    const end = await shell;
    // Twice: a look that falls between a fork and its parent's end sees neither of them.
    for (let pauseMs = FIRST_PAUSE_MS; entry.ended === undefined; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      if (!(await mayBeAlive(call)) && !(await mayBeAlive(call))) break;
      await delay(pauseMs, undefined, { ref: false });
    }
    this.#ended(entry, end instanceof Error ? undefined : end);
  }

  #ended(entry: Entry, end: ShellEnd | undefined): void {
    entry.onEnded?.();
    entry.ended ??= { at: new Date(), end };
    if (entry.running) void this.#book?.strike(entry.running.call.callId);
    entry.changes.emit('change');
  }
}
