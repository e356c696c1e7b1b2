import { existsSync, readdirSync, readFileSync, readlinkSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '@tendon/protocol';

const POLITE_MS = 8_000;
const POLL_MS = 10;

/**
 * Ends what a dead owner left behind. Called by the holder of the owner lock, so whatever still runs on the folder has no one who
 * needs it. PostgreSQL's processes stand in their data folder, which finds them by more than a process id that may have been
 * given to another program since; the lock files of a dead server go away for the same reason.
 */
export async function stopOrphans(data: string, log: Log): Promise<void> {
  const note = join(data, 'postmaster.pid');
  const notes = [note, join(data, '.s.PGSQL.5432.lock'), join(data, '.s.PGSQL.5432')];
  if (!notes.some((path) => existsSync(path)) || !existsSync('/proc/self/cwd')) return;
  const folder = realpathSync(data);
  const leader = existsSync(note) ? Number(readFileSync(note, 'utf8').split('\n')[0]) : 0;
  if (processesIn(folder).length > 0) {
    log.warn({ pid: leader }, 'stopping a PostgreSQL whose owner is gone');
    if (processesIn(folder).includes(leader)) signal(leader, 'SIGINT');
    if (!(await areGone(folder, POLITE_MS))) for (const pid of processesIn(folder)) signal(pid, 'SIGKILL');
    await areGone(folder, POLITE_MS);
  }
  for (const path of notes) rmSync(path, { force: true });
}

async function areGone(folder: string, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  while (processesIn(folder).length > 0) {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  return true;
}

function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && workingFolder(pid) === folder && programName(pid) === 'postgres');
}

function workingFolder(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return undefined;
  }
}

function programName(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return undefined;
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended by itself.
  }
}
