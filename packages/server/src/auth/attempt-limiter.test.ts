import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttemptLimiter } from './attempt-limiter.ts';

function limiter(more: { maxEntries?: number; keepsOwing?: boolean } = {}) {
  const clock = { now: 0 };
  return { clock, limits: new AttemptLimiter({ capacity: 3, refillMs: 1_000, now: () => clock.now, ...more }) };
}

test('H12: three mistakes, then one more each second, never more than three saved up', () => {
  const { clock, limits } = limiter();
  for (let index = 0; index < 3; index += 1) assert.deepEqual(limits.take('token', 'a'), { ok: true });
  assert.deepEqual(limits.take('token', 'a'), { ok: false, retryAfterMs: 1_000 });
  clock.now = 400;
  assert.deepEqual(limits.take('token', 'a'), { ok: false, retryAfterMs: 600 });
  clock.now = 1_000;
  assert.equal(limits.take('token', 'a').ok, true);
  assert.equal(limits.take('token', 'a').ok, false);
  clock.now = 1_000_000;
  assert.deepEqual(
    [1, 2, 3, 4].map(() => limits.take('token', 'a').ok),
    [true, true, true, false],
  );
});

test('H12: kinds and addresses do not touch each other; right ones are given back', () => {
  const { limits } = limiter();
  for (let index = 0; index < 10; index += 1) {
    assert.equal(limits.take('token', 'a').ok, true);
    limits.giveBack('token', 'a');
  }
  for (let index = 0; index < 4; index += 1) limits.take('token', 'a');
  assert.equal(limits.take('token', 'a').ok, false);
  assert.equal(limits.take('link', 'a').ok, true);
  assert.equal(limits.take('token', 'b').ok, true);
});

const SAME: readonly [string, string, boolean][] = [
  ['127.0.0.1', '::ffff:127.0.0.1', true],
  ['2001:db8:1:2::1', '2001:db8:1:2:ffff::9', true],
  ['2001:db8:1:2::1', '2001:DB8:0001:2::1', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['2001:db8::1', '2001:db8:0:0:1::', true],
  ['fe80::1%eth0', 'fe80::2%eth0', true],
  ['::1', '::2', false],
  ['10.0.0.1', '10.0.0.2', false],
];

for (const [first, second, isSame] of SAME) {
  test(`H12: ${first} and ${second} are ${isSame ? 'one address' : 'two addresses'}`, () => {
    const { limits } = limiter();
    for (let index = 0; index < 3; index += 1) limits.take('token', first);
    assert.equal(limits.take('token', second).ok, !isSame);
  });
}

test('H12: a flood of addresses does not grow the memory, and the busy one is kept', () => {
  const { limits } = limiter({ maxEntries: 100 });
  for (let index = 0; index < 3; index += 1) limits.take('token', 'busy');
  for (let index = 0; index < 10_000; index += 1) {
    limits.take('token', `10.0.${index >> 8}.${index & 255}`);
    if (index % 50 === 0) assert.equal(limits.take('token', 'busy').ok, false);
  }
});

test('A2: where whoever guesses chooses the names, none is forgotten before it is full again, and memory has a bound', () => {
  const { clock, limits } = limiter({ maxEntries: 100, keepsOwing: true });
  for (let index = 0; index < 3; index += 1) limits.take('account', 'victim');
  let admitted = 0;
  for (let index = 0; index < 10_000; index += 1) if (limits.take('account', `other ${index}`).ok) admitted += 1;
  assert.equal(limits.take('account', 'victim').ok, false);
  assert.ok(admitted >= 99 && admitted <= 99 + 3 * 1_024, `those without a place share a few: ${admitted}`);
  clock.now = 999;
  assert.equal(limits.take('account', 'victim').ok, false);
  clock.now = 1_000;
  assert.deepEqual([limits.take('account', 'victim').ok, limits.take('account', 'victim').ok], [true, false], 'it is forgiven as ever');
});

test('A2: what was guessed without a place of its own counts on when there is one; right ones are given back', () => {
  const { clock, limits } = limiter({ maxEntries: 1, keepsOwing: true });
  limits.take('account', 'first');
  for (let index = 0; index < 3; index += 1) assert.equal(limits.take('account', 'second').ok, true);
  assert.equal(limits.take('account', 'second').ok, false);
  clock.now = 1_000;
  assert.deepEqual([limits.take('account', 'second').ok, limits.take('account', 'second').ok], [true, false], 'a place is free, and no more guesses are');
  clock.now = 100_000;
  for (let index = 0; index < 10; index += 1) {
    assert.equal(limits.take('account', 'third').ok, true);
    limits.giveBack('account', 'third');
  }
  for (let index = 0; index < 3; index += 1) assert.equal(limits.take('account', 'third').ok, true);
  assert.equal(limits.take('account', 'third').ok, false);
});
