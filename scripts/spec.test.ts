import assert from 'node:assert/strict';
import { test } from 'node:test';
import { specFaults } from './spec.ts';

const family = (letter: string, ...ids: string[]) => ({ letter, rules: ids.map((id) => ({ id, file: `${letter}.md` })) });
const cites = (...ids: string[]) => ids.map((id) => ({ id, file: 'a.test.ts' }));

test('rules that are numbered and cited have no fault', () => {
  assert.deepEqual(specFaults([family('G', 'G1', 'G2'), family('P', 'P1')], cites('G1', 'G2', 'P1', 'P1')), []);
});

test('a rule without a test and a citation without a rule are named', () => {
  assert.deepEqual(specFaults([family('G', 'G1', 'G2')], cites('G1', 'G9')), [
    'G.md: no test has a title that starts with G2',
    'a.test.ts: cites G9, which SPEC does not have',
  ]);
});

test('gaps, repeats and wrong letters are named', () => {
  assert.deepEqual(specFaults([family('G', 'G1', 'G3')], cites('G1', 'G3')), ['G.md: G3 stands where G2 is due']);
  assert.deepEqual(specFaults([family('G', 'G1', 'G1')], cites('G1')), ['G.md: G1 stands where G2 is due']);
  assert.deepEqual(specFaults([family('G', 'P1')], cites('P1')), ['G.md: P1 stands where G1 is due']);
  assert.equal(specFaults([family('G')], []).length, 1);
});
