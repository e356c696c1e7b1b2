import { chmod, mkdir, open, rm, rmdir } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Log } from '@tendon/protocol';
import { errorCode, ToolFault } from '../tools/faults.ts';
import type { FileStamp } from '../tools/file-stamp.ts';
import { PathQueue } from '../tools/path-queue.ts';
import { locateFolder, openForReading, type Workspace, wordsInside } from '../tools/workspace.ts';
import { type Blob, BlobFolder, hashOf } from './blob-folder.ts';
import { callPath, type KeptCall, keptCalls, linesAt, type SnapshotLimits, sessionFolder, sessionsKeptFor, withinLimits } from './kept-calls.ts';
import type { Before, ChangeLine } from './snapshot-lines.ts';

/*
 * What files were before this gateway's tools changed them, so that a person can have them back:
 *
 *   <folder>/contents/<sha256>               the contents, each once
 *   <folder>/sessions/<session>/<call>.jsonl  what each call was about to make of which file, one line a file
 *
 *   a call ──contents kept, synced──► ──lines written, synced──► the file is changed
 *
 * A process killed in between leaves a line whose file is still as it was: an undo finds nothing to do there.
 * Old calls go first when there is too much; contents that no line names go with them:
 *
 *   a sweep ──looks at all that is kept, calls go on──► knows what is too old or too much ──calls wait──► lets it go, but for what they kept meanwhile
 */

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
export const FILE_BYTES = 64 * 1024 * 1024;
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

/** What is there now: a file with this stamp, and what was kept of it unless it was too large; or nothing. */
export type Present =
  | { readonly kind: 'file'; readonly stamp: FileStamp; readonly kept?: { readonly hash: string; readonly mode: number } }
  | { readonly kind: 'absent' };

interface Caller {
  readonly sessionId: string;
  readonly callId: string;
  readonly workspace: Workspace;
}

interface Kept {
  readonly present: Present;
  readonly line: ChangeLine;
  readonly blob?: Blob;
}

/** What calls have done since a sweep began to look. */
interface Meanwhile {
  readonly hashes: Set<string>;
  readonly paths: Set<string>;
  readonly endedSessions: Set<string>;
}

export class Snapshots {
  readonly #options: SnapshotOptions;
  readonly #limits: SnapshotLimits;
  readonly #blobs: BlobFolder;
  readonly #contents: string;
  readonly #sessionsFolder: string;
  readonly #queue = new PathQueue();
  readonly #sweeps = new PathQueue();
  /** Those that the server may be asked about. */
  readonly #sessions = new Set<string>();
  /** Folders whose names this process has synced: of what an earlier one left, killed in between, nobody knows. */
  readonly #synced = new Set<string>();
  #ending = 0;
  #lastMs = 0;
  #isMade = false;
  #isClosed = false;
  #meanwhile: Meanwhile | undefined;
  #sinceSweep: { bytes: number; calls: number; atMs: number };

  /** Touches nothing: the folder is made when there is something to keep. */
  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.#limits = { ...LIMITS, ...options.limits };
    this.#sinceSweep = { bytes: 0, calls: 0, atMs: options.now().getTime() };
    this.#contents = join(options.folder, 'contents');
    this.#sessionsFolder = join(options.folder, 'sessions');
    this.#blobs = new BlobFolder(this.#contents);
  }

  /** Learns of which sessions an earlier start has kept something. To be called at a start. */
  async load(): Promise<void> {
    const { keptFor } = this.#options;
    if (keptFor === undefined) return;
    for (const sessionId of await sessionsKeptFor(this.#sessionsFolder, keptFor)) this.#sessions.add(sessionId);
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
        await this.#write(caller, kept);
        this.#sinceSweep.bytes += kept.reduce((sum, { blob }) => sum + (blob?.isNew ? blob.bytes : 0), 0);
        this.#sinceSweep.calls += 1;
        const isDue = this.#options.now().getTime() - this.#sinceSweep.atMs > SWEEP_MS;
        if (isDue || this.#sinceSweep.bytes > SWEEP_BYTES || this.#sinceSweep.calls > SWEEP_CALLS) void this.sweep();
        return kept.map(({ present }) => present);
      } catch (error) {
        // Somebody may have deleted the folder: the next call makes it again.
        this.#isMade = false;
        this.#synced.clear();
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
  linesOf(sessionId: string, callId: string): Promise<ChangeLine[]> {
    return linesAt(callPath(this.#sessionsFolder, { sessionId, callId }));
  }

  /** Undefined when it is kept no more. */
  read(hash: string): Promise<Buffer | undefined> {
    return this.#blobs.read(hash);
  }

  /** Sessions of this server of which something is kept. */
  get sessions(): readonly string[] {
    return [...this.#sessions];
  }

  /** The session is deleted: nothing of it is kept. */
  async endSession(sessionId: string): Promise<void> {
    this.#ending += 1;
    await this.#queue.run('', async () => {
      this.#ending -= 1;
      this.#sessions.delete(sessionId);
      this.#meanwhile?.endedSessions.add(sessionId);
      const folder = sessionFolder(this.#sessionsFolder, sessionId);
      this.#synced.delete(folder);
      await rm(folder, { recursive: true, force: true });
    });
    // Of many that end at once, such as after a greeting, the last one looks at all that is kept.
    if (this.#ending === 0) await this.sweep();
  }

  /** Lets go what is too old or too much, while calls go on. To be called at a start, for what has come to age meanwhile. Never rejects. */
  sweep(): Promise<void> {
    this.#sinceSweep = { bytes: 0, calls: 0, atMs: this.#options.now().getTime() };
    return this.#sweeps.run('', () => this.#sweepSurely());
  }

  /** Ends a sweep that is under way, between two files. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#sweeps.run('', async () => undefined);
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

  /** In the order of the changes, by which an undo goes back over them: the machine's clock may be set back meanwhile. */
  #nextMoment(): string {
    this.#lastMs = Math.max(this.#options.now().getTime(), this.#lastMs + 1);
    return new Date(this.#lastMs).toISOString();
  }

  async #keepOne({ workspace }: Caller, change: ComingChange): Promise<Kept> {
    const path = wordsInside(workspace, change.path);
    const movedFrom = change.movedFrom === undefined ? {} : { movedFrom: wordsInside(workspace, change.movedFrom) };
    const after: ChangeLine['after'] = change.data === undefined ? { kind: 'absent' } : { kind: 'file', hash: hashOf(change.data) };
    const { keptFor } = this.#options;
    const line = { at: this.#nextMoment(), workspace: workspace.root, path, after, ...movedFrom, ...(keptFor === undefined ? {} : { keptFor }) };
    const found = await openForReading(workspace, change.path).catch((error: unknown) => {
      if (error instanceof ToolFault && error.code === 'not_found') return undefined;
      throw error;
    });
    if (!found) return { present: { kind: 'absent' }, line: { ...line, ...(await whereNew(workspace, path)), before: { kind: 'absent' } } };
    try {
      const { ino, size, mtimeMs, mode } = await found.handle.stat();
      const place = relative(workspace.root, found.path);
      const present = { kind: 'file' as const, stamp: { ino, size, mtimeMs } };
      if (size > FILE_BYTES) {
        const before: Before = { kind: 'not_kept', why: `it had ${size} bytes, and files over ${FILE_BYTES} bytes are not kept` };
        return { present, line: { ...line, place, before } };
      }
      const blob = await this.#blobs.keep(found.handle, FILE_BYTES);
      if (!blob) {
        const before: Before = { kind: 'not_kept', why: `it grew over ${FILE_BYTES} bytes while it was kept, and larger files are not kept` };
        return { present, line: { ...line, place, before } };
      }
      const kept = { hash: blob.hash, mode: mode & 0o7777 };
      return { present: { ...present, kept }, line: { ...line, place, before: { kind: 'file', ...kept } }, blob };
    } finally {
      await found.handle.close();
    }
  }

  /** On the disk, with its folders, before anything is changed. */
  async #write(caller: Caller, kept: readonly Kept[]): Promise<void> {
    const path = callPath(this.#sessionsFolder, caller);
    const folder = dirname(path);
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    const unsynced = [
      folder,
      ...(made !== undefined || !this.#synced.has(folder) ? [this.#sessionsFolder] : []),
      ...(kept.some(({ blob }) => blob?.isNew) || !this.#synced.has(this.#contents) ? [this.#contents] : []),
    ];
    const handle = await open(path, 'a', 0o600);
    try {
      // Begins a line of its own, whatever a full disk has left of the one before.
      await handle.appendFile(`\n${kept.map(({ line }) => `${JSON.stringify(line)}\n`).join('')}`);
      await Promise.all([handle.datasync(), ...unsynced.map(syncFolder)]);
    } finally {
      await handle.close();
    }
    this.#synced.add(folder).add(this.#contents);
    // Once it is on the disk: a sweep that begins later finds it there.
    this.#meanwhile?.paths.add(path);
    for (const { blob } of kept) if (blob) this.#meanwhile?.hashes.add(blob.hash);
  }

  /** What could not be tidied is tidied later: no call fails by it. */
  async #sweepSurely(): Promise<void> {
    const meanwhile = { hashes: new Set<string>(), paths: new Set<string>(), endedSessions: new Set<string>() };
    this.#meanwhile = meanwhile;
    try {
      const calls: KeptCall[] = [];
      for await (const call of keptCalls(this.#sessionsFolder, this.#options.keptFor)) {
        if (this.#isClosed) return;
        calls.push(call);
      }
      const sizes = await this.#blobs.sizes();
      const split = withinLimits(calls, { sizes, limits: this.#limits, nowMs: this.#options.now().getTime() });
      await this.#queue.run('', () => this.#letGo(split, meanwhile));
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') this.#options.log.warn({ err: error }, 'what is kept for an undo could not be tidied');
    } finally {
      this.#meanwhile = undefined;
    }
  }

  async #letGo({ stay, go }: ReturnType<typeof withinLimits>, { hashes, paths, endedSessions }: Meanwhile): Promise<void> {
    const named = new Set(hashes);
    for (const { hashes: own, sessionId } of [...stay, ...go.filter(({ path }) => paths.has(path))]) {
      for (const hash of own) named.add(hash);
      if (sessionId !== undefined && !endedSessions.has(sessionId)) this.#sessions.add(sessionId);
    }
    const gone = go.filter(({ path }) => !paths.has(path));
    for (const { path } of gone) await rm(path, { force: true });
    await this.#blobs.removeOthers(named);
    // Fails for those that still have calls.
    for (const folder of new Set([...stay, ...go].map(({ path }) => dirname(path)))) await rmdir(folder).catch(() => undefined);
  }
}

/** Where a file that is not there yet will truly be, since its folder may be reached by a link, and the folders that come with it. */
async function whereNew(workspace: Workspace, path: string): Promise<Pick<ChangeLine, 'place' | 'newFolders'>> {
  const missing: string[] = [];
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    try {
      const base = relative(workspace.root, await locateFolder(workspace, folder));
      const place = (words: string): string => join(base, relative(folder, words));
      return { place: place(path), ...(missing.length === 0 ? {} : { newFolders: missing.toReversed().map(place) }) };
    } catch (error) {
      if (!(error instanceof ToolFault)) throw error;
      // What is no folder does not become one: the change will fail.
      if (error.code !== 'not_found' || folder === '.') return { place: path };
      missing.push(folder);
    }
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
