import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { OPEN_POLICY } from '../policy/policy.ts';
import { LiveViews } from './live-views.ts';
import { GAP_MS, WatchPace } from './watch-pace.ts';

const idOf = (number: number): string => `0199c0de-0000-7000-8000-${String(number).padStart(12, '0')}`;

/** Watches of a browser that is not started, a clock that is moved by hand, and who was told that no page is open. */
function pacedViews(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const clock = { ms: 0 };
  const told: string[] = [];
  const views = new LiveViews({
    browser: { look: () => 'none', subscribe: () => () => undefined },
    policy: { current: async () => ({ ok: true, policy: OPEN_POLICY }) },
    workspaces: [],
    tell: (_name, { sessionId }) => void told.push(sessionId),
    isFree: () => true,
    now: () => new Date(0),
    monotonicMs: () => clock.ms,
    log: pino({ level: 'silent' }),
  });
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    told,
    views,
    async watch(number: number, forMs: number) {
      views.take({ sessionId: idOf(number), forMs, anew: true });
      await settled();
    },
    async pass(ms: number) {
      clock.ms += ms;
      context.mock.timers.tick(ms);
      await settled();
    },
    [Symbol.dispose]: () => views.close(),
  };
}

test('W26: a command about a session waits until it is GAP_MS after the one before, and 20 are taken in that time whatever they name', () => {
  let ms = 1_000;
  const pace = new WatchPace(() => ms);
  assert.deepEqual([pace.take('one'), pace.take('one'), pace.take('two')], [0, GAP_MS, 0]);
  ms += 100;
  assert.equal(pace.take('one'), GAP_MS - 100);
  for (let number = 0; number < 18; number += 1) assert.equal(pace.take(`other ${number}`), 0);
  assert.equal(pace.take('too many'), GAP_MS - 100);
  ms += GAP_MS - 100;
  assert.deepEqual([pace.take('too many'), pace.take('one')], [0, 0]);
});

test('W26: the pace of a session is kept past the end of its watch, and forgotten when it is of no use', () => {
  let ms = 1_000;
  const pace = new WatchPace(() => ms);
  pace.take('one');
  const kept = pace.of('one');
  kept.turnAt = ms + 200;
  ms += GAP_MS;
  pace.forgetAllBut(new Map());
  assert.equal(pace.of('one'), kept, 'something was shown a moment ago');
  ms += 200;
  pace.forgetAllBut(new Map([['one', true]]));
  assert.equal(pace.of('one'), kept, 'it is watched');
  pace.forgetAllBut(new Map());
  assert.notEqual(pace.of('one'), kept);
});

test('W26: a watch that is switched off and on without pause is answered at its pace, the last command counts, and an end waits for nothing', async (context) => {
  using rig = pacedViews(context);
  for (let round = 0; round < 100; round += 1) {
    await rig.watch(1, 10_000);
    await rig.watch(1, 0);
  }
  assert.equal(rig.told.length, 1);
  await rig.watch(1, 10_000);
  assert.equal(rig.told.length, 1);
  await rig.pass(GAP_MS);
  assert.equal(rig.told.length, 2, 'the last one was to watch');
  await rig.watch(1, 10_000);
  await rig.watch(1, 0);
  await rig.pass(GAP_MS);
  assert.equal(rig.told.length, 2, 'the last one was to stop');
});

test('W26: whatever sessions are named, 20 are answered in GAP_MS; the others have their turn', async (context) => {
  using rig = pacedViews(context);
  for (let number = 0; number < 50; number += 1) {
    await rig.watch(number, 10_000);
    await rig.watch(number, 0);
  }
  assert.equal(rig.told.length, 20);
  for (let number = 100; number < 130; number += 1) await rig.watch(number, 100);
  await rig.pass(GAP_MS);
  assert.equal(rig.told.length, 40);
  await rig.pass(GAP_MS);
  assert.deepEqual([rig.told.length, new Set(rig.told).size], [50, 50]);
});

test('W26: nothing waits for its turn after the end', async (context) => {
  const rig = pacedViews(context);
  await rig.watch(1, 10_000);
  await rig.watch(1, 10_000);
  rig.views.close();
  await rig.pass(GAP_MS);
  assert.equal(rig.told.length, 1);
});
