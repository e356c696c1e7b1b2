import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, lstat, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, fileFault, ToolFault } from './faults.ts';
import { type FileStamp, isSameStamp } from './file-stamp.ts';
import { openTarget, removeEmptyFolders, type Workspace } from './workspace.ts';

export interface Replacement {
  readonly path: string;
  readonly data: Uint8Array;
  /** When given, the file must still be this one; otherwise nothing is written. */
  readonly expected?: FileStamp;
  /** There must be nothing yet; otherwise nothing is written. */
  readonly mustBeNew?: boolean;
  /** For a file that is new: its permissions. Left out: what the system gives. */
  readonly mode?: number;
}

export interface Replaced {
  readonly created: boolean;
  /** Where the file truly is, and what it looks like now. */
  readonly truePath: string;
  readonly stamp: FileStamp;
  /** The true paths of the folders that were made for it, outermost first. */
  readonly madeFolders: readonly string[];
}

/**
 * Puts `data` at `path` in one step: a new file beside it, synced, then renamed over it. Readers see the old content or the new, never a half.
 * Mode and owner of an existing file are kept; missing folders are made. Errors: `ToolFault`.
 */
export async function replaceFile(workspace: Workspace, replacement: Replacement): Promise<Replaced> {
  const { folder, made, name, exists } = await openTarget(workspace, replacement.path).catch((error: unknown) => {
    throw error instanceof ToolFault ? error : fileFault(replacement.path, error);
  });
  const draft = folder.child(`.tendon-${randomBytes(9).toString('hex')}.tmp`);
  try {
    const before = exists ? await lstat(folder.child(name)) : undefined;
    if (before && !before.isFile())
      throw new ToolFault('changed_meanwhile', `${JSON.stringify(replacement.path)} was exchanged while it was written. Try again.`);
    if (before && replacement.mustBeNew) throw alreadyThere(replacement.path);
    const stamp = await writeDraft(draft, replacement.data, before ?? replacement.mode);
    if (replacement.expected) await checkUnchanged(folder.child(name), replacement.path, replacement.expected);
    if (replacement.mustBeNew) await placeNew(draft, folder.child(name), replacement.path);
    else await rename(draft, folder.child(name));
    return { created: !exists, truePath: join(folder.path, name), stamp, madeFolders: made };
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    await removeEmptyFolders(workspace, made);
    throw error instanceof ToolFault ? error : fileFault(replacement.path, error);
  } finally {
    await folder.handle.close();
  }
}

/** Takes a file away, when it is still the one that is expected. A link is not followed. Errors: `ToolFault`. */
export async function removeFile(workspace: Workspace, removal: { readonly path: string; readonly expected: FileStamp }): Promise<void> {
  const { folder, name } = await openTarget(workspace, removal.path).catch((error: unknown) => {
    throw error instanceof ToolFault ? error : fileFault(removal.path, error);
  });
  try {
    await checkUnchanged(folder.child(name), removal.path, removal.expected);
    await unlink(folder.child(name));
  } catch (error) {
    throw error instanceof ToolFault ? error : fileFault(removal.path, error);
  } finally {
    await folder.handle.close();
  }
}

/** A name that somebody has taken meanwhile is not taken from them. Where there are no hard links, a look has to do. */
async function placeNew(draft: string, target: string, asked: string): Promise<void> {
  try {
    await link(draft, target);
    await unlink(draft);
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw (await lstat(target)).isSymbolicLink() ? looseLink(asked) : alreadyThere(asked);
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'].includes(errorCode(error) ?? '')) throw error;
    const isTaken = await lstat(target).then(
      () => true,
      () => false,
    );
    if (isTaken) throw alreadyThere(asked);
    await rename(draft, target);
  }
}

function alreadyThere(path: string): ToolFault {
  return new ToolFault('already_exists', `${JSON.stringify(path)} exists already: someone else has made it meanwhile. Read it before you change it.`);
}

/** One that leads somewhere is followed. */
function looseLink(path: string): ToolFault {
  return new ToolFault(
    'link_to_nothing',
    `${JSON.stringify(path)} is a link that leads to nothing. Write the file that it names, or take the link away with bash (rm) first.`,
  );
}

type Likeness = { readonly mode: number; readonly uid: number; readonly gid: number } | number | undefined;

/** `like`: the file that it takes the place of, or the permissions of a new one. */
async function writeDraft(draft: string, data: Uint8Array, like: Likeness): Promise<FileStamp> {
  // Nobody else may read it before it has the permissions of the file that it replaces.
  const mode = like === undefined ? 0o666 : 0o600;
  const handle = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, mode);
  try {
    await handle.writeFile(data);
    if (typeof like === 'number') await handle.chmod(like & 0o7777);
    else if (like) {
      // Only a privileged gateway can give a file to its former owner; for the others the owner is the same already.
      const own = await handle.stat();
      if (own.uid !== like.uid || own.gid !== like.gid) await handle.chown(like.uid, like.gid).catch(() => undefined);
      await handle.chmod(like.mode & 0o7777);
    }
    await handle.datasync();
    const { ino, size, mtimeMs } = await handle.stat();
    return { ino, size, mtimeMs };
  } finally {
    await handle.close();
  }
}

async function checkUnchanged(path: string, asked: string, expected: FileStamp): Promise<void> {
  const now = await lstat(path).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (now && isSameStamp(now, expected)) return;
  throw new ToolFault('changed_meanwhile', `${JSON.stringify(asked)} was changed by someone else while it was edited. Read it again, then repeat the edit.`);
}
