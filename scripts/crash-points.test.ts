import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CRASH_POINTS } from '../tests/chaos/crash-points.ts';

test('I18: every crash point still has its place in the source, under a name of its own', () => {
  const lost = CRASH_POINTS.filter(({ file, before }) => readFileSync(join(import.meta.dirname, '..', file), 'utf8').split(before).length !== 2);
  assert.deepEqual(
    lost.map(({ name, file }) => `${name}: ${file}`),
    [],
  );
  assert.equal(new Set(CRASH_POINTS.map(({ name }) => name)).size, CRASH_POINTS.length);
});
