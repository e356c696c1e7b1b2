import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

/** An exclusive hold on a folder. Released by `close`, or by the system when the process ends in any way, `kill -9` included. */
export interface OwnerLock {
  close(): void;
}

const SQLITE_BUSY = 5;

/**
 * Takes the lock, or answers undefined when another process (or another gateway of this one) has it.
 * An empty SQLite file is used because its lock is the system's own file lock: nothing is left behind that could be stale,
 * and two that start in the same moment cannot both win. Node has no file lock of its own.
 */
export function takeOwnerLock(path: string): OwnerLock | undefined {
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

/** The same, with some time for one that has it and is about to end. */
export async function waitForOwnerLock(path: string, limitMs: number): Promise<OwnerLock | undefined> {
  for (const deadline = performance.now() + limitMs; ; await delay(LOOK_EVERY_MS)) {
    const lock = takeOwnerLock(path);
    if (lock || performance.now() >= deadline) return lock;
  }
}
