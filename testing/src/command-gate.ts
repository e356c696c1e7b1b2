import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { calls, type Step } from './model/script.ts';
import { until } from './until.ts';

/** A command that says it is there, and then waits until the test lets it end. */
export interface HeldCommand {
  /** What the model asks for. Appends a line to the ledger when it starts, so that a second run shows. */
  readonly step: Step;
  readonly command: string;
  /** The process ids of its shell and of a child of it. Resolves once the command runs. */
  pids(): Promise<number[]>;
  /** Lets it end: it prints the text and succeeds. */
  letEnd(text?: string): Promise<void>;
  /** How often it was started. */
  starts(): number;
}

let count = 0;

/** Output: `up` at once, and after `letEnd` its text. The pipe it waits at, its ledger and its process ids are files of the workspace. */
export async function heldCommand(workspace: string): Promise<HeldCommand> {
  count += 1;
  const name = `held-${process.pid}-${count}`;
  const pipe = join(workspace, `${name}.pipe`);
  const ledger = join(workspace, `${name}.ledger`);
  const pidFile = join(workspace, `${name}.pids`);
  await promisify(execFile)('mkfifo', [pipe]);
  const command = `echo start >> ${name}.ledger; sleep 1000 & echo "$$ $!" > ${name}.pids; echo up; cat ${name}.pipe; kill $!; wait $! 2> /dev/null; true`;
  return {
    command,
    step: runs(command),
    pids: () => until({ what: `${name} to run`, pollMs: 10, deadlineMs: 20_000, check: () => readPids(pidFile) }),
    letEnd: async (text = 'done') => {
      const writer = await open(pipe, 'w');
      await writer.writeFile(`${text}\n`);
      await writer.close();
    },
    starts: () => ledgerLines(ledger),
  };
}

/** The model asks for this shell command. */
export function runs(command: string): Step {
  return calls({ name: 'bash', input: { command } });
}

/** How many lines a file has; none when it is not there. */
export function ledgerLines(path: string): number {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

function readPids(path: string): number[] | undefined {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  return text.endsWith('\n') ? text.trim().split(' ').map(Number) : undefined;
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
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z');
  } catch {
    return false;
  }
}
