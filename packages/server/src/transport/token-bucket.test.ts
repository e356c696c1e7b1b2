import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTokenBucket } from './token-bucket.ts';

test('T10: a bucket gives its burst, then its rate, never more than its burst again', () => {
  let clock = 0;
  const bucket = createTokenBucket({ perSecond: 50, burst: 200 }, () => clock);
  for (let taken = 0; taken < 200; taken += 1) assert.ok(bucket.take(1).ok);
  assert.deepEqual(bucket.take(1), { ok: false, retryAfterMs: 20 });
  clock = 20;
  assert.ok(bucket.take(1).ok);
  assert.ok(!bucket.take(1).ok);
  clock = 1_000_000;
  assert.ok(bucket.take(200).ok);
  assert.ok(!bucket.take(1).ok);
});

test('T10: a cost over the burst passes with a full bucket instead of never', () => {
  const bucket = createTokenBucket({ perSecond: 10, burst: 100 }, () => 0);
  assert.ok(bucket.take(5_000).ok);
  assert.deepEqual(bucket.take(5_000), { ok: false, retryAfterMs: 10_000 });
});

test('T10: a clock that steps back takes nothing away', () => {
  let clock = 1_000;
  const bucket = createTokenBucket({ perSecond: 10, burst: 10 }, () => clock);
  assert.ok(bucket.take(5).ok);
  clock = 0;
  assert.ok(bucket.take(5).ok);
});
