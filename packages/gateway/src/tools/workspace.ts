import type { Dirent } from 'node:fs';
import { closeSync, constants, openSync, readlinkSync, realpathSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readlink, realpath, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join, normalize, relative, sep } from 'node:path';
import type { FileRules, FileUse } from '../policy/policy-subject.ts';
import { errorCode, fileFault, ToolFault } from './faults.ts';

/*
 * A path of a call becomes a descriptor, and the descriptor is asked where it is:
 *
 *   path ──words only──► inside? ──O_PATH open, links followed──► descriptor ──/proc/self/fd──► true place ──inside?──► opened again through the descriptor
 *
 * Comparing strings first and opening later would leave a moment in which a folder can be exchanged for a link.
 * Opening with O_PATH touches nothing: a FIFO does not block and a device does not act.
 * Without /proc the true place is resolved first, opened without following a link, and compared by device and inode.
 */

/** Linux's O_PATH, which Node does not name. The same on every architecture Node supports. */
const O_PATH = 0o10000000;

export interface Workspace {
  /** The true path, resolved once at start. */
  readonly root: string;
  /** How the person wrote it: accepted in front of absolute paths as well. */
  readonly given: string;
  readonly name: string;
  /** The gateway's own folder: no tool reads or writes in it, even when the workspace contains it. */
  readonly forbidden: string;
  readonly hasProc: boolean;
  /** What the machine's policy says of the files that one call comes to. Left out: no call is under way, or nobody has a say. */
  readonly fileRules?: FileRules;
}

/** An opened place inside the workspace. `path` is where it truly is; `handle` must be closed by the receiver. */
export interface Place {
  readonly path: string;
  readonly handle: FileHandle;
}

/** Resolves a workspace once. Errors: a `ToolFault` when the folder is missing or is no folder. */
export async function openWorkspace(given: string, home: string): Promise<Workspace> {
  try {
    const root = await realpath(given);
    if (!(await stat(root)).isDirectory()) throw new ToolFault('workspace_missing', `The workspace ${JSON.stringify(given)} is not a folder. Name a folder.`);
    const forbidden = await realpath(home);
    if (isWithin(forbidden, root))
      throw new ToolFault('workspace_missing', `The workspace ${JSON.stringify(given)} lies in the gateway's own folder. Name another folder.`);
    const hasProc = process.platform === 'linux';
    return { root, given: normalize(given).replace(/(?<=.)\/+$/, ''), name: basename(root) || root, forbidden, hasProc };
  } catch (error) {
    if (error instanceof ToolFault) throw error;
    throw new ToolFault(
      'workspace_missing',
      `The workspace ${JSON.stringify(given)} cannot be opened (${errorCode(error) ?? 'unknown error'}). Create the folder or name another.`,
      { cause: error },
    );
  }
}

/** `path` relative to the workspace, by its words alone. What it truly is shows only when it is opened. */
export function wordsInside(workspace: Workspace, path: string): string {
  if (path.includes('\0')) throw new ToolFault('invalid_path', 'The path contains a NUL character. Leave it out.');
  let words = path;
  if (isAbsolute(path)) {
    const base = [workspace.root, workspace.given].find((candidate) => isWithin(candidate, normalize(path)));
    if (base === undefined) throw outside(workspace, path);
    words = relative(base, normalize(path));
  }
  const normal = normalize(words === '' ? '.' : words);
  if (normal === '..' || normal.startsWith(`..${sep}`)) throw outside(workspace, path);
  return normal;
}

function isWithin(folder: string, path: string): boolean {
  if (path === folder) return true;
  return path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

function outside(workspace: Workspace, path: string): ToolFault {
  return new ToolFault(
    'outside_workspace',
    `${JSON.stringify(path)} is not inside the workspace ${JSON.stringify(workspace.root)}. Give a path inside it, relative to it; links may not lead out of it.`,
  );
}

/** Refuses a true place that is outside, or in the gateway's own folder. */
function checkPlace(workspace: Workspace, truePath: string, asked: string): void {
  if (!isWithin(workspace.root, truePath)) throw outside(workspace, asked);
  if (isWithin(workspace.forbidden, truePath)) {
    throw new ToolFault(
      'forbidden_path',
      `${JSON.stringify(asked)} belongs to the gateway's own folder, which no tool may read or change. Choose another path.`,
    );
  }
}

/** Refuses what the machine's policy keeps from this use, whatever path has led there. */
function checkUse(workspace: Workspace, { path, use }: { path: string; use: FileUse }, asked: string): void {
  const place = relative(workspace.root, path) || '.';
  const refusal = workspace.fileRules?.refusalAt(place, use);
  if (refusal) throw new ToolFault(refusal.code, `${JSON.stringify(asked)} leads to ${JSON.stringify(place)}. ${refusal.message}`);
}

/** Finds where `path` truly is and holds it open. Errors: `ToolFault` for what is missing, outside or forbidden. */
async function locate(workspace: Workspace, path: string): Promise<Place> {
  const words = wordsInside(workspace, path);
  let handle: FileHandle | undefined;
  try {
    const place = workspace.hasProc ? await openThenAsk(workspace, words) : await resolveThenOpen(workspace, words, path);
    handle = place.handle;
    checkPlace(workspace, place.path, path);
    if (words === '.' && !(await handle.stat()).isDirectory()) throw workspaceGone(workspace);
    return place;
  } catch (error) {
    await handle?.close();
    if (!(await isThere(workspace))) throw workspaceGone(workspace, error);
    throw error instanceof ToolFault ? error : fileFault(path, error);
  }
}

/** Whether the workspace is still the folder that it was, which no path in it can say. */
async function isThere({ root }: Workspace): Promise<boolean> {
  try {
    return (await realpath(root)) === root && (await stat(root)).isDirectory();
  } catch (error) {
    return !['ENOENT', 'ENOTDIR', 'ELOOP'].includes(errorCode(error) ?? '');
  }
}

function workspaceGone({ root }: Workspace, cause?: unknown): ToolFault {
  return new ToolFault(
    'workspace_missing',
    `The workspace ${JSON.stringify(root)} is not there any more: it was removed, renamed or replaced while the gateway runs. No tool works in it until its owner brings that folder back.`,
    { cause },
  );
}

async function openThenAsk(workspace: Workspace, words: string): Promise<Place> {
  const handle = await open(join(workspace.root, words), O_PATH);
  return { path: await readlink(`/proc/self/fd/${handle.fd}`), handle };
}

async function resolveThenOpen(workspace: Workspace, words: string, asked: string): Promise<Place> {
  const path = await realpath(join(workspace.root, words));
  checkPlace(workspace, path, asked);
  const before = await stat(path);
  if (!before.isFile() && !before.isDirectory()) throw notAFile(asked);
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const opened = await handle.stat();
  if (opened.dev === before.dev && opened.ino === before.ino && (await realpath(path)) === path) return { path, handle };
  await handle.close();
  throw new ToolFault('changed_meanwhile', `${JSON.stringify(asked)} was exchanged while it was opened. Try again.`);
}

function notAFile(path: string): ToolFault {
  return new ToolFault('not_a_file', `${JSON.stringify(path)} is not a regular file (a device, pipe or socket). Choose a regular file.`);
}

/** Opens a regular file for reading. The caller closes the handle. */
export async function openForReading(workspace: Workspace, path: string): Promise<Place> {
  const place = await locate(workspace, path);
  try {
    const info = await place.handle.stat();
    if (info.isDirectory()) throw new ToolFault('is_folder', `${JSON.stringify(path)} is a folder. Use list_folder to see what is in it.`);
    if (!info.isFile()) throw notAFile(path);
    checkUse(workspace, { path: place.path, use: 'read' }, path);
    if (!workspace.hasProc) return place;
    const readable = await open(`/proc/self/fd/${place.handle.fd}`, constants.O_RDONLY | constants.O_NONBLOCK);
    await place.handle.close();
    return { path: place.path, handle: readable };
  } catch (error) {
    await place.handle.close();
    throw error instanceof ToolFault ? error : fileFault(path, error);
  }
}

/** The true path of a folder inside the workspace; the workspace itself when `path` is left out. */
export async function locateFolder(workspace: Workspace, path: string | undefined): Promise<string> {
  const folder = await openSearchedFolder(workspace, path);
  await folder.handle.close();
  return folder.path;
}

/** A folder held open, in which a file can be made without walking a path again. */
export interface Folder {
  readonly path: string;
  readonly handle: FileHandle;
  /** A name for the folder itself that cannot be led elsewhere: through the descriptor where there is /proc. */
  readonly base: string;
  /** The name for a direct child that cannot be led elsewhere, likewise. */
  child(name: string): string;
}

/** A folder inside the workspace, held open while something walks it; the workspace itself when `path` is left out. The caller closes it. */
export async function openSearchedFolder(workspace: Workspace, path: string | undefined): Promise<Folder> {
  const asked = path ?? '.';
  const place = await locate(workspace, asked);
  try {
    if (!(await place.handle.stat()).isDirectory())
      throw new ToolFault('not_a_folder', `${JSON.stringify(asked)} is not a folder. Name a folder of the workspace.`);
    return folderOf(workspace, place);
  } catch (error) {
    await place.handle.close();
    throw error;
  }
}

/** The folder that a file has been found in, held open. The caller closes it. */
export function openFolderOf(workspace: Workspace, truePath: string): Promise<Folder> {
  return openSearchedFolder(workspace, dirname(truePath));
}

/** A folder held open, without a wait. */
export interface HeldFolder extends Disposable {
  readonly base: string;
}

/**
 * Undefined unless the folder is truly there, without a link on the way. At once, and not by way of the pool of threads, which takes ten times as
 * long: for folders that were walked a moment ago, so that the system knows them.
 */
export function holdTrueFolder(workspace: Workspace, truePath: string): HeldFolder | undefined {
  let descriptor: number | undefined;
  const close = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
  };
  try {
    descriptor = openSync(truePath, workspace.hasProc ? O_PATH | constants.O_DIRECTORY : constants.O_RDONLY | constants.O_DIRECTORY);
    const own = `/proc/self/fd/${descriptor}`;
    const place = workspace.hasProc ? readlinkSync(own) : realpathSync(truePath);
    checkPlace(workspace, place, truePath);
    if (place === truePath) return { base: workspace.hasProc ? own : place, [Symbol.dispose]: close };
  } catch (error) {
    close();
    if (error instanceof ToolFault || fileFault(truePath, error) instanceof ToolFault) return undefined;
    throw error;
  }
  close();
  return undefined;
}

/** The descriptor is named by this process, so that a child that begins in the folder begins in this very one. */
function folderOf(workspace: Workspace, { path, handle }: Place): Folder {
  const base = workspace.hasProc ? `/proc/${process.pid}/fd/${handle.fd}` : path;
  return { path, handle, base, child: (name) => `${base}/${name}` };
}

/** A folder's entries, with the folder held open while they are looked at. The gateway's own folder is not among them. */
export interface Listing extends AsyncDisposable {
  readonly entries: readonly Dirent[];
  child(name: string): string;
}

/** Errors: `ToolFault` for what is missing, outside, forbidden or no folder. */
export async function openForListing(workspace: Workspace, path: string | undefined): Promise<Listing> {
  const asked = path ?? '.';
  const place = await locate(workspace, asked);
  try {
    if (!(await place.handle.stat()).isDirectory())
      throw new ToolFault('not_a_folder', `${JSON.stringify(asked)} is not a folder. Use read_file for a file, or name a folder.`);
    checkUse(workspace, { path: place.path, use: 'read' }, asked);
    const base = workspace.hasProc ? `/proc/self/fd/${place.handle.fd}` : place.path;
    const entries = await readdir(base, { withFileTypes: true });
    return {
      entries: entries.filter((entry) => join(place.path, entry.name) !== workspace.forbidden),
      child: (name) => `${base}/${name}`,
      [Symbol.asyncDispose]: () => place.handle.close(),
    };
  } catch (error) {
    await place.handle.close();
    throw error instanceof ToolFault ? error : fileFault(asked, error);
  }
}

/** A folder held open, and the true paths of those that had to be made on the way, outermost first. */
interface MadeFolder {
  readonly folder: Folder;
  readonly made: readonly string[];
}

/** Opens the folder `words` of the workspace and makes what is missing on the way, each step through the descriptor of the one before. */
async function openFolderMaking(workspace: Workspace, words: string, asked: string): Promise<MadeFolder> {
  const names = words === '.' ? [] : words.split(sep);
  const made: string[] = [];
  let folder = await openFolder(workspace, workspace.root, asked);
  for (const name of names) {
    try {
      const { next, isNew } = await stepInto(workspace, { folder, name }, asked);
      if (isNew) made.push(next.path);
      await folder.handle.close();
      folder = next;
    } catch (error) {
      await folder.handle.close();
      await removeEmptyFolders(workspace, made);
      throw error instanceof ToolFault ? error : fileFault(asked, error);
    }
  }
  return { folder, made };
}

async function stepInto(workspace: Workspace, step: { folder: Folder; name: string }, asked: string): Promise<{ next: Folder; isNew: boolean }> {
  const path = step.folder.child(step.name);
  try {
    return { next: await openFolder(workspace, path, asked), isNew: false };
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  const isNew = await mkdir(path).then(
    () => true,
    (error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error;
      return false;
    },
  );
  return { next: await openFolder(workspace, path, asked), isNew };
}

/** Takes away those that are empty, the last one first: folders of the workspace, by their true paths. What cannot go stays. */
export async function removeEmptyFolders(workspace: Workspace, truePaths: readonly string[]): Promise<void> {
  for (const path of truePaths.toReversed()) {
    try {
      const parent = await openFolder(workspace, dirname(path), path);
      try {
        if (parent.path === dirname(path)) await rmdir(parent.child(basename(path)));
      } finally {
        await parent.handle.close();
      }
    } catch {
      // It has something in it, or somebody was quicker: an empty folder is not worth a failure.
    }
  }
}

async function openFolder(workspace: Workspace, path: string, asked: string): Promise<Folder> {
  const flags = workspace.hasProc ? O_PATH | constants.O_DIRECTORY : constants.O_RDONLY | constants.O_DIRECTORY;
  const handle = await open(path, flags);
  try {
    const truePath = workspace.hasProc ? await readlink(`/proc/self/fd/${handle.fd}`) : await realpath(path);
    checkPlace(workspace, truePath, asked);
    return folderOf(workspace, { path: truePath, handle });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The folder and the name to write `path` at. A link that stays inside is followed to the file it names. The caller closes the folder. */
export async function openTarget(workspace: Workspace, path: string): Promise<Target> {
  const target = await findTarget(workspace, path);
  try {
    checkUse(workspace, { path: join(target.folder.path, target.name), use: 'change' }, path);
    return target;
  } catch (error) {
    await target.folder.handle.close();
    await removeEmptyFolders(workspace, target.made);
    throw error;
  }
}

interface Target extends MadeFolder {
  readonly name: string;
  readonly exists: boolean;
}

async function findTarget(workspace: Workspace, path: string): Promise<Target> {
  const words = wordsInside(workspace, path);
  if (words === '.' || path.endsWith(sep)) throw new ToolFault('is_folder', `${JSON.stringify(path)} names a folder. Name a file.`);
  const existing = await locate(workspace, path).catch((error: unknown) => {
    if (error instanceof ToolFault && error.code === 'not_found') return undefined;
    throw error;
  });
  if (!existing) return { ...(await openFolderMaking(workspace, dirname(words), path)), name: basename(words), exists: false };
  try {
    const info = await existing.handle.stat();
    if (info.isDirectory()) throw new ToolFault('is_folder', `${JSON.stringify(path)} is a folder. Name a file.`);
    if (!info.isFile()) throw notAFile(path);
  } finally {
    await existing.handle.close();
  }
  const folder = await openFolder(workspace, dirname(existing.path), path);
  return { folder, made: [], name: basename(existing.path), exists: true };
}
