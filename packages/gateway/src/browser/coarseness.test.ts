import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Coarseness } from './coarseness.ts';

const MOST = 1_000;

test('W24: pictures become coarser as soon as one is too large, and finer again step by step when there is room', () => {
  const coarseness = new Coarseness(MOST);
  const seen = (sizes: readonly number[]): string[] => sizes.map((size) => `${coarseness.weigh(size)} ${coarseness.grain.quality}`);
  assert.deepEqual(seen([1_000, 1, 1, 1]), ['same 50', 'same 50', 'same 50', 'same 50']);
  assert.deepEqual(seen([1_001, 5_000, 5_000]), ['coarser 30', 'coarser 10', 'same 10']);
  assert.deepEqual(seen([62, 62, 250, 250, 1]), ['same 10', 'finer 30', 'same 30', 'finer 50', 'same 50']);
});

test('W24: pictures that would hardly fit leave it as it is, and so does one with room among others', () => {
  const coarseness = new Coarseness(MOST);
  coarseness.weigh(2_000);
  for (const size of [251, 1_000, 250, 251, 250, 999]) assert.equal(coarseness.weigh(size), 'same', String(size));
  assert.equal(coarseness.grain.quality, 30);
});
