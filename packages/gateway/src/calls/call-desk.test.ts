import assert from 'node:assert/strict';
import { access, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type GatewayRequest, type ToolResult, textResult } from '@tendon/protocol';
import { commandFor } from '@tendon/testing';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { BrowserHost } from '../browser/browser-host.ts';
import { Journal } from '../journal/journal.ts';
import type { JournalLine } from '../journal/journal-lines.ts';
import { LocalApprovals } from '../policy/local-approvals.ts';
import { OPEN_POLICY } from '../policy/policy.ts';
import { PolicyFile } from '../policy/policy-file.ts';
import { CommandNetworks } from '../sandbox/command-networks.ts';
import { BackgroundProcesses } from '../tools/background.ts';
import { buildRegistry } from '../tools/registry.ts';
import { openWorkspace } from '../tools/workspace.ts';
import { Snapshots } from '../undo/snapshots.ts';
import { CallBook } from './call-book.ts';
import { CallDesk, type CallDeskOptions } from './call-desk.ts';

const log = pino({ level: 'silent' });

/** A desk over real folders, with a journal that can be listened to. */
async function openDesk(onAppend: (line: JournalLine) => Promise<void> = async () => undefined, monotonicMs = () => performance.now()) {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'tendon desk ')));
  for (const folder of ['work', 'home']) await mkdir(join(base, folder));
  const journal = await Journal.open({ path: join(base, 'home', 'journal'), log, newId });
  const workspace = await openWorkspace(join(base, 'work'), join(base, 'home'));
  const finished: [string, ToolResult][] = [];
  const waiters = new Set<() => void>();
  const gatewayId = newId();
  const options: CallDeskOptions = {
    gatewayId,
    workspaces: [workspace],
    registry: buildRegistry(),
    policy: await PolicyFile.open(join(base, 'home', 'gateway-policy.json'), log),
    approvals: new LocalApprovals(gatewayId),
    journal: {
      entries: () => journal.entries(),
      entry: (callId) => journal.entry(callId),
      isForgotten: (callId) => journal.isForgotten(callId),
      append: async (line) => {
        await onAppend(line);
        return journal.append(line);
      },
    },
    background: new BackgroundProcesses(),
    snapshots: new Snapshots({ folder: join(base, 'undo'), log, now: () => new Date() }),
    browser: new BrowserHost({ folder: join(base, 'browser'), policy: { current: async () => ({ ok: true, policy: OPEN_POLICY }) }, reserved: [] }),
    networks: new CommandNetworks({ policy: { current: async () => ({ ok: true, policy: OPEN_POLICY }) }, reserved: [] }),
    refusals: { note: () => undefined },
    log,
    now: () => new Date(0),
    monotonicMs,
    reports: {
      started: () => undefined,
      output: () => undefined,
      finished: (callId, result) => {
        finished.push([callId, result]);
        for (const wake of waiters) wake();
      },
    },
  };
  const desk = new CallDesk(options);
  const hello = { gatewayId, workspaces: [{ path: workspace.root, name: 'work' }] } as GatewayRequest<'gateway:hello'>;
  return {
    desk,
    options,
    journal,
    finished,
    root: workspace.root,
    command: (tool: string, input: unknown) => commandFor(hello, { tool, input }),
    end: () => new Promise<void>((resolve) => waiters.add(resolve)),
    async [Symbol.asyncDispose]() {
      await desk.close();
      await journal.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

test('G15: started is on the disk before the effect, done before the report', async () => {
  const order: string[] = [];
  const place: { root?: string; finished?: unknown[] } = {};
  await using rig = await openDesk(async (line) => {
    order.push(`${line.kind}, file ${await exists(join(place.root ?? '', 'effect'))}, reported ${place.finished?.length}`);
  });
  place.root = rig.root;
  place.finished = rig.finished;
  const end = rig.end();
  assert.deepEqual(await rig.desk.dispatch(rig.command('write_file', { path: 'effect', content: '' })), { accepted: true });
  await end;
  assert.deepEqual(order, ['started, file false, reported 0', 'done, file true, reported 0']);
});

test('G33, I2: what the process slept through between taking a call and beginning it is not begun, and says so', async () => {
  let nowMs = 0;
  const sleeps = async (line: JournalLine) => {
    if (line.kind === 'started') nowMs += 10_001;
  };
  await using rig = await openDesk(sleeps, () => nowMs);
  const command = rig.command('bash', { command: 'touch effect' });
  const end = rig.end();
  assert.deepEqual(await rig.desk.dispatch(command), { accepted: true });
  await end;
  const result = rig.finished[0]?.[1];
  assert.deepEqual([result?.status, result?.error?.code], ['failed', 'too_late']);
  assert.equal(await exists(join(rig.root, 'effect')), false);
  assert.equal(rig.journal.entry(command.callId)?.result?.error?.code, 'too_late');
});

test('G15: what cannot be written down is not started, while reading still works', async () => {
  await using rig = await openDesk();
  await rig.journal.close();
  const refused = await rig.desk.dispatch(rig.command('bash', { command: 'touch effect' }));
  assert.ok(!refused.accepted && refused.error.code === 'journal_unavailable');
  assert.equal(await exists(join(rig.root, 'effect')), false);
  const end = rig.end();
  assert.deepEqual(await rig.desk.dispatch(rig.command('glob', { pattern: '*' })), { accepted: true });
  await end;
  assert.equal(rig.finished[0]?.[1].status, 'succeeded');
});

test('G15, I3: what a dead gateway had started is unknown and never begun again, also when the disk did not take that', async () => {
  await using rig = await openDesk();
  const command = rig.command('bash', { command: 'touch effect' });
  await rig.journal.append({ kind: 'started', callId: command.callId, tool: 'bash', inputHash: command.inputHash, at: new Date(0).toISOString() });
  const next = new CallDesk(rig.options);
  assert.deepEqual(
    next.book.report().map(({ callId, state, result }) => [callId, state, result?.status]),
    [[command.callId, 'unknown', 'unknown']],
  );
  assert.deepEqual(await next.dispatch(command), { accepted: true });
  assert.deepEqual(
    rig.finished.map(([callId, result]) => [callId, result.status]),
    [[command.callId, 'unknown']],
  );
  assert.equal(await exists(join(rig.root, 'effect')), false);
  await next.close();
});

test('G12: a call that is over and acknowledged is not run again', async () => {
  await using rig = await openDesk();
  const command = rig.command('bash', { command: 'echo' });
  const end = rig.end();
  await rig.desk.dispatch(command);
  await end;
  await rig.desk.forget(command.callId);
  await rig.desk.forget(command.callId);
  const again = await rig.desk.dispatch(command);
  assert.ok(!again.accepted && again.error.code === 'already_over');
});

test('G12: a call that is over is neither run nor cancelled while the disk takes the note of that', async () => {
  const atDisk = Promise.withResolvers<void>();
  const isTaken = Promise.withResolvers<void>();
  await using rig = await openDesk(async (line) => {
    if (line.kind !== 'forgotten') return;
    atDisk.resolve();
    await isTaken.promise;
  });
  const command = rig.command('bash', { command: 'echo run >> ledger' });
  const ended = rig.end();
  assert.deepEqual(await rig.desk.dispatch(command), { accepted: true });
  await ended;
  const forgotten = rig.desk.forget(command.callId);
  await atDisk.promise;
  const repeat = await rig.desk.dispatch(command);
  assert.equal(repeat.accepted === false && repeat.error.code, 'already_over');
  rig.desk.cancel({ callId: command.callId });
  assert.equal(rig.finished.length, 1);
  isTaken.resolve();
  await forgotten;
  assert.equal(await readFile(join(rig.root, 'ledger'), 'utf8'), 'run\n');
});

test('G14: a cancel between the dispatch and its start keeps the call from starting', async () => {
  const cancel: { now?: () => void } = {};
  await using rig = await openDesk(async (line) => {
    if (line.kind === 'started') cancel.now?.();
  });
  const command = rig.command('bash', { command: 'touch effect' });
  cancel.now = () => rig.desk.cancel({ callId: command.callId });
  const end = rig.end();
  await rig.desk.dispatch(command);
  await end;
  assert.equal(rig.finished[0]?.[1].status, 'cancelled');
  assert.equal(await exists(join(rig.root, 'effect')), false);
});

test('G10: over a hundred calls at once, and a desk that closes, are refused with the reason', async () => {
  await using rig = await openDesk();
  const answers = await Promise.all(Array.from({ length: 101 }, () => rig.desk.dispatch(rig.command('bash', { command: 'sleep 600' }))));
  const refused = answers.filter((answer) => !answer.accepted);
  assert.deepEqual(
    refused.map((answer) => !answer.accepted && answer.error.code),
    ['busy'],
  );
  const closing = rig.desk.close();
  const late = await rig.desk.dispatch(rig.command('glob', { pattern: '*' }));
  assert.ok(!late.accepted && late.error.code === 'shutting_down');
  await closing;
  assert.equal(rig.finished.length, 100);
});

test('G6: results beyond what a hello can hold are told as still running, never as finished without a result', () => {
  const book = new CallBook();
  for (let index = 0; index < 5; index += 1) book.set(`call ${index}`, { kind: 'finished', result: textResult('succeeded', 'x'.repeat(900_000)) });
  book.set('lost', { kind: 'finished', result: textResult('unknown', 'x') });
  const report = book.report();
  assert.deepEqual(
    report.map((call) => [call.state, call.result !== undefined]),
    [
      ['finished', true],
      ['finished', true],
      ['running', false],
      ['running', false],
      ['running', false],
      ['running', false],
    ],
  );
});

test('G34: a call that was refused is refused again, though now it could run', async () => {
  await using rig = await openDesk();
  const command = rig.command('bash', { command: 'echo x >> ran.txt' });
  const first = await rig.desk.dispatch({ ...command, workspace: '/elsewhere' });
  assert.ok(!first.accepted && first.error.code === 'unknown_workspace');
  assert.deepEqual(await rig.desk.dispatch(command), first);
  await assert.rejects(access(join(rig.root, 'ran.txt')));
  assert.deepEqual(await rig.desk.dispatch(rig.command('bash', { command: 'true' })), { accepted: true });
});

test('G13, G52: a policy file that breaks between the answer to a call and its start has nothing shown', async () => {
  await using rig = await openDesk();
  await writeFile(join(rig.root, 'a.txt'), 'canary\n');
  const looks: boolean[] = [];
  const current: CallDeskOptions['policy']['current'] = async () => {
    looks.push(true);
    return looks.length % 2 === 1 ? { ok: true, policy: OPEN_POLICY } : { ok: false, message: 'It is broken.' };
  };
  const desk = new CallDesk({ ...rig.options, policy: { current } });
  for (const [tool, input, says] of [
    ['read_file', { path: 'a.txt' }, /leads to "a\.txt"\. It is broken/],
    ['grep', { pattern: '.' }, /^Nothing matches.*\n\[Left out.*\("\*"\)/],
  ] as const) {
    const end = rig.end();
    assert.deepEqual(await desk.dispatch(rig.command(tool, input)), { accepted: true });
    await end;
    const content = rig.finished.at(-1)?.[1].content[0];
    assert.match(content?.type === 'text' ? content.text : '', says);
  }
  await desk.close();
});

test('G34: what was refused is remembered for the last thousand calls', async () => {
  await using rig = await openDesk();
  const command = rig.command('read_file', { path: 'none.txt' });
  assert.equal((await rig.desk.dispatch({ ...command, workspace: '/elsewhere' })).accepted, false);
  for (let count = 0; count < 1_000; count += 1) await rig.desk.dispatch({ ...rig.command('read_file', { path: 'x' }), workspace: '/elsewhere' });
  assert.deepEqual(await rig.desk.dispatch(command), { accepted: true });
});
