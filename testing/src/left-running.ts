import { readlinkSync } from 'node:fs';
import { allPids, argumentsOf, isRunning } from './processes.ts';
import { until } from './until.ts';

/** Longer than a database, or a browser, takes that notices by itself that who started it was killed. */
const PATIENCE_MS = 10_000;

/**
 * Ends what still runs for one of these folders, and rejects with what that was. What ends by itself is waited for. A command whose gateway was
 * killed, and that no next gateway has ended, is in a group of its own and would outlive the tests.
 */
export async function assertNothingRuns(folders: readonly string[], patienceMs = PATIENCE_MS): Promise<void> {
  const isOver = (): boolean => processesAt(folders).length === 0;
  await until({ what: 'everything to end', pollMs: 50, deadlineMs: patienceMs, check: isOver }).catch(() => undefined);
  const left = processesAt(folders);
  if (left.length === 0) return;
  const lines = left.map((pid) => `${pid}: ${commandLine(pid).slice(-500)}`);
  for (const pid of left) end(pid);
  throw new Error(`left running, and ended only now:\n${lines.join('\n')}`);
}

/** The living processes that name one of the folders in their command line, as a sandbox does, or that work in it. */
function processesAt(folders: readonly string[]): number[] {
  return allPids().filter(
    (pid) => pid !== process.pid && folders.some((folder) => commandLine(pid).includes(folder) || workFolder(pid).startsWith(folder)) && isRunning(pid),
  );
}

function commandLine(pid: number): string {
  return argumentsOf(pid).join(' ');
}

/** Empty for one that has ended, and for one that may not be looked at. */
function workFolder(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`);
  } catch {
    return '';
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended in this very moment.
  }
}
