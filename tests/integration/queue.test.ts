import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, test } from 'node:test';
import { createGate, nodeRig, SessionView, says, textOf, waitsFor } from '@tendon/testing';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

/** A session whose agent works until the gate opens. */
async function busy() {
  const session = await rig.open();
  const gate = createGate();
  rig.model.script([...says('first'), waitsFor(gate)]);
  await session.say('one');
  await session.untilDelta('text', 'first');
  return { session, gate };
}

const said = (session: SessionView): string[] => session.messages.map((message) => textOf(message));

test('S2: messages that are sent while the agent works wait, and are answered in order', async () => {
  const { session, gate } = await busy();
  rig.model.script(says('second'), says('third'));
  const two = await session.say('two');
  const three = await session.say('three');
  assert.deepEqual([two.queued, three.queued], [true, true]);
  assert.deepEqual(
    session.messages.filter((message) => message.state === 'queued').map((message) => textOf(message)),
    ['two', 'three'],
  );
  gate.open();
  await session.untilStatus('idle');
  await session.socket.until('the last answer', () => session.answer === 'third');
  assert.deepEqual(said(session), ['one', 'first', 'two', 'second', 'three', 'third']);
  session.assertGapFree();
});

test('S12: a queued message can be taken back until its turn has come', async () => {
  const { session, gate } = await busy();
  rig.model.script(says('third'));
  const two = await session.say('two');
  await session.say('three');
  await session.socket.ask('message:cancel', { sessionId: session.id, messageId: two.messageId });
  const again = await session.socket.request('message:cancel', { sessionId: session.id, messageId: two.messageId });
  assert.equal(!again.ok && again.error.code, 'not_found');
  gate.open();
  await session.socket.until('the last answer', () => session.answer === 'third');
  assert.deepEqual(said(session), ['one', 'first', 'three', 'third']);
  const late = await session.socket.request('message:cancel', { sessionId: session.id, messageId: session.messages[0]?.id ?? '' });
  assert.equal(!late.ok && late.error.code, 'conflict');
});

test('S4: an interrupting message goes before the queue', async () => {
  const { session } = await busy();
  rig.model.script(says('urgent answer'), says('second'));
  await session.say('two');
  await session.say('urgent', { mode: 'interrupt' });
  await session.socket.until('the last answer', () => session.answer === 'second');
  assert.deepEqual(said(session), ['one', 'first', 'urgent', 'urgent answer', 'two', 'second']);
});

test('S3: the same message again gets the first answer and adds nothing, whether it waits, works or is over', async () => {
  const { session, gate } = await busy();
  const before = rig.model.requests.length;
  const messageId = randomUUID();
  const first = await session.say('two', { messageId });
  assert.deepEqual(await session.say('two', { messageId }), first);
  rig.model.script(says('second'));
  gate.open();
  await session.socket.until('the last answer', () => session.answer === 'second');
  assert.deepEqual(await session.say('two', { messageId }), first);
  assert.deepEqual(said(session), ['one', 'first', 'two', 'second']);
  assert.equal(rig.model.requests.length, before + 1);
});

test('S3: a message whose acknowledgement was lost is sent again on a new connection, and stands there once', async () => {
  const session = await rig.open();
  rig.model.script(says('heard you'));
  const messageId = randomUUID();
  const first = await rig.connect();
  first.sendBlindly('agent:execute', { sessionId: session.id, messageId, text: 'anyone there?' });
  await session.socket.until('the message', () => session.messages.some((message) => message.id === messageId));
  first.close();
  const second = await SessionView.attach(await rig.connect(), session.id, 0);
  const answers = await Promise.all([second.say('anyone there?', { messageId }), second.say('anyone there?', { messageId })]);
  assert.deepEqual(answers[0], answers[1]);
  await session.untilStatus('idle');
  assert.deepEqual(said(session), ['anyone there?', 'heard you']);
});

test('S3: the same id with other words, or in another session, is a conflict', async () => {
  const session = await rig.open();
  const other = await rig.open();
  rig.model.script(says('ok'));
  const { messageId } = await session.say('this');
  await session.untilStatus('idle');
  for (const [view, text] of [
    [session, 'that'],
    [other, 'this'],
  ] as const) {
    const answer = await view.socket.request('agent:execute', { sessionId: view.id, messageId, text });
    assert.equal(!answer.ok && answer.error.code, 'conflict');
  }
  assert.equal(other.events.length, 1);
});

test('S2: twenty messages from four sockets at once are all answered, once each and without a gap', async () => {
  const session = await rig.open();
  rig.model.otherwise((request) => says(`answer ${request.number}`));
  const sockets = await Promise.all([1, 2, 3, 4].map(() => rig.connect()));
  const texts = Array.from({ length: 20 }, (_, index) => `message ${index}`);
  await Promise.all(texts.map((text, index) => sockets[index % 4]?.ask('agent:execute', { sessionId: session.id, messageId: randomUUID(), text })));
  await session.socket.until(
    'all answers',
    () => session.session.status === 'idle' && session.messages.filter((message) => message.role === 'assistant').length === 20,
    20_000,
  );
  const asked = session.messages.filter((message) => message.role === 'user').map((message) => textOf(message));
  assert.deepEqual(asked.toSorted(), texts.toSorted());
  assert.ok(session.messages.every((message, index) => message.role === (index % 2 === 0 ? 'user' : 'assistant')));
  session.assertGapFree();
});
