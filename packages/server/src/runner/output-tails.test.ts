import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutputTails } from './output-tails.ts';

test('R5: repeats are dropped, overlaps trimmed, and a hole moves the tail on', () => {
  const tails = new OutputTails();
  tails.open('c', 's');
  assert.deepEqual(tails.add('c', 0, 'abc'), { offset: 0, text: 'abc' });
  assert.equal(tails.add('c', 0, 'abc'), undefined);
  assert.deepEqual(tails.add('c', 2, 'cde'), { offset: 3, text: 'de' });
  assert.deepEqual(tails.add('c', 10, 'xy'), { offset: 10, text: 'xy' });
  assert.deepEqual(tails.ofSession('s'), [{ callId: 'c', offset: 10, text: 'xy' }]);
});

test('R5: the tail is bounded and says where it begins', () => {
  const tails = new OutputTails();
  tails.open('c', 's');
  const chunk = 'x'.repeat(100_000);
  for (let count = 0; count < 50; count += 1) tails.add('c', count * chunk.length, chunk);
  const [tail] = tails.ofSession('s');
  assert.ok(tail);
  assert.ok(tail.text.length <= 512 * 1024);
  assert.equal(tail.offset + tail.text.length, 5_000_000);
});

test('R5: output of a call that is over or unknown is not kept', () => {
  const tails = new OutputTails();
  assert.equal(tails.add('c', 0, 'x'), undefined);
  tails.open('c', 's');
  tails.add('c', 0, 'x');
  tails.close('c');
  assert.equal(tails.sessionOf('c'), undefined);
  assert.deepEqual(tails.ofSession('s'), []);
});
