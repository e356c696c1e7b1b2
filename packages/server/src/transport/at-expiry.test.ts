import assert from 'node:assert/strict';
import { test } from 'node:test';
import { atExpiry, LONGEST_TIMER_MS } from './at-expiry.ts';

/** A clock that tests move, and the timers that are due on it. */
function clockRig(startMs = 1_000_000) {
  let atMs = startMs;
  const timers = new Set<{ readonly dueMs: number; readonly work: () => void }>();
  return {
    timers,
    now: () => atMs,
    later: (ms: number, work: () => void) => {
      const timer = { dueMs: atMs + ms, work };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    /** A timer fires when it is due, or a little before, as Node's do. */
    moveTo: (ms: number, earlyMs = 0) => {
      atMs = ms;
      for (const timer of [...timers]) {
        if (timer.dueMs - earlyMs > atMs) continue;
        timers.delete(timer);
        timer.work();
      }
    },
  };
}

test('T20, H14: the end of a connection is due at the moment its credential ends, and not before', () => {
  const clock = clockRig();
  let ends = 0;
  const expiresAt = new Date(clock.now() + 60_000);
  atExpiry(expiresAt, () => (ends += 1), clock);
  assert.deepEqual(
    [...clock.timers].map(({ dueMs }) => dueMs),
    [expiresAt.getTime()],
  );
  clock.moveTo(expiresAt.getTime() - 1, 1);
  assert.equal(ends, 0, 'a timer that comes early waits on');
  assert.deepEqual(
    [...clock.timers].map(({ dueMs }) => dueMs),
    [expiresAt.getTime()],
  );
  clock.moveTo(expiresAt.getTime());
  assert.deepEqual([ends, clock.timers.size], [1, 0]);
});

test('T20: what has ended already ends at the next turn, what is further away than a timer reaches is looked at again, and what is forgotten never ends', () => {
  const clock = clockRig();
  const ended: string[] = [];
  atExpiry(new Date(clock.now() - 5_000), () => ended.push('past'), clock);
  assert.equal(ended.length, 0);
  clock.moveTo(clock.now());
  assert.equal(ended.join(), 'past');
  const far = new Date(clock.now() + 3 * LONGEST_TIMER_MS);
  atExpiry(far, () => ended.push('far'), clock);
  const forget = atExpiry(far, () => ended.push('forgotten'), clock);
  for (const step of [1, 2]) clock.moveTo(far.getTime() - (3 - step) * LONGEST_TIMER_MS);
  assert.equal(ended.join(), 'past');
  forget();
  clock.moveTo(far.getTime());
  assert.deepEqual([ended, clock.timers.size], [['past', 'far'], 0]);
});
