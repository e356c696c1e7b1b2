import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from './error-code.ts';
import { type FileLock, waitForFileLock } from './file-lock.ts';

/** Small files that are read whole and replaced whole. Errors are those of the file system, and may come at any step. */
export interface KeptFiles {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Replaces the file in one step and makes that durable, folder included. Nobody else may read it. */
  replace(path: string, text: string): Promise<void>;
}

/** Small files that several processes change: nodes of a server may share a home. */
export interface SharedFiles extends Pick<KeptFiles, 'read'> {
  /**
   * Replaces the file by what `change` makes of its content, which is undefined when there is none; `change` answers undefined to leave it.
   * Whoever else comes this way waits meanwhile.
   */
  update(path: string, change: (current: Buffer | undefined) => string | undefined): Promise<void>;
}

/** Far more than a small file takes. Whoever holds it longer has a disk that hangs. */
const LOCK_LIMIT_MS = 5_000;

export const diskFiles: KeptFiles & SharedFiles = {
  async read(path) {
    try {
      return await readFile(path);
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  },
  async replace(path, text) {
    const draft = `${path}.new`;
    await writeFile(draft, text, { mode: 0o600, flush: true });
    await rename(draft, path);
    const folder = await open(dirname(path), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  },
  async update(path, change) {
    const lock = await lockBeside(path);
    try {
      const text = change(await diskFiles.read(path));
      if (text !== undefined) await diskFiles.replace(path, text);
    } finally {
      lock?.close();
    }
  },
};

/** Undefined where it cannot be had: not to store anything would lose more than two who store at once. */
async function lockBeside(path: string): Promise<FileLock | undefined> {
  try {
    return await waitForFileLock(`${path}.lock`, LOCK_LIMIT_MS);
  } catch {
    return undefined;
  }
}
