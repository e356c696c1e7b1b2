import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Delta, SessionEvent } from '@tendon/protocol';
import fc from 'fast-check';
import { sampleCall, sampleEvent, sampleMessage, sampleSession } from '../../test-support/samples.ts';
import type { KnownOrUnknownEvent } from './inbound.ts';
import { applyDelta, OUTPUT_KEPT } from './live.ts';
import { type Applied, applyCatchUp, applyEvent, applyPage, applySnapshot, emptyTranscript, type Transcript } from './transcript.ts';

const session = sampleSession({ status: 'running', seq: 1 });
const sessionId = session.id;

function applied(result: Applied): Transcript {
  assert.notEqual(result, 'gap');
  return result as Transcript;
}

function applyAll(events: readonly KnownOrUnknownEvent[], start: Transcript = emptyTranscript): Transcript {
  return events.reduce((transcript, event) => applied(applyEvent(transcript, event)), start);
}

function messageEvent(seq: number, fields: Partial<Parameters<typeof sampleMessage>[0]> = {}): SessionEvent {
  return sampleEvent({ sessionId, seq }, 'message.created', { message: sampleMessage({ sessionId, seq, ...fields }) });
}

const running = applyAll([sampleEvent({ sessionId, seq: 1 }, 'session.updated', { session })]);

function delta(fields: Partial<Delta>): Delta {
  return { sessionId, messageId: 'm', part: 0, kind: 'text', offset: 0, text: '', ...fields };
}

describe('durable events', () => {
  it('K7: a repeat changes nothing and one that is not the next is a gap', () => {
    const transcript = applyAll([messageEvent(2)], running);
    assert.equal(applyEvent(transcript, messageEvent(2)), transcript);
    assert.equal(applyEvent(transcript, messageEvent(4)), 'gap');
    assert.equal(applied(applyEvent(transcript, messageEvent(3))).seq, 3);
  });

  it('K7: messages stand in order of seq, queued ones last, and one that leaves the queue moves', () => {
    const [queued, early] = [randomUUID(), randomUUID()];
    const events = [messageEvent(2, { id: queued, state: 'queued' }), messageEvent(3, { id: early })];
    const waiting = applyAll(events, running);
    assert.deepEqual(
      waiting.messages.map((message) => message.id),
      [early, queued],
    );
    const released = applyAll([messageEvent(4, { id: 'x' }), messageEvent(5, { id: queued, state: 'complete' })], waiting);
    assert.deepEqual(
      released.messages.map((message) => message.id),
      [early, 'x', queued],
    );
    const removed = applyAll([sampleEvent({ sessionId, seq: 6 }, 'message.removed', { messageId: 'x' })], released);
    assert.deepEqual(
      removed.messages.map((message) => message.id),
      [early, queued],
    );
  });

  it('K12: an event of an unknown type takes its number and changes nothing else', () => {
    const transcript = applied(applyEvent(running, { type: 'unknown', sessionId, seq: 2 }));
    assert.deepEqual(transcript, { ...running, seq: 2, session: { ...session, seq: 2 } });
  });

  it('K7: a failed turn ends the live message and says why', () => {
    const live = applied(applyDelta(running, delta({ text: 'so far' })));
    const failed = applyAll([sampleEvent({ sessionId, seq: 2 }, 'turn.failed', { error: { code: 'model', message: 'no' }, retryable: true })], live);
    assert.equal(failed.live, undefined);
    assert.deepEqual(failed.session?.lastError, { code: 'model', message: 'no' });
  });
});

describe('structural sharing', () => {
  it('K11: an event or a delta leaves every other message, call and list as it was', () => {
    const transcript = applyAll([messageEvent(2), messageEvent(3)], running);
    const next = applyAll([messageEvent(4)], transcript);
    assert.deepEqual(
      next.messages.slice(0, 2).map((message, index) => message === transcript.messages[index]),
      [true, true],
    );
    assert.equal(next.calls, transcript.calls);
    const streamed = applied(applyDelta(next, delta({ text: 'a' })));
    assert.equal(streamed.messages, next.messages);
    assert.equal(streamed.calls, next.calls);
    const more = applied(applyDelta(streamed, delta({ part: 1, text: 'b' })));
    assert.equal(more.live?.parts[0], streamed.live?.parts[0]);
  });

  it('K11: a snapshot that brings the same again changes no identity', () => {
    const call = sampleCall({ sessionId });
    const events = [messageEvent(2), messageEvent(3), sampleEvent({ sessionId, seq: 4 }, 'call.requested', { call })];
    const transcript: Transcript = { ...applyAll(events, running), phase: 'ready' };
    const copy = structuredClone({ session: transcript.session ?? session, messages: [...transcript.messages], calls: [call] });
    const again = applySnapshot(transcript, { ...copy, seq: 4, hasMore: false });
    assert.equal(again.messages, transcript.messages);
    assert.equal(again.calls, transcript.calls);
    assert.equal(again.session, transcript.session);
    assert.deepEqual(again, transcript);
  });
});

describe('deltas', () => {
  it('K10: pieces of a text add up however they are cut, repeated and overlapped', () => {
    const text = fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' });
    const cuts = fc.array(fc.tuple(fc.nat(200), fc.nat(30)), { maxLength: 40 });
    fc.assert(
      fc.property(text, cuts, (whole, spans) => {
        let transcript = running;
        let end = 0;
        for (const [from, length] of [...spans, [0, whole.length] as const]) {
          const [offset, to] = [Math.min(from, whole.length), Math.min(from + length, whole.length)];
          const result = applyDelta(transcript, delta({ offset, text: whole.slice(offset, to) }));
          assert.equal(result === 'gap', offset > end);
          if (result === 'gap') continue;
          transcript = result;
          end = Math.max(end, to);
          assert.deepEqual(transcript.live?.parts, [{ type: 'text', text: whole.slice(0, end) }]);
        }
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('K10: a part that is skipped, or continues as another kind, is a gap', () => {
    const live = applied(applyDelta(running, delta({ text: 'a' })));
    assert.equal(applyDelta(live, delta({ part: 2, text: 'b' })), 'gap');
    assert.equal(applyDelta(live, delta({ kind: 'reasoning', offset: 1, text: 'b' })), 'gap');
    assert.equal(applyDelta(running, delta({ offset: 3, text: 'b' })), 'gap');
  });

  it('K10: a late delta of a finished message or of a turn that is over is dropped', () => {
    const done = applyAll([messageEvent(2, { id: 'm', role: 'assistant' })], running);
    assert.equal(applyDelta(done, delta({ offset: 9, text: 'late' })), done);
    const idle = applyAll([sampleEvent({ sessionId, seq: 3 }, 'session.updated', { session: { ...session, status: 'idle' } })], done);
    assert.equal(applyDelta(idle, delta({ messageId: 'other', text: 'late' })), idle);
  });

  it('K10: a finished message, a turn that ended and a new message of the person each end the live one', () => {
    const live = applied(applyDelta(running, delta({ text: 'a' })));
    assert.equal(applyAll([messageEvent(2, { id: 'm', role: 'assistant' })], live).live, undefined);
    assert.equal(applyAll([messageEvent(2, { state: 'queued' })], live).live, live.live);
    assert.equal(applyAll([messageEvent(2)], live).live, undefined);
    assert.equal(
      applyAll([sampleEvent({ sessionId, seq: 2 }, 'session.updated', { session: { ...session, status: 'waiting_for_tools' } })], live).live,
      undefined,
    );
  });

  it('K10: a tool call that is being written has its input beside it, and a snapshot that knows as much keeps it', () => {
    const first = applied(applyDelta(running, delta({ kind: 'tool_input', text: '{"a"' })));
    const live = applied(applyDelta(first, delta({ kind: 'tool_input', offset: 4, text: ':1}' })));
    assert.deepEqual([live.live?.parts, live.liveInputs], [[{ type: 'tool_call', callId: '' }], { 0: '{"a":1}' }]);
    const callId = randomUUID();
    const message = { ...sampleMessage({ sessionId, id: 'm', role: 'assistant' as const }), parts: [{ type: 'tool_call' as const, callId }] };
    const answer = { session, messages: [], calls: [], seq: 1, hasMore: false };
    const known = applySnapshot(live, { ...answer, live: { message, offsets: [7] } });
    assert.deepEqual([known.live?.parts, known.liveInputs], [[{ type: 'tool_call', callId }], { 0: '{"a":1}' }]);
    const ahead = applySnapshot(live, { ...answer, live: { message, offsets: [9] } });
    assert.deepEqual(ahead.liveInputs, {});
    assert.deepEqual(applied(applyDelta(ahead, delta({ kind: 'tool_input', offset: 9, text: '!' }))).liveInputs, { 0: '!' });
  });

  it('K10: a delta copies nothing of what is there, so that 200,000 of them end', () => {
    let transcript = applied(applyDelta(running, delta({ kind: 'reasoning', text: 'why' })));
    for (let index = 0; index < 200_000; index += 1) transcript = applied(applyDelta(transcript, delta({ part: 1, offset: index * 4, text: 'abcd' })));
    const [first, second] = transcript.live?.parts ?? [];
    assert.deepEqual(first, { type: 'reasoning', text: 'why' });
    assert.equal(second?.type === 'text' && second.text.length, 800_000);
  });
});

describe('live output', () => {
  const call = sampleCall({ sessionId });
  const withCall = applyAll([sampleEvent({ sessionId, seq: 2 }, 'call.requested', { call })], running);
  const output = (offset: number, text: string) => delta({ messageId: call.id, kind: 'tool_output', offset, text });

  it('K10: output adds up, and goes when the call is over', () => {
    const first = applied(applyDelta(withCall, output(0, 'one ')));
    const second = applied(applyDelta(first, output(2, 'e two')));
    assert.deepEqual(second.outputs[call.id], { text: 'one two', droppedBytes: 0 });
    assert.equal(applyDelta(second, output(8, 'late')), 'gap');
    const over = applyAll([sampleEvent({ sessionId, seq: 3 }, 'call.updated', { call: { ...call, state: 'succeeded' } })], second);
    assert.deepEqual([over.outputs, over.outputEnds], [{}, {}]);
    assert.equal(applyDelta(over, output(7, 'late')), over);
  });

  it('K10: only the end of long output is kept, cut between characters, and what went is counted', () => {
    let transcript = withCall;
    const piece = '😀'.repeat(8 * 1024);
    for (let index = 0; index < 40; index += 1) transcript = applied(applyDelta(transcript, output(index * piece.length, piece)));
    const kept = transcript.outputs[call.id];
    assert.ok(kept && kept.text.length >= OUTPUT_KEPT && kept.text.length <= OUTPUT_KEPT * 1.25);
    assert.ok(kept.text.isWellFormed());
    assert.equal(kept.droppedBytes + Buffer.byteLength(kept.text), 40 * Buffer.byteLength(piece));
  });

  it('K9: after a reconnect output continues where the answer says', () => {
    const lost = applied(applyDelta(withCall, output(0, 'one')));
    const answer = { session, messages: [], calls: [], events: [], seq: 2, hasMore: false, outputs: [{ callId: call.id, offset: 10, text: 'eleven' }] };
    const caughtUp = applied(applyCatchUp(lost, answer));
    assert.deepEqual(caughtUp.outputs[call.id], { text: 'eleven', droppedBytes: 10 });
    assert.equal(applied(applyDelta(caughtUp, output(16, '!'))).outputs[call.id]?.text, 'eleven!');
  });
});

describe('paging upward', () => {
  const page = (seqs: number[]) => ({ messages: seqs.map((seq) => sampleMessage({ sessionId, seq })), calls: [], hasMore: true });

  it('K21: a page goes before what is here, and what came by events stays newer', () => {
    const call = sampleCall({ sessionId, state: 'succeeded' });
    const transcript = applyAll([messageEvent(2), sampleEvent({ sessionId, seq: 3 }, 'call.updated', { call })], running);
    const stale = { ...page([1]), calls: [{ ...call, state: 'running' as const }] };
    const next = applyPage(transcript, stale, 2);
    assert.deepEqual(
      next.messages.map((message) => message.seq),
      [1, 2],
    );
    assert.equal(next.messages[1], transcript.messages[0]);
    assert.equal(next.calls[call.id], call);
    assert.equal(next.hasMore, true);
  });

  it('K21: a page for a place that is no longer the top is dropped', () => {
    const transcript = applyAll([messageEvent(2)], running);
    assert.equal(applyPage(transcript, page([1]), 7), transcript);
  });
});
