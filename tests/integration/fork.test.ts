import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createGate, DIALECTS, nodeRig, runs, SessionView, says, textOf, waitsFor } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

const texts = (session: SessionView): string[] => session.messages.map(textOf);

async function forkAt(session: SessionView, index: number, title?: string): Promise<SessionView> {
  const messageId = session.messages[index]?.id ?? '';
  const made = await session.socket.ask('session:fork', { sessionId: session.id, messageId, ...(title === undefined ? {} : { title }) });
  return SessionView.attach(await rig.connect(), made.session.id);
}

for (const dialect of DIALECTS) {
  describe(`with a model that speaks ${dialect.name}`, () => {
    test('S16: a fork goes on from its place, and the model is sent the whole history with the ends of its calls', async () => {
      const session = await rig.open({ model: dialect.model });
      rig.model.script([...says('I look.'), runs('echo never')], says('Then not.'), says('third answer'));
      await session.say('first');
      const call = await session.untilCall('awaiting_approval');
      await session.decide(call, 'deny', { reason: 'not today' });
      await session.untilStatus('idle');
      await session.say('second');
      await session.socket.until('the answer', () => session.answer === 'third answer');
      await session.untilStatus('idle');

      const fork = await forkAt(session, 2);
      assert.deepEqual(texts(fork), ['first', 'I look.', 'Then not.']);
      assert.equal(fork.session.status, 'idle');
      assert.equal(fork.session.title, `${session.session.title} (fork)`);
      assert.deepEqual([fork.calls.length, fork.calls[0]?.state, fork.calls[0]?.id === call.id], [1, 'denied', false]);
      const before = rig.model.requests.length;
      rig.model.script(says('another way'));
      await fork.say('instead');
      const request = await rig.modelRequest(before);
      const sent = JSON.stringify(request.messages);
      for (const words of ['first', 'I look.', 'not today', 'Then not.', 'instead']) assert.ok(sent.includes(words), words);
      assert.equal(sent.includes('second'), false);
      await fork.untilStatus('idle');
      assert.equal(fork.answer, 'another way');
      assert.equal(session.messages.length, 5, 'the other session is as it was');
    });
  });
}

test('S16: a fork at a message of the person ends before it, and every device hears of the new session', async () => {
  const session = await rig.open();
  rig.model.script(says('one'), says('two'));
  await session.say('first');
  await session.untilStatus('idle');
  await session.say('second');
  await session.socket.until('the answer', () => session.answer === 'two');
  const other = await rig.connect();
  const fork = await forkAt(session, 2, 'Another title');
  assert.deepEqual(texts(fork), ['first', 'one']);
  await other.until('the new session', () =>
    other.received.some((entry) => entry.name === 'session:summary' && entry.notice.session.id === fork.id && entry.notice.session.title === 'Another title'),
  );
});

test('S16: a session that is at work can be forked from what has its place; what streams or waits cannot', async () => {
  const session = await rig.open();
  const gate = createGate();
  rig.model.script(says('one'), [...says('two'), waitsFor(gate)]);
  await session.say('first');
  await session.untilStatus('idle');
  await session.say('second');
  await session.untilDelta('text', 'two');
  const queued = await session.say('third');
  const live = session.deltas.at(-1)?.messageId ?? '';
  for (const [messageId, code] of [
    [live, 'not_found'],
    [queued.messageId, 'conflict'],
  ] as const) {
    const answer = await session.socket.request('session:fork', { sessionId: session.id, messageId });
    assert.equal(!answer.ok && answer.error.code, code);
  }
  const fork = await forkAt(session, 1);
  assert.deepEqual(texts(fork), ['first', 'one']);
  rig.model.script(says('three'));
  gate.open();
  await session.socket.until('the last answer', () => session.answer === 'three');
  assert.deepEqual(texts(session), ['first', 'one', 'second', 'two', 'third', 'three']);
});

test('S16: a rule that was given for a session does not hold in its fork', async () => {
  const session = await rig.open();
  rig.model.script([runs('echo ruled')], says('one'));
  await session.say('first');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve', { scope: 'session' });
  await session.untilStatus('idle');
  const fork = await forkAt(session, session.messages.length - 1);
  rig.model.script([runs('echo ruled')], says('two'));
  await fork.say('again');
  const call = await fork.untilCall('awaiting_approval');
  await fork.decide(call, 'deny');
  await fork.untilStatus('idle');
});
