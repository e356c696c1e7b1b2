import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { StartError } from '../../start-error.ts';

const SQLITE_BUSY = 5;
/** A killed owner holds its lock until the kernel has taken it apart. */
const ATTEMPTS = 20;
const PAUSE_MS = 50;

export interface OwnerLock {
  release(): void;
}

/**
 * Makes this process the one owner of the folder (I19). Node has no call for file locks, but its SQLite takes one: an exclusive
 * transaction on an empty file holds it in the kernel, which gives it up when the process dies, however it dies. It holds between
 * containers that share the folder as well, where the process ids in PostgreSQL's own lock file mean nothing.
 */
export async function takeOwnership(folder: string): Promise<OwnerLock> {
  const note = join(folder, 'owner.pid');
  for (let attempt = 1; ; attempt += 1) {
    const lock = tryLock(join(folder, 'owner.lock'));
    if (lock) {
      writeFileSync(note, `${process.pid}\n`, { mode: 0o600 });
      return lock;
    }
    if (attempt === ATTEMPTS) break;
    await pause(PAUSE_MS);
  }
  throw new StartError(
    `The database in ${folder} is in use by another Tendon (process ${readNote(note)}). Stop that one first, or give this one a TENDON_HOME of its own.`,
  );
}

function tryLock(path: string): OwnerLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec('begin exclusive');
  } catch (error) {
    if (database?.isOpen) database.close();
    if ((error as { errcode?: number }).errcode === SQLITE_BUSY) return undefined;
    throw new StartError(
      `The lock ${path} cannot be taken (${(error as Error).message}). Check that the folder belongs to you; when it does, delete this file.`,
      { cause: error },
    );
  }
  const held = database;
  return {
    release: () => {
      if (held.isOpen) held.close();
    },
  };
}

function readNote(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return 'unknown';
  }
}
