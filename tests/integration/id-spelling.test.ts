import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { createGate, nodeRig, SessionView, says, waitsFor } from '@tendon/testing';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

test('P13: a session that is named in capital letters is the same one: what happens in it is heard, and it has one turn at a time', async () => {
  const session = await rig.open();
  const gate = createGate();
  rig.model.script([...says('one'), waitsFor(gate)], says('two'));
  await session.say('first');
  await session.untilDelta('text', 'one');
  const capitals = session.id.toUpperCase();
  const other = await SessionView.attach(await rig.connect(), capitals, 0);
  const messageId = crypto.randomUUID().toUpperCase();
  const said = await other.socket.ask('agent:execute', { sessionId: capitals, messageId, text: 'second' });
  assert.deepEqual([said.queued, said.messageId], [true, messageId.toLowerCase()]);
  gate.open();
  const { seq } = await session.untilStatus('idle');
  await other.untilSeq(seq);
  assert.deepEqual(other.events, session.events);
  assert.equal(session.answer, 'two');
});
