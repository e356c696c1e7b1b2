import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createGate, DIALECTS, nodeRig, SessionView, says, textOf, thinks, waitsFor } from '@tendon/testing';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

for (const dialect of DIALECTS) {
  describe(`an answer of a model that speaks ${dialect.name}`, () => {
    test('M2: text streams to the client, and its deltas add up to the stored text', async () => {
      const session = await rig.open({ model: dialect.model });
      const gate = createGate();
      rig.model.script([...says('Hello', ' big'), waitsFor(gate), ...says(' wörld 👋', '.')]);
      const accepted = await session.say('hi');
      assert.equal(accepted.queued, false);
      await session.untilDelta('text', 'Hello big');
      assert.equal(session.session.status, 'running', 'the first words are there before the last ones are known');
      gate.open();
      await session.untilStatus('idle');
      session.assertGapFree();
      const [question, answer] = session.messages;
      assert.ok(question && answer);
      assert.deepEqual([question.id, question.role, textOf(question)], [accepted.messageId, 'user', 'hi']);
      assert.deepEqual([answer.role, answer.state, textOf(answer), answer.model], ['assistant', 'complete', 'Hello big wörld 👋.', dialect.model]);
      assert.equal(session.streamed(answer.id, 0), textOf(answer));
    });

    test('M5: reasoning is a part of its own, and the usage is stored with message and session', async () => {
      const session = await rig.open({ model: dialect.model });
      rig.model.script({ steps: [...thinks('let me ', 'see'), ...says('forty-two')], usage: { inputTokens: 21, outputTokens: 8 } });
      await session.say('what is it?');
      await session.untilStatus('idle');
      const answer = session.messages.at(-1);
      assert.deepEqual(answer?.parts, [
        { type: 'reasoning', text: 'let me see' },
        { type: 'text', text: 'forty-two' },
      ]);
      assert.deepEqual([session.streamed(answer.id, 0), session.streamed(answer.id, 1)], ['let me see', 'forty-two']);
      assert.deepEqual(
        [answer.usage, session.session.usage],
        [
          { inputTokens: 21, outputTokens: 8 },
          { inputTokens: 21, outputTokens: 8 },
        ],
      );
    });

    test('M4: the next request carries the conversation so far', async () => {
      const session = await rig.open({ model: dialect.model });
      rig.model.script(says('first answer'), says('second answer'));
      await session.say('first question');
      await session.untilStatus('idle');
      const before = rig.model.requests.length;
      await session.say('second question');
      await session.untilStatus('idle');
      const said = JSON.stringify((await rig.modelRequest(before)).messages);
      const places = ['first question', 'first answer', 'second question'].map((text) => said.indexOf(text));
      assert.ok(
        places.every((place, index) => place > (places[index - 1] ?? -1)),
        `in order: ${places.join(', ')}`,
      );
      assert.equal(said.split('second question').length, 2, 'nothing stands there twice');
    });
  });
}

test('S8: every socket of the person sees the same events with the same numbers', async () => {
  const session = await rig.open();
  const other = await SessionView.attach(await rig.connect({ name: 'another device' }), session.id, 0);
  rig.model.script(says('for', ' both'));
  await session.say('hello');
  const { seq } = await session.untilStatus('idle');
  await other.untilSeq(seq);
  assert.deepEqual(other.events, session.events);
  session.assertGapFree();
});

test('S14: the list and its summaries tell of the new session and its title', async () => {
  const watcher = await rig.connect();
  const session = await rig.open();
  rig.model.script(says('done'));
  await session.say('Sort my holiday pictures\nby year, please');
  await session.untilStatus('idle');
  const summary = await watcher.until('the summary of the idle session', () =>
    watcher.received.findLast(
      (entry) =>
        entry.name === 'session:summary' &&
        entry.notice.session.id === session.id &&
        entry.notice.session.status === 'idle' &&
        entry.notice.session.seq === session.session.seq,
    ),
  );
  const { sessions } = await watcher.ask('session:list', {});
  const listed = sessions.find((candidate) => candidate.id === session.id);
  assert.equal(listed?.title, 'Sort my holiday pictures');
  assert.deepEqual(summary.name === 'session:summary' && summary.notice.session, listed);
});
