import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import {
  heldCommand,
  isRunning,
  ledgerLines,
  nodeRig,
  resultText,
  runs,
  type SessionView,
  says,
  startTendon,
  temporaryFolder,
  untilEnded,
} from '@tendon/testing';

/** Resolves when the session's socket has been told that the machine is online, or is not. */
function untilOnline(session: SessionView, online: boolean): Promise<unknown> {
  return session.socket.until(
    `the machine to be ${online ? 'online' : 'offline'}`,
    () => session.socket.received.findLast((entry) => entry.name === 'gateway:presence')?.notice.gateway.online === online,
  );
}

describe('a machine that loses its connection in the middle of a command', () => {
  test('G7: the command goes on without the server, and its result arrives once when the machine is back', async () => {
    await using rig = await nodeRig({ isProxied: true });
    const session = await rig.open();
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step], says('It is done.'));
    await session.say('work');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    await session.untilDelta('tool_output', 'up\n');
    const pids = await held.pids();

    await rig.proxy.refuse();
    await untilOnline(session, false);
    assert.equal(session.calls[0]?.state, 'running', 'a lost connection is not an end');
    await held.letEnd('finished alone');
    await untilEnded(pids);
    await rig.proxy.accept();
    await untilOnline(session, true);
    await session.untilStatus('idle');

    const over = await session.untilCallIs(call.id, 'succeeded');
    assert.equal(resultText(over), 'up\nfinished alone\n');
    assert.equal(session.events.filter((event) => event.type === 'call.updated' && event.data.call.state === 'succeeded').length, 1);
    assert.deepEqual([held.starts(), rig.model.requests.length, session.answer], [1, 2, 'It is done.']);
    session.assertGapFree();
  });

  test('G8: a connection that is cut for a moment loses no part of the result, and live output goes on', async () => {
    await using rig = await nodeRig({ isProxied: true });
    const session = await rig.open();
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step], says('It is done.'));
    await session.say('work');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    await session.untilDelta('tool_output', 'up\n');
    rig.proxy.cut();
    await untilOnline(session, false);
    await untilOnline(session, true);
    await held.letEnd('after the cut');
    await session.untilDelta('tool_output', 'after the cut\n');
    await session.untilStatus('idle');
    assert.equal(session.streamed(call.id, 0), 'up\nafter the cut\n');
    assert.equal(held.starts(), 1);
  });

  test('C7: a stop while the machine is away ends the command when the machine is back', async () => {
    await using rig = await nodeRig({ isProxied: true });
    const session = await rig.open();
    const held = await heldCommand(rig.workspace);
    rig.model.script([held.step]);
    await session.say('work');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    await session.untilDelta('tool_output', 'up\n');
    const pids = await held.pids();
    await rig.proxy.refuse();
    await untilOnline(session, false);
    assert.deepEqual(await session.socket.ask('agent:stop', { sessionId: session.id }), { stopped: false });
    assert.equal(session.session.stopping, true);
    assert.ok(pids.every(isRunning), 'nobody could tell it to stop');
    await rig.proxy.accept();
    await session.untilCallIs(call.id, 'cancelled');
    await untilEnded(pids);
    await session.untilStatus('idle');
  });
});

describe('a machine that is away', () => {
  const started = nodeRig();
  after(async () => (await started)[Symbol.asyncDispose]());

  test('C1: an approval given meanwhile leaves the call queued; it runs once when the machine is there again', async () => {
    const rig = await started;
    const session = await rig.open();
    const ledger = 'offline.txt';
    rig.model.script([runs(`echo ran >> ${ledger}`)], says('It ran.'));
    await session.say('work');
    const call = await session.untilCall('awaiting_approval');
    await rig.gateway?.close();
    await untilOnline(session, false);
    assert.equal((await session.decide(call, 'approve')).state, 'queued');
    assert.deepEqual([session.session.status, ledgerLines(join(rig.workspace, ledger))], ['waiting_for_tools', 0]);
    const again = await rig.startGateway();
    await session.untilStatus('idle');
    assert.deepEqual([session.answer, ledgerLines(join(rig.workspace, ledger))], ['It ran.', 1]);
    await again.close();
    await untilOnline(session, false);
  });

  test('S5: a stop takes a call back that its machine has never got', async () => {
    const rig = await started;
    const session = await rig.open();
    rig.model.script([runs('echo ran >> never.txt')]);
    await session.say('work');
    const call = await session.untilCall('awaiting_approval');
    await session.decide(call, 'approve');
    assert.deepEqual(await session.socket.ask('agent:stop', { sessionId: session.id }), { stopped: true });
    await session.untilCallIs(call.id, 'cancelled');
    const gateway = await rig.startGateway();
    await session.socket.ask('session:list', {});
    assert.equal(ledgerLines(join(rig.workspace, 'never.txt')), 0);
    await gateway.close();
  });
});

test('G16: a machine that is killed in the middle of a command reports it as unknown when it is back, ends what is left, and does not run it again', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  await using home = await temporaryFolder();
  const command = {
    args: ['gateway', '--server', rig.url, '--workspace', rig.workspace],
    env: { TENDON_HOME: home.path, TENDON_API_KEY: rig.key },
    scratch: home.path,
  };
  const first = await startTendon(command);
  const session = await rig.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('I will not repeat it.'));
  await session.say('work');
  const call = await session.untilCall('awaiting_approval');
  await session.decide(call, 'approve');
  await session.untilDelta('tool_output', 'up\n');
  const pids = await held.pids();

  await first.end('SIGKILL');
  await untilOnline(session, false);
  assert.ok(pids.some(isRunning), 'the command outlives its gateway');
  await using second = await startTendon(command);
  const over = await session.untilCallIs(call.id, 'unknown');
  assert.equal(over.result?.status, 'unknown');
  await untilEnded(pids);
  await session.untilStatus('idle');
  assert.equal(session.answer, 'I will not repeat it.');
  assert.equal(held.starts(), 1);
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /unknown|not known|may have/i);
  session.assertGapFree();
  assert.equal((await second.end('SIGTERM')).code, 0);
});
