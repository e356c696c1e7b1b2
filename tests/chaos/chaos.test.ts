import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { FAULTS } from './faults.ts';
import { type ChaosTally, chaos } from './run-chaos.ts';

/** The same seeds every time, so that a change is judged on itself; what the machine makes of them differs. `npm run chaos` plays others. */
const FIRST_SEED = 1_000;
const RUNS = 20;

describe(`${RUNS} runs of the real processes under faults, from seed ${FIRST_SEED}`, () => {
  let tally: ChaosTally;
  before(async () => {
    tally = await chaos(FIRST_SEED, RUNS);
  });
  const holds = (invariant: string) => {
    assert.ok((tally.checks[invariant] ?? 0) > 0, `${invariant} was never checked`);
    assert.deepEqual(
      tally.violations.filter(({ text }) => text.startsWith(`${invariant}:`)),
      [],
    );
  };
  test('I1: what was sent is in the history once', () => holds('I1'));
  test('I2: final states are kept', () => holds('I2'));
  test('I3: no command begins twice', () => holds('I3'));
  test('I7: what rests has nothing open', () => holds('I7'));
  test('I8: events have no gap', () => holds('I8'));
  test('I9: every page shows what a fresh one shows', () => holds('I9'));
  test('I10: no process is left of what was stopped', () => holds('I10'));
  test('I11: what ran was approved, what was denied did not run', () => holds('I11'));
  test('I17: every request is answered', () => holds('I17'));
  test('I18: everything comes to rest', () => holds('I18'));
  test('I18: every kind of fault happened', (context) => {
    for (const [kind, reason] of tally.impossible) context.diagnostic(`not played: ${kind}: ${reason}`);
    const kinds = new Set(Object.keys(tally.faults).map((key) => key.split(' | ')[0]));
    assert.deepEqual(
      Object.keys(FAULTS).filter((kind) => !kinds.has(kind) && !tally.impossible.has(kind)),
      [],
    );
  });
});
