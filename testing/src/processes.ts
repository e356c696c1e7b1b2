import { readdirSync, readFileSync } from 'node:fs';
import { until } from './until.ts';

/* What runs on this machine, by what Linux tells of it in /proc. */

export function allPids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** The living processes that have this word in their command line. */
export function processesWith(word: string): { readonly pid: number; readonly program: string | undefined }[] {
  return allPids()
    .map((pid) => ({ pid, line: argumentsOf(pid) }))
    .filter(({ line }) => line.some((argument) => argument.includes(word)))
    .map(({ pid, line }) => ({ pid, program: line[0] }));
}

/** Empty for one that has ended, waited for or not. */
export function argumentsOf(pid: number): string[] {
  return readOr(`/proc/${pid}/cmdline`, '').split('\0');
}

export function childrenOf(pid: number): number[] {
  return [...readOr(`/proc/${pid}/task/${pid}/children`, '').matchAll(/\d+/g)].map(Number);
}

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise;
  }
}

/** Resolves when none of the processes runs any more. One that has ended and that nobody has asked about counts as ended. */
export function untilEnded(pids: readonly number[], deadlineMs = 15_000): Promise<true> {
  return until({ what: `the processes ${pids.join(', ')} to end`, pollMs: 20, deadlineMs, check: () => !pids.some(isRunning) || undefined }) as Promise<true>;
}

export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !isZombie(pid);
}

function isZombie(pid: number): boolean {
  const stat = readOr(`/proc/${pid}/stat`, '');
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
}
