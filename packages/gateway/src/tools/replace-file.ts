import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, fileFault, ToolFault } from './faults.ts';
import { type FileStamp, isSameStamp } from './file-stamp.ts';
import { openTarget, type Workspace } from './workspace.ts';

export interface Replacement {
  readonly path: string;
  readonly data: Uint8Array;
  /** When given, the file must still be this one; otherwise nothing is written. */
  readonly expected?: FileStamp;
}

export interface Replaced {
  readonly created: boolean;
  /** Where the file truly is, and what it looks like now. */
  readonly truePath: string;
  readonly stamp: FileStamp;
}

/**
 * Puts `data` at `path` in one step: a new file beside it, synced, then renamed over it. Readers see the old content or the new, never a half.
 * Mode and owner of an existing file are kept; missing folders are made. Errors: `ToolFault`.
 */
export async function replaceFile(workspace: Workspace, replacement: Replacement): Promise<Replaced> {
  const { folder, name, exists } = await openTarget(workspace, replacement.path).catch((error: unknown) => {
    throw error instanceof ToolFault ? error : fileFault(replacement.path, error);
  });
  const draft = folder.child(`.tendon-${randomBytes(9).toString('hex')}.tmp`);
  try {
    const before = exists ? await lstat(folder.child(name)) : undefined;
    if (before && !before.isFile())
      throw new ToolFault('changed_meanwhile', `${JSON.stringify(replacement.path)} was exchanged while it was written. Try again.`);
    const stamp = await writeDraft(draft, replacement.data, before);
    if (replacement.expected) await checkUnchanged(folder.child(name), replacement.path, replacement.expected);
    await rename(draft, folder.child(name));
    return { created: !exists, truePath: join(folder.path, name), stamp };
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw error instanceof ToolFault ? error : fileFault(replacement.path, error);
  } finally {
    await folder.handle.close();
  }
}

async function writeDraft(draft: string, data: Uint8Array, like: { mode: number; uid: number; gid: number } | undefined): Promise<FileStamp> {
  const handle = await open(draft, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o666);
  try {
    await handle.writeFile(data);
    if (like) {
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
