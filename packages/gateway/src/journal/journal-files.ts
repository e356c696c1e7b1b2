import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from '../tools/faults.ts';

/** An open journal: bytes are added at its end, and `datasync` says when they are on the disk. */
export interface JournalHandle {
  appendFile(data: Uint8Array): Promise<void>;
  datasync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** What the journal asks of a disk. Errors are those of the file system, and may come at any step. */
export interface JournalFiles {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Replaces the file in one step and makes that durable, folder included. */
  replace(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  openForAppend(path: string): Promise<JournalHandle>;
}

export const systemFiles: JournalFiles = {
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
  rename,
  openForAppend: (path) => open(path, 'a'),
};
