import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode } from './error-code.ts';

/** Small files that are read whole and replaced whole. Errors are those of the file system, and may come at any step. */
export interface KeptFiles {
  /** Undefined when there is no such file. */
  read(path: string): Promise<Buffer | undefined>;
  /** Replaces the file in one step and makes that durable, folder included. Nobody else may read it. */
  replace(path: string, text: string): Promise<void>;
}

export const diskFiles: KeptFiles = {
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
};
