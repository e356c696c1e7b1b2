import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { calls, DIALECTS, nodeRig, SessionView, says } from '@tendon/testing';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

const asks = calls({ name: 'ask_user_questions', input: { questions: [{ question: 'Which colour?', options: [{ label: 'red' }, { label: 'blue' }] }] } });
const answered = (answer: string) => ({ answers: [{ question: 'Which colour?', answer }] });

for (const dialect of DIALECTS) {
  describe(`a question of a model that speaks ${dialect.name}`, () => {
    test('C11: it is answered once, from any device; a repeat is acknowledged and another answer is a conflict', async () => {
      const session = await rig.open({ model: dialect.model });
      const phone = await SessionView.attach(await rig.connect({ name: 'phone' }), session.id, 0);
      rig.model.script([asks], says('Blue it is.'));
      const before = rig.model.requests.length;
      await session.say('paint it');
      const call = await phone.untilCall('awaiting_answer');
      await session.untilStatus('waiting_for_user');
      assert.equal(session.session.waiting.answers, 1);

      const answer = { sessionId: session.id, callId: call.id, result: answered('blue') };
      assert.equal((await phone.socket.ask('tool:result', answer)).state, 'succeeded');
      assert.equal((await session.socket.ask('tool:result', answer)).state, 'succeeded');
      const contrary = await session.socket.request('tool:result', { ...answer, result: answered('red') });
      assert.equal(!contrary.ok && contrary.error.code, 'conflict');

      await session.untilStatus('idle');
      const told = JSON.stringify((await rig.modelRequest(before + 1)).messages);
      assert.match(told, /blue/);
      assert.equal(rig.model.requests.length, before + 2, 'the model is asked once more, not once an answer');
      assert.equal(session.answer, 'Blue it is.');
      session.assertGapFree();
    });
  });
}

test('C11: a decision does not answer a question, and an answer does not decide', async () => {
  const session = await rig.open();
  rig.model.script([asks], says('fine'));
  await session.say('paint it');
  const call = await session.untilCall('awaiting_answer');
  const decided = await session.socket.request('tool:decide', { sessionId: session.id, callId: call.id, inputHash: call.inputHash, decision: 'approve' });
  assert.equal(!decided.ok && decided.error.code, 'conflict');
  const failed = await session.socket.request('tool:result', { sessionId: session.id, callId: call.id, result: { status: 'failed', content: [] } });
  assert.equal(!failed.ok && failed.error.code, 'invalid_payload');
  await session.socket.ask('tool:result', { sessionId: session.id, callId: call.id, result: answered('red') });
  await session.untilStatus('idle');
});

test('S5: a stop ends a question that nobody has answered, and the late answer is a conflict', async () => {
  const session = await rig.open();
  rig.model.script([asks]);
  await session.say('paint it');
  const call = await session.untilCall('awaiting_answer');
  assert.deepEqual(await session.socket.ask('agent:stop', { sessionId: session.id }), { stopped: true });
  await session.untilStatus('idle');
  await session.untilCallIs(call.id, 'cancelled');
  const late = await session.socket.request('tool:result', { sessionId: session.id, callId: call.id, result: answered('red') });
  assert.equal(!late.ok && late.error.code, 'conflict');
});
