import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { isFinalCallState } from '@tendon/protocol';
import {
  askedText,
  type HeldCommand,
  heldCommand,
  ledgerLines,
  type ModelRequest,
  processRig,
  type Reply,
  runs,
  SessionView,
  type Step,
  says,
  temporaryFolder,
  untilEnded,
  within,
} from '@tendon/testing';
import { CRASH_POINTS, type CrashPoint } from './crash-points.ts';

/*
 * One message for each point: asked, approved, run, answered (or stopped); the process dies at the point, is started again, and the
 * person goes on. Judged from outside: what the clients were told, what the model was asked, what the command did.
 */

const folder = await temporaryFolder();
const armed = join(folder.path, 'crash-at');
const preload = pathToFileURL(join(import.meta.dirname, 'arm-crash-points.ts')).href;
const rig = await processRig({ env: { NODE_OPTIONS: `--import=${preload}`, TENDON_TEST_CRASH_AT: armed } });
after(async () => {
  await rig[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

let server = await rig.start();
let gateway = await rig.startGateway();
rig.model.otherwise(answerTo);

/** Only met when something is wrong. A machine that has lost its server comes back after a pause of its own (G2). */
const AT_REST_MS = 60_000;
const CRASH_MS = 30_000;

/** `run COMMAND` asks for that command; anything else, and every result of a tool, ends the turn. */
function answerTo(request: ModelRequest): Reply | readonly Step[] {
  const text = askedText(request);
  return text.startsWith('run ') ? [runs(text.slice(4))] : says('Done.');
}

interface Task {
  readonly point: CrashPoint;
  readonly sessionId: string;
  readonly messageId: string;
  readonly text: string;
  /** What the command leaves behind, a line for each time it began. */
  readonly begun: () => number;
  readonly held: HeldCommand | undefined;
  /** What a client was told before the crash. */
  readonly before: SessionView;
}

async function newTask(point: CrashPoint): Promise<Task> {
  const before = await SessionView.create(await rig.connect());
  const messageId = randomUUID();
  if (point.leg !== 'work') {
    const held = await heldCommand(rig.workspace);
    return { point, sessionId: before.id, messageId, text: `run ${held.command}`, begun: held.starts, held, before };
  }
  const ledger = `ledger-${messageId}`;
  const begun = (): number => ledgerLines(join(rig.workspace, ledger));
  return { point, sessionId: before.id, messageId, text: `run echo begun >> ${ledger}; sleep 0.1`, begun, held: undefined, before };
}

function arm({ name }: CrashPoint): void {
  writeFileSync(armed, name);
}

/** Fails when the process did not die at the point that was armed. */
function disarm({ name }: CrashPoint): void {
  assert.equal(existsSync(`${armed}.reached`) ? readFileSync(`${armed}.reached`, 'utf8') : undefined, name, 'the point was reached');
  for (const path of [armed, `${armed}.reached`]) rmSync(path);
}

/** Approves what waits until the session rests. */
async function untilRest(view: SessionView, deadlineMs = AT_REST_MS): Promise<void> {
  for (;;) {
    const next = await view.socket.until(
      `session ${view.id} to rest; it is ${view.session.status}`,
      () => (view.session.status === 'idle' ? 'rest' : view.calls.find((call) => call.state === 'awaiting_approval')),
      deadlineMs,
    );
    if (next === 'rest') return;
    await view.decide(next, 'approve');
  }
}

/** What a person does until the crash; what comes of it is not known to them. */
async function begin(task: Task): Promise<void> {
  const { before, messageId, text, held, point } = task;
  if (point.leg === 'work') arm(point);
  await before.say(text, { messageId });
  if (!held) return untilRest(before, CRASH_MS);
  await before.decide(await before.untilCall('awaiting_approval'), 'approve');
  await held.pids();
  // The server knows that it runs: what ended it is then never a loss of the start's report.
  await before.untilCall('running');
  if (point.leg === 'return') return;
  arm(point);
  await before.socket.ask('agent:stop', { sessionId: task.sessionId });
  await untilRest(before, CRASH_MS);
}

async function crash(task: Task): Promise<void> {
  const { part, leg } = task.point;
  if (leg === 'return') return crashAtReturn(task);
  const dying = part === 'server' ? server : gateway;
  // What becomes of the person's wishes is not known to them: their connection may have ended.
  void begin(task).catch(() => undefined);
  const exit = await within(`the ${part} to die`, dying.exited, CRASH_MS);
  assert.equal(exit.signal, 'SIGKILL');
  disarm(task.point);
  if (part === 'server') server = await rig.start();
  else gateway = await rig.startGateway();
}

/** The gateway dies in mid-command; the crash comes when it is back. */
async function crashAtReturn(task: Task): Promise<void> {
  await begin(task);
  await gateway.end('SIGKILL');
  arm(task.point);
  const back = rig.startGateway().catch(() => undefined);
  if (task.point.part === 'server') {
    await within('the server to die', server.exited, CRASH_MS);
    disarm(task.point);
    server = await rig.start();
  }
  const returned = await back;
  if (task.point.part === 'gateway') disarm(task.point);
  gateway = returned ?? (await rig.startGateway());
}

/** What a person does who comes back: the message again under its id, the stop again, the approvals that still wait. */
async function goOn(task: Task): Promise<SessionView> {
  const view = await SessionView.attach(await rig.connect(), task.sessionId, 0);
  await view.say(task.text, { messageId: task.messageId });
  if (task.point.leg === 'stop') await view.socket.ask('agent:stop', { sessionId: task.sessionId });
  await untilRest(view);
  return view;
}

async function judge(task: Task, view: SessionView): Promise<void> {
  const { point, begun, held, before } = task;
  const [call, ...more] = view.calls;
  assert.ok(call && more.length === 0, `one call, not ${view.calls.length} (I3)`);
  assert.equal(view.messages.filter((message) => message.role === 'user').length, 1, 'the message is there once (I1)');
  assert.ok(isFinalCallState(call.state), `the call is over (I18), it is ${call.state}`);
  assert.ok(begun() <= 1, `the command began ${begun()} times (I3)`);
  if (call.state === 'succeeded') assert.equal(begun(), 1, 'what succeeded ran (I11)');
  view.assertGapFree();
  const known = before.events;
  assert.deepEqual(view.events.slice(0, known.length), known, 'what a client was told is what is stored (I8)');
  const finals = view.events.flatMap((event) => (event.type === 'call.updated' && isFinalCallState(event.data.call.state) ? [event.data.call.state] : []));
  assert.equal(new Set(finals).size, 1, `one final state, not ${finals.join(', ')} (I2)`);
  if (point.leg === 'work' && point.part === 'server') {
    assert.equal(call.state, 'succeeded', 'the machine lived, so nothing is unknown (I4)');
    assert.equal(view.answer, 'Done.');
  }
  if (held) await untilEnded(await held.pids());
}

describe('a process dies at each crash point, and the session goes on', () => {
  for (const point of CRASH_POINTS) {
    test(`I1, I2, I3, I8, I18: ${point.part}, ${point.name}`, async () => {
      const task = await newTask(point);
      await crash(task);
      const view = await goOn(task);
      await judge(task, view);
      view.socket.close();
      task.before.socket.close();
      if (point.part === 'gateway') return;
      // A machine of its own for each: one that has lost its server again and again takes its time (G2).
      await gateway.end('SIGTERM');
      gateway = await rig.startGateway();
    });
  }
});
