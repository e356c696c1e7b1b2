import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { createGate, DIALECTS, nodeRig, type Reply, type SessionView, says, textOf, waitsFor } from '@tendon/testing';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());
/** Waits no longer than this for a model: long enough for whatever does come, on a machine that is busy. */
const impatient = await nodeRig({ hasGateway: false, modelTimeouts: { firstChunkTimeoutMs: 3_000, idleTimeoutMs: 3_000 } });
after(() => impatient[Symbol.asyncDispose]());

const AT_ONCE = { 'retry-after-ms': '1' };

interface Failing {
  readonly title: string;
  readonly replies: readonly Reply[];
  readonly code: string;
  readonly isSilent?: boolean;
  /** What had come before it failed. */
  readonly partial?: string;
}

const FAILURES: readonly Failing[] = [
  { title: 'M10: a wrong key (401)', replies: [{ status: 401, message: 'bad key' }], code: 'model_unauthorized' },
  { title: 'M9: a rate limit (429) that does not pass', replies: Array<Reply>(3).fill({ status: 429, headers: AT_ONCE }), code: 'model_rate_limited' },
  { title: 'M9: a broken server (500) that stays broken', replies: Array<Reply>(3).fill({ status: 500, headers: AT_ONCE }), code: 'model_unavailable' },
  {
    title: 'M6: an error in mid-stream',
    replies: [{ steps: [...says('half of'), { do: 'error', message: 'overloaded' }] }],
    code: 'model_unavailable',
    partial: 'half of',
  },
  { title: 'M8: silence in mid-stream', replies: [{ steps: [...says('half of'), { do: 'hang' }] }], code: 'model_timeout', isSilent: true, partial: 'half of' },
  { title: 'M8: silence from the start', replies: [{ steps: [{ do: 'hang' }] }], code: 'model_timeout', isSilent: true },
  {
    title: 'M7: a stream that ends without its last words',
    replies: [{ steps: [...says('half of'), { do: 'end' }] }],
    code: 'model_bad_response',
    partial: 'half of',
  },
];

async function failsWith(session: SessionView, { code, partial }: Failing): Promise<void> {
  await session.socket.until('turn.failed', () => session.failures.length > 0);
  await session.untilStatus('idle');
  const [failed] = session.failures;
  assert.equal(failed?.data.error.code, code);
  assert.ok(failed.data.error.message.length > 20, 'it says what to do');
  assert.doesNotMatch(JSON.stringify(session.events), /scripted-key/);
  assert.deepEqual(session.session.lastError, failed.data.error);
  const kept = session.messages.find((message) => message.role === 'assistant');
  assert.deepEqual(kept && [kept.state, textOf(kept)], partial === undefined ? undefined : ['failed', partial]);
}

for (const dialect of DIALECTS) {
  describe(`a model that speaks ${dialect.name} and fails: the session is idle, says why, and tries again when told to`, () => {
    for (const failing of FAILURES) {
      test(failing.title, async () => {
        const { open, model } = failing.isSilent ? impatient : rig;
        const session = await open({ model: dialect.model });
        const before = model.requests.length;
        model.script(...failing.replies);
        await session.say('try');
        await failsWith(session, failing);
        assert.equal(model.requests.length, before + failing.replies.length);

        model.script(says('this time it worked'));
        await session.socket.ask('agent:continue', { sessionId: session.id });
        await session.untilStatus('idle');
        assert.equal(session.answer, 'this time it worked');
        assert.equal(session.session.lastError, undefined);
        assert.equal(session.messages.filter((message) => message.role === 'user').length, 1, 'the question stands there once');
        session.assertGapFree();
      });
    }

    test('M7: a connection that is cut in mid-stream', async () => {
      const session = await rig.open({ model: dialect.model });
      rig.model.script([...says('half of'), { do: 'tokens', count: 2, everyMs: 20, text: (index) => ` ${index}` }, { do: 'cut' }]);
      await session.say('try');
      await session.socket.until('turn.failed', () => session.failures.length > 0);
      await session.untilStatus('idle');
      assert.ok(session.failures[0]?.data.retryable);
      assert.ok('half of 0 1'.startsWith(session.answer), session.answer);
      rig.model.script(says('whole'));
      await session.socket.ask('agent:continue', { sessionId: session.id });
      await session.untilStatus('idle');
      assert.equal(session.answer, 'whole');
    });
  });
}

test('S6: a failure holds the queue; the next message lets it go on', async () => {
  const session = await rig.open();
  const gate = createGate();
  rig.model.script([...says('half'), waitsFor(gate), { do: 'error', message: 'overloaded' }]);
  await session.say('one');
  await session.untilDelta('text', 'half');
  await session.say('two');
  gate.open();
  await session.socket.until('turn.failed', () => session.failures.length > 0);
  await session.untilStatus('idle');
  assert.equal(session.session.held, true);
  rig.model.script(says('to three'), says('to two'));
  await session.say('three');
  await session.socket.until('both answers', () => session.answer === 'to two');
  assert.deepEqual(
    session.messages.map((message) => textOf(message)),
    ['one', 'half', 'three', 'to three', 'two', 'to two'],
  );
});

test('M14: a model that is not configured is refused when a session is made with it, by name', async () => {
  const socket = await rig.connect();
  for (const model of ['google/gemini', 'nonsense']) {
    const answer = await socket.request('session:create', { model });
    assert.equal(!answer.ok && answer.error.code, 'invalid_payload');
  }
});

test('S11: continuing a session that has nothing to go on with is a conflict', async () => {
  const session = await rig.open();
  const answer = await session.socket.request('agent:continue', { sessionId: session.id });
  assert.equal(!answer.ok && answer.error.code, 'conflict');
});
