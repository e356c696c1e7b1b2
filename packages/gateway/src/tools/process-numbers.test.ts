import assert from 'node:assert/strict';
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { BackgroundProcesses } from './background.ts';
import { OutputSpool } from './output-spool.ts';
import { ProcessNumbers } from './process-numbers.ts';

test('G43: no start of a gateway gives out an id of one before, whatever became of that', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'process-numbers');
  const seen = new Set<string>();
  for (let start = 0; start < 4; start += 1) {
    const background = new BackgroundProcesses(undefined, new ProcessNumbers(path));
    for (const id of seen) assert.ok(background.isEarlier(id), id);
    for (let count = 0; count < 150; count += 1) {
      const id = background.keep({ sessionId: 'one', command: 'x', startedAt: new Date(), spool: new OutputSpool(undefined, 'x') });
      assert.match(id, /^p\d{1,4}$/);
      assert.ok(!seen.has(id) && !background.isEarlier(id), id);
      seen.add(id);
    }
  }
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  for (const odd of ['p0', 'p', 'x1', 'p-1', '1', 'p1e3', `p${'9'.repeat(20)}`]) assert.ok(!new ProcessNumbers(path).isEarlier(odd), odd);
});

test('G43: a record that is damaged, or that cannot be written, costs no call', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'process-numbers');
  for (const text of ['', 'x', '-5', '1e9', '9'.repeat(40)]) {
    await writeFile(path, text);
    const first = new ProcessNumbers(path).next();
    assert.ok(Number.isSafeInteger(first) && first > 0, text);
    assert.match(await readFile(path, 'utf8'), /^\d+$/);
  }
  await rm(path);
  await mkdir(path);
  const numbers = new ProcessNumbers(path);
  assert.equal(numbers.next() + 1, numbers.next());
});
