import { type ChildProcess, spawn } from 'node:child_process';
import { failedResult, type ToolResult, utf8Bytes } from '@tendon/protocol';
import { type ShellStart, shellStart } from '../sandbox/sandbox.ts';
import { errorCode, ToolFault } from './faults.ts';
import { OutputKeeper } from './output-keeper.ts';
import { OutputPipe } from './output-pipe.ts';
import { identify, type ProcessIdentity } from './process-table.ts';
import { type CallProcesses, killCallProcesses } from './process-tree.ts';
import { shellEnvironment } from './shell-environment.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from './tool.ts';
import { locateFolder } from './workspace.ts';

/** What the model is given of an output: its beginning and more of its end, where errors stand. */
const HEAD_UNITS = 24 * 1024;
const TAIL_UNITS = 40 * 1024;
/** The kernel's limit for one argument (MAX_ARG_STRLEN), less its end mark. */
const COMMAND_BYTES = 128 * 1024 - 1;

/** What the owner of the machine can do when the sandbox is in the way. */
const WALL_NOTE =
  '[It ran in a sandbox: only the workspace, temporary files and caches can be written. The owner of the machine can name more under "sandbox" in its policy file.]';

interface ShellEnd {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
}

export const bash: LocalTool<'bash'> = {
  name: 'bash',
  async run(input, context) {
    if (utf8Bytes(input.command) > COMMAND_BYTES) {
      throw new ToolFault(
        'too_large',
        `The command has more than ${COMMAND_BYTES} bytes, which is more than a shell can be given. Write it to a file and run that.`,
      );
    }
    if (input.command.includes('\0')) throw new ToolFault('invalid_input', 'The command contains a NUL character. Leave it out.');
    const folder = await locateFolder(context.workspace, input.cwd);
    const policy = await context.policy.current();
    if (!policy.ok) throw new ToolFault('denied_by_machine', policy.message);
    const shell = await shellStart(input.command, { workspace: context.workspace, folder }, policy.policy.sandbox);
    return runCommand({ shell, folder }, context);
  },
};

interface ShellWork {
  readonly shell: ShellStart;
  readonly folder: string;
}

async function runCommand(what: ShellWork, context: ToolContext): Promise<ToolResult> {
  const startedAt = performance.now();
  const keeper = new OutputKeeper(HEAD_UNITS, TAIL_UNITS);
  const pipe = await OutputPipe.create((text) => {
    keeper.add(text);
    context.onOutput(text);
  });
  if (context.signal.aborted) {
    pipe.handedOver();
    pipe.close();
    return endedEarly(endReason(context.signal), '');
  }
  const child = startSurely(what, pipe, context.callId);
  if (child instanceof Error) return notStarted(child, what.shell);
  const ended = endOf(child);
  pipe.handedOver();
  const leader = await leaderOf(child, context);
  const call: CallProcesses = { callId: context.callId, leader };
  const killed = killWhenAborted(context.signal, call);
  const end = await ended;
  // Aborted before or while it ended: the kill is waited for, so that a result never stands beside a process of its call.
  await killed.settle();
  const { isHeld } = await pipe.drain();
  if (isHeld && !context.signal.aborted) context.background.adopt(call, pipe);
  else pipe.close();
  if (end instanceof Error) return notStarted(end, what.shell);
  return shellResult(end, {
    context,
    output: keeper.finish(),
    isHeld,
    isSandboxed: what.shell.isSandboxed,
    durationMs: Math.round(performance.now() - startedAt),
  });
}

/** Some faults are thrown and not told as an event, such as an environment too large for the system. */
function startSurely(what: ShellWork, pipe: OutputPipe, callId: string): ChildProcess | Error {
  try {
    return start(what, pipe, callId);
  } catch (error) {
    pipe.handedOver();
    pipe.close();
    return error instanceof Error ? error : new Error(String(error));
  }
}

function start(what: ShellWork, pipe: OutputPipe, callId: string): ChildProcess {
  return spawn(what.shell.program, [...what.shell.args], {
    cwd: what.folder,
    env: shellEnvironment(process.env, callId),
    detached: true,
    stdio: ['ignore', pipe.writeFd, pipe.writeFd],
  });
}

function endOf(child: ChildProcess): Promise<ShellEnd | Error> {
  return new Promise((resolve) => {
    child.once('error', resolve);
    // Not `close`: a background child that holds the output open must not keep the call open.
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
}

async function leaderOf(child: ChildProcess, context: ToolContext): Promise<ProcessIdentity | undefined> {
  if (child.pid === undefined) return undefined;
  const leader = await identify(child.pid);
  if (leader) context.onSpawned(leader);
  return leader;
}

/** Ends the whole tree once when the call is aborted; `settle` waits for that and stops listening. */
function killWhenAborted(signal: AbortSignal, call: CallProcesses): { settle(): Promise<void> } {
  let killing: Promise<void> | undefined;
  const kill = (): void => {
    killing ??= killCallProcesses(call);
  };
  if (signal.aborted) kill();
  else signal.addEventListener('abort', kill, { once: true });
  return {
    async settle() {
      signal.removeEventListener('abort', kill);
      await killing;
    },
  };
}

function notStarted(error: Error, shell: ShellStart): ToolResult {
  if (errorCode(error) === 'ENOENT' && shell.isSandboxed)
    return failedResult(
      'no_sandbox',
      'bubblewrap is no longer on this machine. Install it again (Debian: apt install bubblewrap), or start the gateway again.',
    );
  if (errorCode(error) === 'ENOENT') return failedResult('no_shell', 'bash was not found on this machine. Install bash, or put it on the PATH of the gateway.');
  return failedResult('not_started', `The command could not be started (${errorCode(error) ?? error.message}). Try again.`);
}

interface ShellRun {
  readonly context: ToolContext;
  readonly output: { text: string; removedBytes: number };
  readonly isHeld: boolean;
  readonly isSandboxed: boolean;
  readonly durationMs: number;
}

function shellResult(end: ShellEnd, run: ShellRun): ToolResult {
  const meta = {
    ...(end.exitCode === null ? {} : { exitCode: end.exitCode }),
    ...(end.signal === null ? {} : { signal: end.signal }),
    durationMs: run.durationMs,
    ...(run.output.removedBytes > 0 ? { truncatedBytes: run.output.removedBytes } : {}),
    ...(run.isHeld ? { background: true } : {}),
    sandboxed: run.isSandboxed,
  };
  if (run.context.signal.aborted) return endedEarly(endReason(run.context.signal), run.output.text, meta);
  const note = run.isHeld ? '\n[A process started in the background still runs. What it prints from here on is not kept; it ends with the gateway.]' : '';
  const text = `${run.output.text === '' ? '(no output)' : run.output.text}${note}`;
  // A line can end well although one of its commands was held back.
  const walled = run.isSandboxed && /read-only file system/i.test(text) ? `\n${WALL_NOTE}` : '';
  if (end.exitCode === 0) return { status: 'succeeded', content: [{ type: 'text', text: `${text}${walled}` }], meta };
  const message = end.signal === null ? `The command ended with exit code ${end.exitCode}.` : `The command was ended by ${end.signal}.`;
  return { status: 'failed', content: [{ type: 'text', text: `${text}\n[${message}]${walled}` }], error: { code: 'exit_code', message }, meta };
}
