import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delta, Live, Message } from '@tendon/protocol';
import type { SessionState, StoredCall } from '../kernel/index.ts';
import { OutputTails } from './output-tails.ts';
import { RemoteStream } from './remote-stream.ts';

const MESSAGE: Omit<Message, 'parts'> = { id: 'm1', sessionId: 's', seq: 1, role: 'assistant', state: 'complete', createdAt: '2026-11-27T00:00:00.000Z' };

const delta = (messageId: string, offset: number, text: string): Delta => ({ sessionId: 's', messageId, part: 0, kind: 'text', offset, text });

/** A session with this turn and these open calls. */
function stateWith(turnId: string | undefined, callIds: readonly string[] = []): SessionState {
  const turn = turnId === undefined ? {} : { turn: { messageId: turnId, epoch: 1, startedAt: '', partial: [] } };
  return { ...turn, calls: callIds.map((id) => ({ call: { id } }) as StoredCall) } as unknown as SessionState;
}

function streamAt() {
  const told: Delta[] = [];
  const tails = new OutputTails();
  let tail = Promise.resolve();
  const remote = new RemoteStream({
    sessionId: 's',
    context: {
      tails,
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      fanout: { toSession: (_id, _name, notice) => void told.push(notice as Delta), toUser: () => undefined, hasAudience: () => true, people: () => [] },
    },
    serially: (work) => {
      tail = tail.then(work);
      return tail;
    },
  });
  return { remote, tails, told, settled: () => tail, texts: () => told.map(({ messageId, offset, text }) => `${messageId} ${offset} ${text}`) };
}

test('N2: text leaves only while its turn is the one that those who are attached here know of', async () => {
  const { remote, texts, settled } = streamAt();
  remote.see(stateWith(undefined));
  assert.equal(remote.hearDelta(delta('m1', 0, 'early ')), true);
  await settled();
  assert.deepEqual(texts(), [], 'the event that begins the turn has not been told');
  remote.see(stateWith('m1'));
  remote.hearDelta(delta('m1', 6, 'more'));
  await settled();
  assert.deepEqual(texts(), ['m1 0 early more']);
  remote.see(stateWith('m2'));
  assert.equal(remote.hearDelta(delta('m1', 10, ' late')), true, 'late text of a turn that is over is nothing to ask about');
  remote.hearLive({ message: { ...MESSAGE, parts: [{ type: 'text', text: 'early more late' }] }, offsets: [15] });
  remote.hearDelta(delta('m2', 0, 'next'));
  await settled();
  assert.deepEqual(texts(), ['m1 0 early more', 'm2 0 next']);
});

test('N2: whoever attaches gets what is known, after those who are there have it; a missing piece is asked for and then goes on', async () => {
  const { remote, texts, settled } = streamAt();
  remote.see(stateWith('m1'));
  assert.equal(remote.live(MESSAGE), undefined);
  assert.equal(remote.hearDelta(delta('m1', 5, 'later')), false, 'its beginning is not here');
  const live: Live = { message: { ...MESSAGE, parts: [{ type: 'text', text: 'firstlater' }] }, offsets: [10] };
  const shown = remote.until('m1', 1_000);
  remote.hearLive(live);
  await shown;
  assert.deepEqual(remote.live(MESSAGE), live);
  assert.deepEqual(texts(), ['m1 0 firstlater']);
  remote.hearDelta(delta('m1', 10, '!'));
  await settled();
  assert.deepEqual(texts(), ['m1 0 firstlater', 'm1 10 !']);
});

test('N2: who waits for a node that does not show its stream is answered all the same', async () => {
  const { remote } = streamAt();
  remote.see(stateWith('m1'));
  await remote.until('m1', 5);
  assert.equal(remote.has('m1'), false);
});

test('N2: output is shown and kept while its call is open, and nothing of it stays when the call is over or nobody watches', async () => {
  const { remote, tails, texts, settled } = streamAt();
  const output = (callId: string, offset: number, text: string) => remote.hearOutput({ ...delta(callId, offset, text), kind: 'tool_output' });
  remote.see(stateWith(undefined, ['c1', 'c2']));
  output('c1', 0, 'one ');
  output('c1', 0, 'one two');
  output('c2', 0, 'other');
  output('c3', 0, 'of no call');
  await settled();
  assert.deepEqual(texts(), ['c1 0 one ', 'c1 4 two', 'c2 0 other']);
  assert.equal(tails.ofSession('s').length, 2);
  remote.see(stateWith(undefined, ['c2']));
  output('c1', 7, ' late');
  await settled();
  assert.deepEqual(
    tails.ofSession('s').map(({ callId }) => callId),
    ['c2'],
  );
  remote.forget();
  assert.deepEqual(tails.ofSession('s'), []);
});
