import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createGate, nodeRig, says, waitsFor } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());
const stranger = await rig.addUser();

test("D16: a stranger's message with another person's message id is a conflict and tells nothing of it", async () => {
  const session = await rig.open();
  rig.model.script(says('mine'));
  const { messageId } = await session.say('my secret words');
  await session.untilStatus('idle');
  const other = await rig.connect({ key: stranger.key });
  const own = await other.ask('session:create', { model: 'compatible/scripted' });
  const answer = await other.request('agent:execute', { sessionId: own.session.id, messageId, text: 'my secret words' });
  assert.equal(!answer.ok && answer.error.code, 'conflict');
});

test('T13: a socket that has left a session hears no more of its events', async () => {
  const session = await rig.open();
  const gate = createGate();
  rig.model.script([...says('before'), waitsFor(gate), ...says(' after')]);
  const leaver = await rig.connect();
  await leaver.ask('session:attach', { sessionId: session.id });
  await session.say('go');
  await session.untilDelta('text', 'before');
  await leaver.until('the first delta', () => leaver.received.some((entry) => entry.name === 'session:delta'));
  await leaver.ask('session:detach', { sessionId: session.id });
  const heard = leaver.received.length;
  gate.open();
  await session.untilStatus('idle');
  await leaver.ask('session:list', {});
  assert.deepEqual(
    leaver.received
      .slice(heard)
      .map((entry) => entry.name)
      .filter((name) => name !== 'session:summary'),
    [],
  );
});
