import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { calls, type Step } from './model/script.ts';
import { argumentsOf, childrenOf, processesWith } from './processes.ts';
import { until } from './until.ts';

/** A command that says it is there, and then waits until the test lets it end. */
export interface HeldCommand {
  /** What the model asks for. Appends a line to the ledger when it starts, so that a second run shows. */
  readonly step: Step;
  readonly command: string;
  /** The process ids of its shell and of a child of it, as the machine counts them; those that have ended are left out. Resolves once the command runs. */
  pids(): Promise<number[]>;
  /** Lets it end: it prints the text and succeeds. */
  letEnd(text?: string): Promise<void>;
  /** How often it was started. */
  starts(): number;
}

let count = 0;

/** Output: `up` at once, and after `letEnd` its text. The pipe it waits at and its ledger are files of the workspace. */
export async function heldCommand(workspace: string): Promise<HeldCommand> {
  count += 1;
  const name = `held-${process.pid}-${count}`;
  const pipe = join(workspace, `${name}.pipe`);
  const ledger = join(workspace, `${name}.ledger`);
  const upFile = join(workspace, `${name}.up`);
  await promisify(execFile)('mkfifo', [pipe]);
  const command = `echo start >> ${name}.ledger; sleep 1000 & echo > ${name}.up; echo up; cat ${name}.pipe; kill $!; wait $! 2> /dev/null; true`;
  return {
    command,
    step: runs(command),
    pids: () => until({ what: `${name} to run`, pollMs: 10, deadlineMs: 20_000, check: () => (existsSync(upFile) ? shellAndChild(`${name}.up`) : undefined) }),
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

/**
 * The shell that runs a line with this word in it, and its child. By what the machine sees: in a sandbox a command counts its own processes from 1.
 * Undefined while the shell has forked the child and that is not `sleep` yet.
 */
function shellAndChild(word: string): number[] | undefined {
  const shell = processesWith(word).find(({ program }) => program === 'bash');
  if (shell === undefined) return [];
  const children = childrenOf(shell.pid).filter((pid) => argumentsOf(pid)[0] === 'sleep');
  return children.length === 0 ? undefined : [shell.pid, ...children];
}
