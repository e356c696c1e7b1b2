import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** An exclusive hold on what stands beside the lock's file. Released by `close`, or by the system when the process ends in any way, `kill -9` included. */
export interface FileLock {
  close(): void;
}

const SQLITE_BUSY = 5;

/**
 * Takes the lock, or answers undefined when another process (or another part of this one) has it.
 * An empty SQLite file is used because its lock is the system's own file lock: nothing is left behind that could be stale,
 * and two that start in the same moment cannot both win. Node has no file lock of its own.
 */
export function takeFileLock(path: string): FileLock | undefined {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;');
  } catch (error) {
    database.close();
    if (error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY) return undefined;
    throw error;
  }
  return {
    close() {
      if (database.isOpen) database.close();
    },
  };
}

const LOOK_EVERY_MS = 50;

/** The same, with some time for one that has it and is about to give it back. */
export async function waitForFileLock(path: string, limitMs: number): Promise<FileLock | undefined> {
  for (const deadline = performance.now() + limitMs; ; await delay(LOOK_EVERY_MS)) {
    const lock = takeFileLock(path);
    if (lock || performance.now() >= deadline) return lock;
  }
}
