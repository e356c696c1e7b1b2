import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { heldCommand, nodeRig, resultText, says, untilEnded } from '@tendon/testing';

const rig = await nodeRig({ isProxied: true });
after(() => rig[Symbol.asyncDispose]());

/** The 15 s of the rule, and some more for a busy machine. */
const AFTER_THE_WAIT_MS = 30_000;

test('C12: a stop waits 15 s for a machine that has fallen silent, then the call is unknown and says that it may still run; it is ended when the machine is back', async () => {
  const session = await rig.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('understood'));
  await session.say('work');
  const call = await session.untilCall('awaiting_approval');
  await session.decide(call, 'approve');
  await session.untilDelta('tool_output', 'up\n');
  const pids = await held.pids();
  rig.proxy.stall();
  const stoppedAt = performance.now();
  await session.socket.ask('agent:stop', { sessionId: session.id });
  const over = await session.untilCallIs(call.id, 'unknown', AFTER_THE_WAIT_MS);
  assert.ok(performance.now() - stoppedAt > 14_000, 'not before');
  assert.match(resultText(over), /may still be running/);
  assert.equal(session.session.status, 'idle');
  assert.notEqual(session.session.stopping, true);

  await session.say('what happened?');
  await session.untilStatus('idle');
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /may still be running/);

  rig.proxy.resume();
  await untilEnded(pids, AFTER_THE_WAIT_MS);
  assert.equal(held.starts(), 1);
  assert.equal((await session.socket.ask('session:attach', { sessionId: session.id })).calls[0]?.state, 'unknown', 'the first end stands');
});
