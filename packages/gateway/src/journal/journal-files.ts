import { open, rename } from 'node:fs/promises';
import { diskFiles, type KeptFiles } from '@tendon/system';

/** An open journal: bytes are added at its end, and `datasync` says when they are on the disk. */
export interface JournalHandle {
  appendFile(data: Uint8Array): Promise<void>;
  datasync(): Promise<void>;
  truncate(bytes: number): Promise<void>;
  close(): Promise<void>;
}

/** What the journal asks of a disk. Errors are those of the file system, and may come at any step. */
export interface JournalFiles extends KeptFiles {
  rename(from: string, to: string): Promise<void>;
  openForAppend(path: string): Promise<JournalHandle>;
}

export const systemFiles: JournalFiles = {
  ...diskFiles,
  rename,
  openForAppend: (path) => open(path, 'a'),
};
