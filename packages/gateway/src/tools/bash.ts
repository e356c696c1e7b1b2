import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { failedResult, type ToolResult, utf8Bytes } from '@tendon/protocol';
import { type CallProcesses, hasLeftovers, killCallProcesses, markedByLimit, mayBeAlive, type ProcessIdentity, shellEnvironment } from '@tendon/system';
import { withNetworkNotes } from '../sandbox/refusal-notes.ts';
import { shellStart } from '../sandbox/sandbox.ts';
import type { KeptOutput, LeftRunning, ShellEnd } from './background.ts';
import { EndFolderReport, type NextPlace, nextPlace } from './end-folder.ts';
import { ToolFault } from './faults.ts';
import { notStarted } from './not-started.ts';
import { OutputKeeper } from './output-keeper.ts';
import { OutputPipe } from './output-pipe.ts';
import type { ShellProcess, ShellWork } from './shell-process.ts';
import { startShell } from './start-shell.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from './tool.ts';
import { locateFolder, type Workspace } from './workspace.ts';

/** What the model is given of an output: its beginning and more of its end, where errors stand. */
const HEAD_UNITS = 24 * 1024;
const TAIL_UNITS = 40 * 1024;
/** The kernel's limit for one argument (MAX_ARG_STRLEN), less its end mark. */
const COMMAND_BYTES = 128 * 1024 - 1;
/** How long a command that goes on in the background is watched before its call is over. */
const FIRST_MOMENT_MS = 1_000;

/** What the owner of the machine can do when the sandbox is in the way. */
const WALL_NOTE =
  '[It ran in a sandbox: only the workspace, temporary files and caches can be written. The owner of the machine can name more under "sandbox" in its policy file.]';

/** bubblewrap says so before it starts anything. */
const NO_SANDBOX = /^bwrap: /;
const NO_SANDBOX_NOTE =
  '[Its sandbox could not be made, so the command did not begin. A file or socket that is hidden from commands went away in that moment, or cannot be hidden: run it again.]';

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
    const folder = await startFolder(context.workspace, input.cwd);
    if (typeof folder !== 'string') return folder;
    const policy = await context.policy.current();
    if (!policy.ok) throw new ToolFault('denied_by_machine', policy.message);
    const place = { workspace: context.workspace, folder, joinNetwork: () => context.networks.join(context.sessionId) };
    const shell = await shellStart(input.command, place, policy.policy.sandbox);
    const { command, background, terminal } = input;
    try {
      const result = await runCommand(
        { shell, folder, command, isInBackground: background === true, hasTerminal: terminal === true, signal: context.signal },
        context,
      );
      return shell.seat ? withNetworkNotes(result, shell.seat.notes) : result;
    } finally {
      shell.seat?.leave();
    }
  },
};

/** The folder that a person was shown is the one in which it runs, or it does not run: nothing is put in its place. */
async function startFolder(workspace: Workspace, cwd: string | undefined): Promise<string | ToolResult> {
  try {
    return await locateFolder(workspace, cwd);
  } catch (error) {
    if (!(error instanceof ToolFault) || cwd === undefined || error.code === 'busy') throw error;
    return failedResult(error.code, `${error.message} Nothing was run. The next command starts in the workspace, unless it names a folder.`, { folder: '.' });
  }
}

async function runCommand(what: ShellWork, context: ToolContext): Promise<ToolResult> {
  // Only what ends before its call does says where the session is.
  const report = what.isInBackground ? undefined : await EndFolderReport.create();
  try {
    return await runReported(what, context, report);
  } finally {
    await report?.close();
  }
}

async function runReported(what: ShellWork, context: ToolContext, report: EndFolderReport | undefined): Promise<ToolResult> {
  const startedAt = performance.now();
  const keeper = new OutputKeeper(HEAD_UNITS, TAIL_UNITS);
  const keeping: Omit<KeptOutput, 'end'> = {
    sessionId: context.sessionId,
    command: what.command,
    startedAt: new Date(),
    spool: context.background.openSpool(context.callId),
  };
  const pipe = await OutputPipe.create((text) => {
    keeper.add(text);
    keeping.spool.add(text);
    context.onOutput(text);
  });
  if (context.signal.aborted) {
    pipe.handedOver();
    pipe.close();
    return endedEarly(endReason(context.signal), '');
  }
  // In a sandbox none gets away: there the first process of its space of processes is its last parent.
  const shell = what.shell.isSandboxed ? what.shell : markedByLimit(what.shell, context.callId);
  const child = startShell({ ...what, shell }, pipe, {
    ...shellEnvironment(process.env, context.callId),
    ...what.shell.seat?.environment,
    ...report?.environment,
  });
  const { ended, terminal } = child;
  const leader = await leaderOf(child, context);
  const call: CallProcesses = { callId: context.callId, leader };
  const killed = killWhenAborted(context.signal, call);
  const early =
    what.isInBackground && (await isStillThere(ended, context.signal))
      ? await leaveRunning({ ...keeping, call, pipe, seat: what.shell.seat, shell: ended, terminal }, context)
      : undefined;
  if (early !== undefined) {
    await killed.settle();
    if (!(await isStopped(early, context))) return startedInBackground({ id: early, hasTerminal: what.hasTerminal }, keeper.finish().text);
  }
  const end = await ended;
  // Aborted before or while it ended: the kill is waited for, so that a result never stands beside a process of its call.
  await killed.done();
  const { isHeld } = await pipe.drain();
  const goesOn = isHeld || (await hasLeftovers(call));
  const output = keeper.finish();
  const kept = { ...keeping, call, pipe, seat: what.shell.seat, end: end instanceof Error ? undefined : end };
  const id = early ?? (await keepRest({ goesOn: goesOn && !context.signal.aborted, isCut: output.removedBytes > 0 }, context, kept));
  const place = what.isInBackground ? undefined : await endPlace(what, context, report);
  // Only now: what it has left running is ended by a stop that comes while that is kept.
  await killed.settle();
  const isOver = (await isStopped(id, context)) || !goesOn;
  if (end instanceof Error) return context.signal.aborted ? endedEarly(endReason(context.signal), output.text) : notStarted(end, what.shell.isSandboxed);
  return shellResult(end, {
    context,
    output,
    place,
    goesOn: !isOver,
    keptAs: id,
    isSandboxed: what.shell.isSandboxed,
    durationMs: Math.round(performance.now() - startedAt),
  });
}

/** Where the session's next command starts, as far as this one has told. */
async function endPlace(what: ShellWork, { workspace }: ToolContext, report: EndFolderReport | undefined): Promise<NextPlace> {
  return nextPlace(relative(workspace.root, what.folder), (await report?.read(workspace)) ?? { kind: 'unknown' });
}

/** What goes on is written into a book on the disk before its call is over: a stop that comes meanwhile is one of the call, and ends all of it. */
async function isStopped(id: string | undefined, { background, sessionId, signal }: ToolContext): Promise<boolean> {
  if (id !== undefined && signal.aborted) await background.stop(sessionId, id);
  return signal.aborted;
}

/** What of a command outlives its call: processes that still run, and the whole of an output that was cut. */
async function keepRest(
  what: { readonly goesOn: boolean; readonly isCut: boolean },
  { background }: ToolContext,
  { call, pipe, seat, end, ...kept }: LeftRunning & { readonly end: ShellEnd | undefined },
): Promise<string | undefined> {
  if (what.goesOn) return background.adopt({ ...kept, call, pipe, seat });
  pipe.close();
  if (what.isCut) return background.keep({ ...kept, end });
  kept.spool.close();
  return undefined;
}

/** The id under which it goes on; undefined when it has ended in this very moment, or is to end. */
async function leaveRunning(left: LeftRunning, { background, signal }: ToolContext): Promise<string | undefined> {
  const { isHeld } = await left.pipe.drain();
  // One that has closed its output goes on all the same. While it is held nothing is waited for here: what it says meanwhile would be lost.
  const goesOn = isHeld || (await mayBeAlive(left.call));
  return goesOn && !signal.aborted ? background.adopt(left) : undefined;
}

/** Whether a command that is to go on in the background has got through its first moment, in which most wrong ones end. */
function isStillThere(ended: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  const moment = delay(FIRST_MOMENT_MS, true, { signal }).catch(() => false);
  return Promise.race([moment, ended.then(() => false)]);
}

function startedInBackground({ id, hasTerminal }: { readonly id: string; readonly hasTerminal: boolean }, output: string): ToolResult {
  const soFar = output === '' ? 'It has said nothing so far.' : `Its output so far:\n${output}`;
  const text = `It runs in the background as ${id}, and ends with the gateway. read_process shows what it says, ${hasTerminal ? 'write_process types into it, ' : ''}stop_process ends it. ${soFar}`;
  return { status: 'succeeded', content: [{ type: 'text', text }], meta: { background: true, process: id } };
}

async function leaderOf(child: ShellProcess, context: ToolContext): Promise<ProcessIdentity | undefined> {
  const leader = await child.leader;
  if (leader) context.onSpawned(leader);
  return leader;
}

/** Ends the whole tree once when the call is aborted; `done` waits for that where it has begun, and `settle` also stops listening. */
function killWhenAborted(signal: AbortSignal, call: CallProcesses): { done(): Promise<void>; settle(): Promise<void> } {
  let killing: Promise<void> | undefined;
  const kill = (): void => {
    killing ??= killCallProcesses(call);
  };
  if (signal.aborted) kill();
  else signal.addEventListener('abort', kill, { once: true });
  return {
    async done() {
      await killing;
    },
    async settle() {
      signal.removeEventListener('abort', kill);
      await killing;
    },
  };
}

function noteOf({ goesOn, keptAs }: ShellRun): string {
  if (goesOn)
    return `\n[A process that it started in the background still runs as ${keptAs}, and ends with the gateway. read_process shows what it says, stop_process ends it.]`;
  return keptAs === undefined ? '' : `\n[All of the output is kept as ${keptAs}: read_process with a fromByte shows what was left out.]`;
}

interface ShellRun {
  readonly context: ToolContext;
  readonly output: { text: string; removedBytes: number };
  readonly goesOn: boolean;
  /** Where the rest of its output is read, or what still runs. */
  readonly keptAs: string | undefined;
  readonly isSandboxed: boolean;
  readonly durationMs: number;
  /** Where the session's next command starts; undefined for what does not change that. */
  readonly place: NextPlace | undefined;
}

function shellResult(end: ShellEnd, run: ShellRun): ToolResult {
  const meta: ToolResult['meta'] & object = {
    ...(end.exitCode === null ? {} : { exitCode: end.exitCode }),
    ...(end.signal === null ? {} : { signal: end.signal }),
    durationMs: run.durationMs,
    ...(run.output.removedBytes > 0 ? { truncatedBytes: run.output.removedBytes } : {}),
    ...(run.goesOn ? { background: true } : {}),
    ...(run.keptAs === undefined ? {} : { process: run.keptAs }),
    sandboxed: run.isSandboxed,
  };
  if (run.context.signal.aborted) return endedEarly(endReason(run.context.signal), run.output.text, meta);
  if (run.place) meta.folder = run.place.folder;
  const note = `${noteOf(run)}${run.place?.note ?? ''}`;
  const text = `${run.output.text === '' ? '(no output)' : run.output.text}${note}`;
  // A line can end well although one of its commands was held back.
  const walled = run.isSandboxed ? wallNote(text) : '';
  if (end.exitCode === 0) return { status: 'succeeded', content: [{ type: 'text', text: `${text}${walled}` }], meta };
  const message = end.signal === null ? `The command ended with exit code ${end.exitCode}.` : `The command was ended by ${end.signal}.`;
  return { status: 'failed', content: [{ type: 'text', text: `${text}\n[${message}]${walled}` }], error: { code: 'exit_code', message }, meta };
}

/** Begins with a new line, when there is one. */
function wallNote(text: string): string {
  if (NO_SANDBOX.test(text)) return `\n${NO_SANDBOX_NOTE}`;
  return /read-only file system/i.test(text) ? `\n${WALL_NOTE}` : '';
}
