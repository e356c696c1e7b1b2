import type { Log } from '@tendon/protocol';
import { errorCode } from '../tools/faults.ts';
import { type JournalFiles, type JournalHandle, systemFiles } from './journal-files.ts';
import { compacted, emptyState, fold, type JournalEntry, type JournalLine, type JournalState, readJournal } from './journal-lines.ts';

/*
 *   open ──append──► writing one batch (write, sync) ──more came──► the next batch
 *                        ├──fault, cut back to the last good byte──► open (that batch is refused)
 *                        └──fault, and cannot be cut back──► broken (all further lines are refused)
 *   any ──close──► closed
 *
 * Lines that come while a batch is synced share the next sync. The state changes only when its line is on the disk.
 */

export type Appended = { readonly ok: true } | { readonly ok: false; readonly reason: string };

interface Waiting {
  readonly line: JournalLine;
  readonly settle: (outcome: Appended) => void;
}

export interface JournalOptions {
  readonly path: string;
  readonly log: Log;
  readonly newId: () => string;
  /** A file that grows past this, and is mostly about calls that are over, is written anew. */
  readonly compactBytes?: number;
  /** The disk; the machine's own when left out. */
  readonly files?: JournalFiles;
}

const COMPACT_BYTES = 8 * 1024 * 1024;

export class Journal {
  readonly instanceId: string;
  readonly #options: JournalOptions;
  readonly #state: JournalState;
  #handle: JournalHandle;
  #bytes: number;
  #bytesAfterCompaction: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #mode: 'open' | 'broken' | 'closed' = 'open';
  /** A compaction failed, perhaps after the new file had got the name: a line in the old one would then be in none. */
  #mayBeNameless = false;

  private constructor(options: JournalOptions, loaded: { instanceId: string; state: JournalState; handle: JournalHandle; bytes: number }) {
    this.#options = options;
    this.instanceId = loaded.instanceId;
    this.#state = loaded.state;
    this.#handle = loaded.handle;
    this.#bytes = loaded.bytes;
    this.#bytesAfterCompaction = loaded.bytes;
  }

  /**
   * Opens or makes the journal. One that cannot be read is moved aside and replaced by a new instance.
   * The caller holds the owner lock of its folder. Errors: those of the file system.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { instanceId, state } = (await load(options)) ?? { instanceId: options.newId(), state: emptyState() };
    const { handle, bytes } = await writeAnew(options, compacted(instanceId, state));
    return new Journal(options, { instanceId, state, handle, bytes });
  }

  entries(): IterableIterator<JournalEntry> {
    return this.#state.entries.values();
  }

  entry(callId: string): JournalEntry | undefined {
    return this.#state.entries.get(callId);
  }

  isForgotten(callId: string): boolean {
    return this.#state.forgotten.has(callId);
  }

  /** Resolves when the line is synced to the disk, or with the reason why it is not. Never rejects. */
  append(line: JournalLine): Promise<Appended> {
    return new Promise((settle) => {
      if (this.#mode !== 'open') return settle({ ok: false, reason: this.#mode === 'closed' ? 'the gateway is stopping' : 'the journal cannot be written' });
      this.#waiting.push({ line, settle });
      this.#writing ??= this.#writeBatches();
    });
  }

  /** Waits for what is being written and closes the file. May be called twice. */
  async close(): Promise<void> {
    if (this.#mode === 'closed') return this.#writing;
    await this.#writing;
    this.#mode = 'closed';
    await this.#handle.close();
  }

  async #writeBatches(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      const outcome = await this.#writeBatch(batch);
      for (const { settle } of batch) settle(outcome);
    }
    this.#writing = undefined;
  }

  async #writeBatch(batch: readonly Waiting[]): Promise<Appended> {
    if (this.#mode !== 'open') return { ok: false, reason: 'the journal cannot be written' };
    if (this.#mayBeNameless && !(await this.#takeUp())) return { ok: false, reason: 'the journal cannot be opened' };
    const data = Buffer.from(batch.map(({ line }) => `${JSON.stringify(line)}\n`).join(''), 'utf8');
    try {
      await this.#handle.appendFile(data);
      await this.#handle.datasync();
    } catch (error) {
      await this.#cutBack(error);
      return { ok: false, reason: `the journal could not be written (${errorCode(error) ?? 'unknown error'})` };
    }
    this.#bytes += data.length;
    for (const { line } of batch) fold(this.#state, line);
    await this.#compactWhenLarge();
    return { ok: true };
  }

  /** Half a batch in the file would make every later line unreadable. */
  async #cutBack(cause: unknown): Promise<void> {
    this.#options.log.error({ err: cause }, 'the journal could not be written');
    try {
      await this.#handle.truncate(this.#bytes);
      await this.#handle.datasync();
    } catch (error) {
      this.#mode = 'broken';
      this.#options.log.error({ err: error }, 'the journal is broken: only tools that read will run until the gateway is started again');
    }
  }

  async #compactWhenLarge(): Promise<void> {
    const limit = Math.max(this.#options.compactBytes ?? COMPACT_BYTES, 2 * this.#bytesAfterCompaction);
    if (this.#bytes <= limit) return;
    try {
      const { handle, bytes } = await writeAnew(this.#options, compacted(this.instanceId, this.#state));
      await this.#handle.close();
      this.#handle = handle;
      this.#bytes = bytes;
      this.#bytesAfterCompaction = bytes;
    } catch (error) {
      // Trying again at once would fail the same way.
      this.#bytesAfterCompaction = this.#bytes;
      this.#mayBeNameless = true;
      this.#options.log.warn({ err: error }, 'the journal could not be compacted');
    }
  }

  /** Whichever of the two files has the name is whole, and means the same. */
  async #takeUp(): Promise<boolean> {
    const { path, log, files = systemFiles } = this.#options;
    try {
      const named = await files.read(path);
      if (!named) throw new Error('the journal is gone');
      const handle = await files.openForAppend(path);
      await this.#handle.close();
      this.#handle = handle;
      this.#bytes = named.length;
      this.#mayBeNameless = false;
      return true;
    } catch (error) {
      log.error({ err: error }, 'the journal could not be opened again');
      return false;
    }
  }
}

async function load(options: JournalOptions): Promise<{ instanceId: string; state: JournalState } | undefined> {
  const { path, log, newId, files = systemFiles } = options;
  const bytes = await files.read(path);
  if (bytes === undefined) return undefined;
  const reading = readJournal(bytes);
  if (reading.kind === 'read') {
    if (reading.isTorn) log.warn({ bytes: bytes.length - reading.goodBytes }, 'the end of the journal was cut off by a crash and is left out');
    return reading;
  }
  const aside = `${path}.unreadable-${newId()}`;
  await files.rename(path, aside);
  log.error(
    { path: aside, reason: reading.reason },
    'the journal cannot be read and is kept under another name: a new one is begun, and calls of the old one are unknown',
  );
  return undefined;
}

async function writeAnew({ path, files = systemFiles }: JournalOptions, text: string): Promise<{ handle: JournalHandle; bytes: number }> {
  await files.replace(path, text);
  return { handle: await files.openForAppend(path), bytes: Buffer.byteLength(text, 'utf8') };
}
