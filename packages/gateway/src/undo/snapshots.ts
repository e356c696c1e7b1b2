import { createHash } from 'node:crypto';
import { chmod, mkdir, open, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { idSchema, type Log } from '@tendon/protocol';
import { errorCode, ToolFault } from '../tools/faults.ts';
import type { FileStamp } from '../tools/file-stamp.ts';
import { PathQueue } from '../tools/path-queue.ts';
import { locateFolder, openForReading, type Workspace, wordsInside } from '../tools/workspace.ts';
import { BlobFolder, hashOf } from './blob-folder.ts';
import { type Before, type ChangeLine, readChangeLines } from './snapshot-lines.ts';

/*
 * What files were before this gateway's tools changed them, so that a person can have them back:
 *
 *   <folder>/contents/<sha256>               the contents, each once
 *   <folder>/sessions/<session>/<call>.jsonl  what each call was about to make of which file, one line a file
 *
 *   a call ──contents kept, synced──► ──lines written, synced──► the file is changed
 *
 * A process killed in between leaves a line whose file is still as it was: an undo finds nothing to do there.
 * Old calls go first when there is too much; contents that no line names go with them.
 */

export interface SnapshotLimits {
  readonly totalBytes: number;
  readonly ageMs: number;
  readonly calls: number;
}

export interface SnapshotOptions {
  readonly folder: string;
  readonly log: Log;
  readonly now: () => Date;
  /** The server whose sessions these are, and what this machine is to it: another one says nothing of them. */
  readonly keptFor?: string;
  readonly limits?: Partial<SnapshotLimits>;
}

const LIMITS: SnapshotLimits = { totalBytes: 1024 * 1024 * 1024, ageMs: 30 * 24 * 3_600_000, calls: 20_000 };
/** A larger file is changed all the same, and cannot be had back. */
const FILE_BYTES = 64 * 1024 * 1024;
/** A look at all that is kept is due when so much more has come. */
const SWEEP_BYTES = 64 * 1024 * 1024;
const SWEEP_CALLS = 1_000;
const SWEEP_MS = 24 * 3_600_000;

/** A change that is about to be made. */
export interface ComingChange {
  readonly path: string;
  /** The new content; left out, the file goes. */
  readonly data?: Uint8Array;
  readonly movedFrom?: string;
}

/** What is there now: a file with this stamp, or nothing. */
export type Present = { readonly kind: 'file'; readonly stamp: FileStamp } | { readonly kind: 'absent' };

interface Caller {
  readonly sessionId: string;
  readonly callId: string;
  readonly workspace: Workspace;
}

interface Kept {
  readonly present: Present;
  readonly line: ChangeLine;
  readonly newBytes: number;
}

interface KeptCall {
  readonly path: string;
  readonly changedMs: number;
  readonly bytes: number;
  readonly hashes: readonly string[];
  /** Undefined where it is not this server's, or no server would know it. */
  readonly sessionId: string | undefined;
}

export class Snapshots {
  readonly #options: SnapshotOptions;
  readonly #limits: SnapshotLimits;
  readonly #blobs: BlobFolder;
  readonly #queue = new PathQueue();
  /** Those that the server may be asked about. */
  readonly #sessions = new Set<string>();
  #ending = 0;
  #isMade = false;
  #sinceSweep: { bytes: number; calls: number; atMs: number };

  /** Touches nothing: the folder is made when there is something to keep. */
  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#sinceSweep = { bytes: 0, calls: 0, atMs: options.now().getTime() };
    this.#blobs = new BlobFolder(join(options.folder, 'contents'));
  }

  /**
   * Keeps what is there before it is changed, and answers with what that is: whoever changes it makes sure that it is that still.
   * Errors: `ToolFault`; then nothing may be changed.
   */
  keep(caller: Caller, changes: readonly ComingChange[]): Promise<Present[]> {
    return this.#queue.run('', async () => {
      try {
        await this.#make();
        this.#sessions.add(caller.sessionId);
        const kept: Kept[] = [];
        for (const change of changes) kept.push(await this.#keepOne(caller, change));
        await this.#write(
          caller,
          kept.map(({ line }) => line),
        );
        this.#sinceSweep.bytes += kept.reduce((sum, { newBytes }) => sum + newBytes, 0);
        this.#sinceSweep.calls += 1;
        const isDue = this.#options.now().getTime() - this.#sinceSweep.atMs > SWEEP_MS;
        if (isDue || this.#sinceSweep.bytes > SWEEP_BYTES || this.#sinceSweep.calls > SWEEP_CALLS) await this.#sweepSurely();
        return kept.map(({ present }) => present);
      } catch (error) {
        // Somebody may have deleted the folder: the next call makes it again.
        this.#isMade = false;
        if (error instanceof ToolFault) throw error;
        this.#options.log.error({ err: error, callId: caller.callId }, 'what a call is about to change could not be kept');
        throw new ToolFault(
          'snapshot_failed',
          `This machine could not keep what is there now, which it does before every change so that it can be undone (${errorCode(error) ?? 'unknown error'}). Free some disk space, then try again.`,
          { cause: error },
        );
      }
    });
  }

  /** What a call was about to change, in order; nothing for a call that this gateway keeps nothing of. */
  async linesOf(sessionId: string, callId: string): Promise<ChangeLine[]> {
    const text = await readFile(this.#pathOf({ sessionId, callId }), 'utf8').catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return '';
      throw error;
    });
    return readChangeLines(text);
  }

  /** Undefined when it is kept no more. */
  read(hash: string): Promise<Buffer | undefined> {
    return this.#blobs.read(hash);
  }

  /** Sessions of this server of which something is kept: what an earlier start has kept is known after the first `sweep`. */
  get sessions(): readonly string[] {
    return [...this.#sessions];
  }

  /** The session is deleted: nothing of it is kept. */
  endSession(sessionId: string): Promise<void> {
    this.#ending += 1;
    return this.#queue.run('', async () => {
      this.#ending -= 1;
      this.#sessions.delete(sessionId);
      await rm(join(this.#options.folder, 'sessions', fileName(sessionId)), { recursive: true, force: true });
      // Of many that end at once, such as after a greeting, the last one looks at all that is kept.
      if (this.#ending === 0) await this.#sweepSurely();
    });
  }

  /** Lets go what is too old or too much. To be called at a start, for what has come to age meanwhile. */
  sweep(): Promise<void> {
    return this.#queue.run('', () => this.#sweepSurely());
  }

  async #make(): Promise<void> {
    if (this.#isMade) return;
    for (const folder of ['', 'contents', 'sessions']) {
      const path = join(this.#options.folder, folder);
      await mkdir(path, { recursive: true, mode: 0o700 });
      await chmod(path, 0o700);
    }
    this.#isMade = true;
  }

  async #keepOne({ workspace }: Caller, change: ComingChange): Promise<Kept> {
    const path = wordsInside(workspace, change.path);
    const movedFrom = change.movedFrom === undefined ? {} : { movedFrom: wordsInside(workspace, change.movedFrom) };
    const after: ChangeLine['after'] = change.data === undefined ? { kind: 'absent' } : { kind: 'file', hash: hashOf(change.data) };
    const { keptFor } = this.#options;
    const line = { at: this.#options.now().toISOString(), workspace: workspace.root, path, after, ...movedFrom, ...(keptFor === undefined ? {} : { keptFor }) };
    const found = await openForReading(workspace, change.path).catch((error: unknown) => {
      if (error instanceof ToolFault && error.code === 'not_found') return undefined;
      throw error;
    });
    if (!found) return { present: { kind: 'absent' }, line: { ...line, place: await placeOfNew(workspace, path), before: { kind: 'absent' } }, newBytes: 0 };
    try {
      const { ino, size, mtimeMs, mode } = await found.handle.stat();
      const place = relative(workspace.root, found.path);
      const present: Present = { kind: 'file', stamp: { ino, size, mtimeMs } };
      if (size > FILE_BYTES) {
        const before: Before = { kind: 'not_kept', why: `it had ${size} bytes, and files over ${FILE_BYTES} bytes are not kept` };
        return { present, line: { ...line, place, before }, newBytes: 0 };
      }
      const blob = await this.#blobs.keep(found.handle, FILE_BYTES);
      if (!blob) {
        const before: Before = { kind: 'not_kept', why: `it grew over ${FILE_BYTES} bytes while it was kept, and larger files are not kept` };
        return { present, line: { ...line, place, before }, newBytes: 0 };
      }
      return { present, line: { ...line, place, before: { kind: 'file', hash: blob.hash, mode: mode & 0o7777 } }, newBytes: blob.isNew ? blob.bytes : 0 };
    } finally {
      await found.handle.close();
    }
  }

  /** On the disk, with its folders, before anything is changed. */
  async #write(caller: Caller, lines: readonly ChangeLine[]): Promise<void> {
    const path = this.#pathOf(caller);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const handle = await open(path, 'a', 0o600);
    try {
      // Begins a line of its own, whatever a full disk has left of the one before.
      await handle.appendFile(`\n${lines.map((line) => `${JSON.stringify(line)}\n`).join('')}`);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    for (const folder of [join(this.#options.folder, 'contents'), dirname(path), join(this.#options.folder, 'sessions')]) await syncFolder(folder);
  }

  #pathOf({ sessionId, callId }: Pick<Caller, 'sessionId' | 'callId'>): string {
    return join(this.#options.folder, 'sessions', fileName(sessionId), `${fileName(callId)}.jsonl`);
  }

  /** What could not be tidied is tidied later: no call fails by it. */
  async #sweepSurely(): Promise<void> {
    this.#sinceSweep = { bytes: 0, calls: 0, atMs: this.#options.now().getTime() };
    try {
      await this.#sweep();
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') this.#options.log.warn({ err: error }, 'what is kept for an undo could not be tidied');
    }
  }

  async #sweep(): Promise<void> {
    const sizes = await this.#blobs.sizes();
    const calls = (await this.#calls()).toSorted((a, b) => b.changedMs - a.changedMs);
    const oldestMs = this.#options.now().getTime() - this.#limits.ageMs;
    const named = new Set<string>();
    let bytes = 0;
    let isFull = false;
    for (const [index, call] of calls.entries()) {
      const fresh = call.hashes.filter((hash) => !named.has(hash));
      bytes += call.bytes + fresh.reduce((sum, hash) => sum + (sizes.get(hash) ?? 0), 0);
      isFull ||= index >= this.#limits.calls || bytes > this.#limits.totalBytes || call.changedMs < oldestMs;
      if (isFull) await rm(call.path, { force: true });
      else {
        for (const hash of fresh) named.add(hash);
        if (call.sessionId !== undefined) this.#sessions.add(call.sessionId);
      }
    }
    await this.#blobs.removeOthers(named);
    // Fails for those that still have calls.
    for (const folder of new Set(calls.map(({ path }) => dirname(path)))) await rmdir(folder).catch(() => undefined);
  }

  async #calls(): Promise<KeptCall[]> {
    const entries = await readdir(join(this.#options.folder, 'sessions'), { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
    const calls: KeptCall[] = [];
    for (const path of paths) {
      const { mtimeMs, size } = await stat(path);
      const lines = readChangeLines(await readFile(path, 'utf8'));
      const hashes = [...new Set(lines.flatMap(({ before }) => (before.kind === 'file' ? [before.hash] : [])))];
      const isOurs = this.#options.keptFor !== undefined && lines.some(({ keptFor }) => keptFor === this.#options.keptFor);
      calls.push({ path, changedMs: mtimeMs, bytes: size, hashes, sessionId: isOurs ? sessionIn(basename(dirname(path))) : undefined });
    }
    return calls;
  }
}

/** Where a file that is not there yet will truly be: its folder may be reached by a link. */
async function placeOfNew(workspace: Workspace, path: string): Promise<string> {
  try {
    return join(relative(workspace.root, await locateFolder(workspace, dirname(path))), basename(path));
  } catch (error) {
    // The folder comes with the file, or the change will fail.
    if (error instanceof ToolFault) return path;
    throw error;
  }
}

/** Ids are what a server says: none of them may name a path. */
function fileName(id: string): string {
  return /^[0-9a-f-]{36}$/.test(id) ? id : createHash('sha256').update(id).digest('hex');
}

/** The session that a folder is named after; undefined for a name that somebody else has made, or that was no id. */
function sessionIn(folder: string): string | undefined {
  return idSchema.safeParse(folder).success ? folder : undefined;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
