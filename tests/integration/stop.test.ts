import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { createGate, DIALECTS, heldCommand, isRunning, nodeRig, resultText, type SessionView, says, textOf, untilEnded, waitsFor } from '@tendon/testing';

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());

const stop = (session: SessionView) => session.socket.ask('agent:stop', { sessionId: session.id });

/** Asks for an answer that stops in its middle, and waits until the first half has been seen. */
async function streaming(session: SessionView): Promise<{ closed: Promise<string> }> {
  const before = rig.model.requests.length;
  rig.model.script([...says('first half'), { do: 'hang' }]);
  await session.say('tell me a long story');
  await session.untilDelta('text', 'first half');
  return rig.modelRequest(before);
}

/** Asks for a command, approves it, and waits until it runs. */
async function commanding(session: SessionView) {
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step]);
  await session.say('work');
  const call = await session.untilCall('awaiting_approval');
  await session.decide(call, 'approve');
  await session.untilDelta('tool_output', 'up\n');
  return { held, call, pids: await held.pids() };
}

for (const dialect of DIALECTS) {
  describe(`with a model that speaks ${dialect.name}`, () => {
    test('S5: a stop while it streams keeps the text as interrupted, closes the connection to the model, and no token follows it', async () => {
      const session = await rig.open({ model: dialect.model });
      const request = await streaming(session);
      assert.deepEqual(await stop(session), { stopped: true });
      const heard = session.deltas.length;
      assert.equal(session.session.status, 'idle', 'the acknowledgement comes after its events');
      assert.equal(await request.closed, 'abandoned');
      await session.socket.ask('session:list', {});
      assert.equal(session.deltas.length, heard);
      const partial = session.messages.at(-1);
      assert.deepEqual(partial && [partial.role, partial.state, textOf(partial)], ['assistant', 'interrupted', 'first half']);
      session.assertGapFree();

      rig.model.script(says('going on'));
      await session.say('go on');
      await session.untilStatus('idle');
      assert.equal(session.answer, 'going on');
    });

    test('S4: an interrupting message ends the stream and is answered next', async () => {
      const session = await rig.open({ model: dialect.model });
      const request = await streaming(session);
      const before = rig.model.requests.length;
      rig.model.script(says('as you wish'));
      const accepted = await session.say('stop that, do this', { mode: 'interrupt' });
      assert.equal(accepted.queued, false);
      assert.equal(await request.closed, 'abandoned');
      await session.untilStatus('idle');
      assert.deepEqual(
        session.messages.map((message) => [message.role, message.state, textOf(message)]),
        [
          ['user', 'complete', 'tell me a long story'],
          ['assistant', 'interrupted', 'first half'],
          ['user', 'complete', 'stop that, do this'],
          ['assistant', 'complete', 'as you wish'],
        ],
      );
      const told = JSON.stringify((await rig.modelRequest(before)).messages);
      assert.match(told, /first half.*stop that, do this/s);
      session.assertGapFree();
    });
  });
}

test('S5: a stop while a command runs ends its whole process tree, and the session is stopping until the machine has reported', async () => {
  const session = await rig.open();
  const { held, call, pids } = await commanding(session);
  assert.ok(pids.length === 2 && pids.every(isRunning));
  const before = rig.model.requests.length;
  assert.deepEqual(await stop(session), { stopped: false });
  const over = await session.untilCallIs(call.id, 'cancelled');
  assert.match(resultText(over), /up/, 'what it had printed is kept');
  await session.untilStatus('idle');
  assert.notEqual(session.session.stopping, true);
  await untilEnded(pids);
  assert.deepEqual([held.starts(), rig.model.requests.length], [1, before], 'the model is not asked about what was stopped');
  session.assertGapFree();
});

test('S4: an interrupting message while a command runs ends the command and is answered when the machine has reported', async () => {
  const session = await rig.open();
  const { call, pids } = await commanding(session);
  rig.model.script(says('something else, then'));
  const accepted = await session.say('do something else', { mode: 'interrupt' });
  assert.equal(accepted.queued, true);
  await session.untilCallIs(call.id, 'cancelled');
  await session.untilStatus('idle');
  assert.equal(session.answer, 'something else, then');
  await untilEnded(pids);
});

test('S5: a stop before the approval cancels the call; the late approval is a conflict and starts nothing', async () => {
  const session = await rig.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step]);
  await session.say('work');
  const call = await session.untilCall('awaiting_approval');
  assert.deepEqual(await stop(session), { stopped: true });
  await session.untilCallIs(call.id, 'cancelled');
  const late = await session.socket.request('tool:decide', { sessionId: session.id, callId: call.id, inputHash: call.inputHash, decision: 'approve' });
  assert.equal(!late.ok && late.error.code, 'conflict');
  assert.equal(held.starts(), 0);
});

test('S6: a stop holds the queue; the next one goes on when the person continues', async () => {
  const session = await rig.open();
  await streaming(session);
  const waiting = await session.say('and then this');
  assert.equal(waiting.queued, true);
  await stop(session);
  assert.deepEqual([session.session.status, session.session.held], ['idle', true]);
  rig.model.script(says('now this'));
  await session.socket.ask('agent:continue', { sessionId: session.id });
  await session.untilStatus('idle');
  assert.equal(session.answer, 'now this');
  assert.notEqual(session.session.held, true);
  assert.equal(session.messages.find((message) => message.id === waiting.messageId)?.state, 'complete');
});

test('S5: a stop of an idle session says that it is stopped, and changes nothing', async () => {
  const session = await rig.open();
  assert.deepEqual(await stop(session), { stopped: true });
  await session.socket.ask('session:list', {});
  assert.equal(session.events.length, 1);
});

test('S7: two stops at once, from two devices, are both acknowledged and leave one interrupted message', async () => {
  const session = await rig.open();
  await streaming(session);
  const other = await rig.connect();
  const answers = await Promise.all([stop(session), other.ask('agent:stop', { sessionId: session.id })]);
  assert.deepEqual(answers, [{ stopped: true }, { stopped: true }]);
  assert.equal(session.messages.filter((message) => message.state === 'interrupted').length, 1);
});

test('D20: a session that is deleted while it works stops working, and is gone', async () => {
  const session = await rig.open();
  const request = await streaming(session);
  await session.socket.ask('session:delete', { sessionId: session.id });
  assert.equal(await request.closed, 'abandoned');
  const gone = await session.socket.request('agent:execute', { sessionId: session.id, messageId: randomUUID(), text: 'anyone?' });
  assert.equal(!gone.ok && gone.error.code, 'not_found');
});

test('S7: a stop that races the end of an answer leaves one of the two, whole', async () => {
  const gate = createGate();
  const session = await rig.open();
  rig.model.script([...says('almost'), waitsFor(gate), ...says(' done')]);
  await session.say('race');
  await session.untilDelta('text', 'almost');
  gate.open();
  await stop(session);
  await session.untilStatus('idle');
  const answer = session.messages.at(-1);
  assert.ok(answer?.state === 'interrupted' || (answer?.state === 'complete' && textOf(answer) === 'almost done'));
  assert.ok('almost done'.startsWith(session.streamed(answer.id, 0)) && session.streamed(answer.id, 0).length <= textOf(answer).length);
});
