import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { PLANTED_FAULTS } from './planted-faults.ts';

const MOST_RUNS = 6_000;

async function hunt(index: number): Promise<{ seed?: number; violation?: string }> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'hunt.ts'), String(index), String(MOST_RUNS)], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  const errors: string[] = [];
  child.stdout.on('data', (chunk) => output.push(String(chunk)));
  child.stderr.on('data', (chunk) => errors.push(String(chunk)));
  const code = await new Promise((resolve) => child.on('close', resolve));
  assert.equal(code, 0, errors.join(''));
  return JSON.parse(output.join(''));
}

describe('every planted fault is found', { concurrency: 2 }, () => {
  PLANTED_FAULTS.forEach(({ name }, index) => {
    test(`I18: ${name}`, async () => {
      const { seed, violation } = await hunt(index);
      assert.notEqual(seed, undefined, `not found in ${MOST_RUNS} schedules`);
      assert.ok(violation);
    });
  });
});
