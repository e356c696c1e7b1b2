import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { PLANTED_FAULTS } from '../tests/simulation/planted-faults.ts';

test('I18: every planted fault of the simulation still has its place in the source', () => {
  const lost = PLANTED_FAULTS.filter(({ file, find }) => readFileSync(join(import.meta.dirname, '..', file), 'utf8').split(find).length !== 2);
  assert.deepEqual(
    lost.map(({ name, file }) => `${name}: ${file}`),
    [],
  );
});
