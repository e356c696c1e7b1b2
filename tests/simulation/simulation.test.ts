import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { before, describe, test } from 'node:test';
import { planOfSeed } from './plan.ts';
import { runPlan } from './run-plan.ts';
import { simulate } from './simulate.ts';
import { emptyTally, type Tally } from './tally.ts';

/** The same seeds every time, so that a change is judged on itself. `npm run simulate` plays fresh ones. */
const FIRST_SEED = 1_000_000;
const RUNS = 5_000;

/** Rare states without which a run shows little: each must be reached. */
const SOMETIMES = [
  'a call is cancelled',
  'a call is denied',
  'a call is failed',
  'a call is succeeded',
  'a call is unknown',
  'a call on the server is cancelled',
  'a call on the server is failed',
  'a call on the server is succeeded',
  'a call on the server is unknown',
  'a call that reads runs again',
  'a clock jumps',
  'a connection is half-open',
  'a disk is full',
  'a fork takes calls over',
  'a gateway dies while a tool runs',
  'a journal is lost',
  'a machine comes back as a new instance',
  'a machine loses its power',
  'a node is killed',
  'a node is stopped for longer than its leases',
  'a node is terminated',
  'a node passes on what streams at another',
  'a notice between nodes is lost',
  'a page is reloaded',
  'a queue is held',
  'a running call is cancelled',
  'a running call on the server is told to end',
  'a session is forked',
  'a stop ends a turn',
  'a turn is begun again by another owner',
  'an approval lapses',
  'an unknown outcome is settled',
  'statements are done and their answers lost',
  'statements fail',
  'syncs fail',
];

test('I16: the same seed is the same run', async () => {
  for (const seed of [FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2]) {
    const [one, other] = [await runPlan(planOfSeed(seed)), await runPlan(planOfSeed(seed))];
    assert.deepEqual([one.trace, one.steps, one.virtualMs], [other.trace, other.steps, other.virtualMs]);
  }
});

describe(`${RUNS} simulated schedules from seed ${FIRST_SEED}`, () => {
  let tally: Tally = emptyTally();
  before(async () => {
    tally = await simulate({ firstSeed: FIRST_SEED, runs: RUNS, jobs: availableParallelism() });
  });
  const holds = (invariant: string) => {
    assert.ok(invariant === 'I16' || (tally.checks[invariant] ?? 0) > 0, `${invariant} was never checked`);
    const broken = tally.failures.filter((failure) => failure.violations.some((violation) => violation.startsWith(`${invariant} `)));
    const seeds = broken.map(({ seed }) => seed);
    assert.deepEqual(broken.slice(0, 1), [], `${broken.length} seeds break ${invariant}: npm run simulate -- --explain ${seeds[0]}`);
  };
  test('I1: acknowledged messages are in the history once', () => holds('I1'));
  test('I2: final states are reached once and kept', () => holds('I2'));
  test('I3: what is not read starts at most once', () => holds('I3'));
  test('I4: results come from where the call was given', () => holds('I4'));
  test('I5: old epochs write nothing', () => holds('I5'));
  test('I6: nothing runs without an owner', () => holds('I6'));
  test('I7: status agrees with the rows', () => holds('I7'));
  test('I8: events have no gap', () => holds('I8'));
  test('I9: views converge', () => holds('I9'));
  test('I10: nothing of a stopped turn goes on', () => holds('I10'));
  test('I11: what ran is what was approved', () => holds('I11'));
  test("I12: nothing runs against a machine's policy", () => holds('I12'));
  test('I13: nobody hears of what is not theirs', () => holds('I13'));
  test('I16: nothing throws', () => holds('I16'));
  test('I17, I18: every session comes to rest, and nobody waits for an answer', () => holds('I18'));
  test('I18: every rare state was reached', () => {
    assert.deepEqual(
      SOMETIMES.filter((name) => !tally.reached[name]),
      [],
    );
  });
});
