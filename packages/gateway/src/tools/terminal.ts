import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { bareEnvironment, identify } from '@tendon/system';
import type { ShellEnd } from './background.ts';
import type { ShellProcess, ShellWork } from './shell-process.ts';
import type { HostOrder, HostReport } from './terminal-host.ts';

/** This machine cannot make terminals. */
export class NoTerminal extends Error {}

const HOST = fileURLToPath(new URL('./terminal-host.ts', import.meta.url));
/** The last arguments of every start: `bash -c -- line`. */
const SHELL_ARGUMENTS = 4;

/** How long a host may take to say that its shell runs: it loads a library and starts a program. */
const FIRST_WORD_MS = 10_000;

interface TerminalPlace {
  readonly outputFd: number;
  readonly environment: Readonly<Record<string, string>>;
  /** The module that is the host; the real one when left out. */
  readonly hostModule?: string;
}

/**
 * Starts a shell in a terminal of its own. What it says goes into `outputFd` by way of a host process, which ends with it. A host that says
 * nothing in its time, or is stopped before it has, is killed: nobody knows yet what it has started.
 */
export function startInTerminal(work: ShellWork, { outputFd, environment, hostModule = HOST }: TerminalPlace): ShellProcess {
  const host = fork(hostModule, { env: bareEnvironment(process.env), execArgv: [], detached: true, stdio: ['ignore', outputFd, 'ignore', 'ipc'] });
  host.on('error', () => undefined);
  tell(host, { kind: 'start', ...throughKeys(work), folder: work.folder, environment });
  const silence = endIfSilent(host, work.signal);
  return {
    leader: new Promise((resolve) => {
      host.on('message', (said: HostReport) => resolve(said.kind === 'started' ? (said.leader ?? identify(said.pid)) : undefined));
      host.once('exit', () => resolve(undefined));
      host.once('error', () => resolve(undefined));
    }),
    ended: endOf(host, silence),
    terminal: { type: (text) => tell(host, { kind: 'type', text }) },
  };
}

/** Whether the host was killed because it had said nothing yet. */
function endIfSilent(host: ChildProcess, signal: AbortSignal): { readonly hasEnded: () => boolean } {
  let isSilent = true;
  let hasEnded = false;
  const kill = (): void => {
    if (!isSilent) return;
    hasEnded = true;
    host.kill('SIGKILL');
  };
  const limit = setTimeout(kill, FIRST_WORD_MS);
  const settle = (): void => {
    isSilent = false;
    clearTimeout(limit);
    signal.removeEventListener('abort', kill);
  };
  for (const event of ['message', 'exit', 'error']) host.once(event, settle);
  if (signal.aborted) kill();
  else signal.addEventListener('abort', kill, { once: true });
  return { hasEnded: () => hasEnded };
}

function endOf(host: ChildProcess, silence: { readonly hasEnded: () => boolean }): Promise<ShellEnd | Error> {
  return new Promise((resolve) => {
    // Of a host that was killed: its terminal has hung up, and nobody knows how the shell took that.
    let last: ShellEnd | Error = { exitCode: null, signal: 'SIGHUP' };
    host.once('error', resolve);
    host.on('message', (said: HostReport) => {
      last = endIn(said) ?? last;
    });
    // Then all that was said is in the pipe, and the host holds it no longer.
    host.once('exit', () => resolve(silence.hasEnded() ? new Error(`its terminal said nothing for ${FIRST_WORD_MS / 1_000} s`) : last));
  });
}

function endIn(said: HostReport): ShellEnd | Error | undefined {
  if (said.kind === 'no_terminal') return new NoTerminal(said.reason);
  if (said.kind === 'not_started') return new Error(said.reason);
  if (said.kind === 'no_program') return Object.assign(new Error('no such program'), { code: 'ENOENT' });
  return said.kind === 'ended' ? { exitCode: said.exitCode, signal: said.signal } : undefined;
}

function tell(host: ChildProcess, order: HostOrder): boolean {
  if (!host.connected) return false;
  host.send(order, () => undefined);
  return true;
}

/**
 * Ctrl-C goes to all programs of a terminal. Bubblewrap outside of its sandbox would end by it and take the terminal along, though what
 * runs inside may handle it, such as an interpreter that goes on.
 */
function throughKeys({ shell }: ShellWork): { program: string; args: readonly string[] } {
  if (!shell.isSandboxed) return { program: shell.program, args: shell.args };
  const outside = ['--ignore-signal=INT', '--ignore-signal=QUIT', shell.program, ...shell.args.slice(0, -SHELL_ARGUMENTS)];
  return { program: 'env', args: [...outside, 'env', '--default-signal=INT,QUIT', ...shell.args.slice(-SHELL_ARGUMENTS)] };
}
