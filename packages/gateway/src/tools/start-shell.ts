import { type ChildProcess, spawn } from 'node:child_process';
import { identify, identifyChild, type ProcessIdentity } from '@tendon/system';
import type { ShellEnd } from './background.ts';
import type { OutputPipe } from './output-pipe.ts';
import type { ShellProcess, ShellWork } from './shell-process.ts';
import { startInTerminal } from './terminal.ts';

/** The writing end of the pipe is given away, or closed. */
export function startShell(work: ShellWork, pipe: OutputPipe, environment: Readonly<Record<string, string>>): ShellProcess {
  try {
    return work.hasTerminal ? startInTerminal(work, { outputFd: pipe.writeFd, environment }) : startInPipe(work, pipe, environment);
  } catch (error) {
    // Some faults are thrown and not told as an event, such as an environment too large for the system.
    return { leader: Promise.resolve(undefined), ended: Promise.resolve(error instanceof Error ? error : new Error(String(error))) };
  } finally {
    pipe.handedOver();
  }
}

function startInPipe(work: ShellWork, pipe: OutputPipe, environment: Readonly<Record<string, string>>): ShellProcess {
  const child = spawn(work.shell.program, [...work.shell.args], {
    cwd: work.folder,
    env: environment,
    detached: true,
    stdio: ['ignore', pipe.writeFd, pipe.writeFd],
  });
  // A short command may be over before anything is awaited, and what it has left is in its group.
  return { leader: leaderOf(child.pid), ended: endOf(child) };
}

async function leaderOf(pid: number | undefined): Promise<ProcessIdentity | undefined> {
  return pid === undefined ? undefined : (identifyChild(pid) ?? identify(pid));
}

function endOf(child: ChildProcess): Promise<ShellEnd | Error> {
  return new Promise((resolve) => {
    child.once('error', resolve);
    // Not `close`: a background child that holds the output open must not keep the call open.
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
}
