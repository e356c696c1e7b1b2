import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delta, Live, Message } from '@tendon/protocol';
import fc from 'fast-check';
import { DeltaStream } from './delta-stream.ts';
import { LiveMirror } from './live-mirror.ts';

const PLACE = { sessionId: 's', messageId: 'm' };
const MESSAGE: Omit<Message, 'parts'> = { id: 'm', sessionId: 's', seq: 1, role: 'assistant', state: 'complete', createdAt: '2026-11-27T00:00:00.000Z' };

/** A stream at its node, and what it sends. */
function streamOf(): { stream: DeltaStream; sent: Delta[] } {
  const sent: Delta[] = [];
  const stream = new DeltaStream({ ...PLACE, newId: () => 'call', mayEmit: () => true, emit: (delta) => sent.push(delta) });
  return { stream, sent };
}

function textOf(deltas: readonly Delta[], part: number): string {
  let text = '';
  for (const delta of deltas.filter((one) => one.part === part)) {
    assert.equal(delta.offset, text.length, 'without a gap and without a repeat');
    text += delta.text;
  }
  return text;
}

type Act = { readonly kind: 'text' | 'lose' | 'repeat' | 'show'; readonly part: number; readonly text: string };
const acts = fc.array(
  fc.record({
    kind: fc.constantFrom<Act['kind'][]>('text', 'text', 'text', 'lose', 'repeat', 'show'),
    part: fc.nat({ max: 2 }),
    text: fc.string({ maxLength: 5 }),
  }),
  { maxLength: 40 },
);

test('N2: whatever is lost or doubled on the way, those who follow the mirror have the whole text after it was shown once more', () => {
  fc.assert(
    fc.property(acts, (story: readonly Act[]) => {
      const { stream, sent } = streamOf();
      const mirror = new LiveMirror(PLACE);
      const told: Delta[] = [];
      const kinds = ['text', 'reasoning', 'text'] as const;
      let parts = 0;
      let taken = 0;
      const show = (): void => mirror.replace(stream.live(MESSAGE));
      for (const { kind, part, text } of story) {
        if (kind === 'show') {
          show();
          taken = sent.length;
        } else if (kind === 'repeat') for (const delta of sent.slice(0, taken)) mirror.add(delta);
        else {
          for (; parts <= part; parts += 1) stream.partStarted(parts, { type: kinds[parts] ?? 'text' });
          stream.append(part, text);
          stream.flush();
          const fresh = sent.slice(taken);
          taken = sent.length;
          if (kind === 'text') for (const delta of fresh) mirror.add(delta);
        }
        mirror.flush((delta) => told.push(delta));
      }
      show();
      mirror.flush((delta) => told.push(delta));
      for (const [index, part] of stream.keptParts().entries()) assert.equal(textOf(told, index), 'text' in part ? part.text : '');
      assert.deepEqual(mirror.live(MESSAGE), stream.live(MESSAGE));
    }),
  );
});

test('N2: a piece whose beginning is missing is not taken', () => {
  const mirror = new LiveMirror(PLACE);
  assert.equal(mirror.add({ ...PLACE, part: 0, kind: 'text', offset: 3, text: 'd' }), false);
  assert.equal(mirror.add({ ...PLACE, part: 1, kind: 'text', offset: 0, text: 'a' }), false);
  assert.equal(mirror.add({ ...PLACE, part: 0, kind: 'text', offset: 0, text: 'abc' }), true);
  assert.equal(mirror.add({ ...PLACE, part: 0, kind: 'text', offset: 4, text: 'e' }), false);
  assert.equal(mirror.add({ ...PLACE, part: 0, kind: 'text', offset: 1, text: 'bcd' }), true);
  assert.deepEqual(mirror.live(MESSAGE).message.parts, [{ type: 'text', text: 'abcd' }]);
});

test('N2: the input of a call that was begun before goes on where it is, under its own id', () => {
  const mirror = new LiveMirror(PLACE);
  const live: Live = { message: { ...MESSAGE, parts: [{ type: 'tool_call', callId: 'c' }] }, offsets: [10] };
  mirror.replace(live);
  const told: Delta[] = [];
  mirror.flush((delta) => told.push(delta));
  assert.equal(mirror.add({ ...PLACE, part: 0, kind: 'tool_input', offset: 10, text: '"}', callId: 'c' }), true);
  mirror.flush((delta) => told.push(delta));
  assert.deepEqual(
    told.map(({ offset, text, callId }) => [offset, text, callId]),
    [
      [10, '', 'c'],
      [10, '"}', 'c'],
    ],
  );
  assert.deepEqual(mirror.live(MESSAGE), { ...live, offsets: [12] });
});
