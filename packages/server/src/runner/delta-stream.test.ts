import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delta } from '@tendon/protocol';
import fc from 'fast-check';
import { DeltaStream } from './delta-stream.ts';

const nextTick = () => new Promise((resolve) => setImmediate(resolve));

function stream(): { stream: DeltaStream; sent: Delta[]; textOf: (part: number) => string } {
  const sent: Delta[] = [];
  const made = new DeltaStream({ sessionId: 's', messageId: 'm', newId: () => `call-${sent.length}`, mayEmit: () => true, emit: (delta) => sent.push(delta) });
  const textOf = (part: number) =>
    sent
      .filter((delta) => delta.part === part)
      .map((delta) => delta.text)
      .join('');
  return { stream: made, sent, textOf };
}

const MESSAGE = { id: 'm', sessionId: 's', seq: 1, role: 'assistant', state: 'complete', createdAt: '2026-11-22T12:00:00.000Z' } as const;

test('R1: tokens of one turn of the event loop leave as one delta per part', async () => {
  const { stream: live, sent } = stream();
  live.partStarted(0, { type: 'reasoning' });
  live.partStarted(1, { type: 'text' });
  live.append(0, 'hm');
  for (const token of ['a', 'b', 'c']) live.append(1, token);
  assert.equal(sent.length, 0);
  await nextTick();
  assert.deepEqual(
    sent.map(({ part, kind, offset, text }) => ({ part, kind, offset, text })),
    [
      { part: 0, kind: 'reasoning', offset: 0, text: 'hm' },
      { part: 1, kind: 'text', offset: 0, text: 'abc' },
    ],
  );
});

test('R1: whatever the tokens and the ticks, offsets follow each other and add up', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.string({ unit: 'grapheme', minLength: 1 }), fc.constant(undefined)), { maxLength: 40 }), async (steps) => {
      const { stream: live, sent, textOf } = stream();
      live.partStarted(0, { type: 'text' });
      for (const step of steps) {
        if (step === undefined) await nextTick();
        else live.append(0, step);
      }
      live.flush();
      assert.equal(textOf(0), steps.filter((step) => step !== undefined).join(''));
      let end = 0;
      for (const delta of sent) {
        assert.equal(delta.offset, end);
        end += delta.text.length;
      }
    }),
    { numRuns: 100 },
  );
});

test('R2: nothing leaves while frozen; a thaw goes on without a gap; a close is for good', async () => {
  const { stream: live, sent, textOf } = stream();
  live.partStarted(0, { type: 'text' });
  live.append(0, 'one ');
  live.freeze();
  live.append(0, 'two ');
  await nextTick();
  assert.equal(sent.length, 0);
  live.thaw();
  assert.equal(textOf(0), 'one two ');
  live.append(0, 'three');
  live.close();
  await nextTick();
  assert.equal(textOf(0), 'one two ');
});

test('R3: a snapshot ends where the next delta begins', async () => {
  const { stream: live, sent } = stream();
  live.partStarted(0, { type: 'text' });
  live.append(0, 'so far');
  const snapshot = live.live(MESSAGE);
  assert.deepEqual(snapshot.offsets, [6]);
  assert.deepEqual(snapshot.message.parts, [{ type: 'text', text: 'so far' }]);
  live.append(0, ' and on');
  await nextTick();
  assert.equal(sent.at(-1)?.offset, 6);
});

test('R1: a part that stays empty is told too, so that the next one is no gap', async () => {
  const { stream: live, sent } = stream();
  live.partStarted(0, { type: 'reasoning' });
  live.partStarted(1, { type: 'text' });
  live.append(1, 'hello');
  await nextTick();
  assert.deepEqual(
    sent.map(({ part, text }) => [part, text]),
    [
      [0, ''],
      [1, 'hello'],
    ],
  );
});

test('R3: a call that is being written has its id in the snapshot and is not part of what is kept', () => {
  const { stream: live } = stream();
  live.partStarted(0, { type: 'text' });
  live.partStarted(1, { type: 'tool_call', tool: 'bash' });
  live.append(0, 'I run it.');
  live.append(1, '{"comm');
  const part = live.live(MESSAGE).message.parts[1];
  assert.deepEqual(part, { type: 'tool_call', callId: live.callId(1) });
  assert.deepEqual(live.keptParts(), [{ type: 'text', text: 'I run it.' }]);
});
