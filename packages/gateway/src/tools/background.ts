import { EventEmitter, once } from 'node:events';
import type { OutputPipe } from './output-pipe.ts';
import { OutputSpool } from './output-spool.ts';
import { type CallProcesses, killCallProcesses } from './process-tree.ts';

/** How a command's shell ended. */
export interface ShellEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A command whose output is kept: one that was left running, was started in the background, or said more than a result holds. */
export interface KeptCommand {
  /** Short, and good for its own session alone: `p1`. */
  readonly id: string;
  readonly sessionId: string;
  readonly command: string;
  readonly startedAt: Date;
  readonly spool: OutputSpool;
  /** Undefined while something of it runs. */
  readonly ended: { readonly at: Date; readonly end: ShellEnd | undefined } | undefined;
}

/** Where commands leave what outlives their call. */
export interface Background {
  /** Where the whole output of a call goes. */
  openSpool(callId: string): OutputSpool;
  /** Takes over what still runs: its pipe is read on into the spool. `shell` settles when the call's own shell ends, where it has not. */
  adopt(left: LeftRunning): string;
  /** Keeps the output of a command that is over. */
  keep(kept: KeptOutput): string;
  ofSession(sessionId: string): readonly KeptCommand[];
  find(sessionId: string, id: string): KeptCommand | undefined;
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
}

interface Entry extends KeptCommand {
  ended: KeptCommand['ended'];
  readonly changes: EventEmitter;
  readonly running: { readonly call: CallProcesses; readonly pipe: OutputPipe } | undefined;
}

/** The oldest that are over are forgotten first; what runs is never forgotten. */
const MOST_KEPT = 50;

/** What commands have left running, such as a development server, and what they have said. It lives as long as the gateway and ends with it. */
export class BackgroundProcesses implements Background {
  readonly #folder: string | undefined;
  readonly #entries = new Map<string, Entry>();
  #count = 0;

  /** `folder`: where long outputs are kept; without one, only what fits into memory. */
  constructor(folder?: string) {
    this.#folder = folder;
  }

  openSpool(callId: string): OutputSpool {
    return new OutputSpool(this.#folder, callId);
  }

  adopt({ call, pipe, shell, ...kept }: LeftRunning): string {
    const entry = this.#put(kept, { call, pipe });
    pipe.listen({
      text: (text) => {
        entry.spool.add(text);
        entry.changes.emit('change');
      },
      // It is over when nobody holds its output any more; how its shell ended is known then, or in a moment.
      over: () => void Promise.resolve(shell).then((end) => this.#ended(entry, end instanceof Error ? undefined : end)),
    });
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

  async stop(sessionId: string, id: string): Promise<boolean> {
    const entry = this.#entries.get(id);
    if (entry?.sessionId !== sessionId || !entry.running || entry.ended) return false;
    await killCallProcesses(entry.running.call);
    entry.running.pipe.close();
    this.#ended(entry, undefined);
    return true;
  }

  async changed(kept: KeptCommand, ms: number): Promise<void> {
    const entry = this.#entries.get(kept.id);
    if (entry && !entry.ended) await once(entry.changes, 'change', { signal: AbortSignal.timeout(ms) }).catch(() => undefined);
  }

  /** Ends all of them. May be called twice. */
  async close(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    await Promise.all(
      entries.map(async ({ running, spool, ended }) => {
        if (running && !ended) await killCallProcesses(running.call);
        running?.pipe.close();
        spool.close();
      }),
    );
  }

  #put(kept: Omit<KeptOutput, 'end'>, running: Entry['running']): Entry {
    this.#count += 1;
    const entry: Entry = { ...kept, id: `p${this.#count}`, ended: undefined, changes: new EventEmitter(), running };
    this.#entries.set(entry.id, entry);
    const over = [...this.#entries.values()].filter(({ ended }) => ended !== undefined);
    for (const old of over.slice(0, Math.max(0, over.length - MOST_KEPT))) {
      old.spool.close();
      this.#entries.delete(old.id);
    }
    return entry;
  }

  #ended(entry: Entry, end: ShellEnd | undefined): void {
    entry.ended ??= { at: new Date(), end };
    entry.changes.emit('change');
  }
}
