import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { diskFiles } from './disk-files.ts';

const PROCESSES = 4;
/** Who waits for all of the others gives up waiting after 5 s: few enough for a disk that takes its time. */
const TIMES = 3;

test('E30: processes that update one file at the same time lose nothing of each other', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'numbers.json');
  const script = `const { diskFiles } = await import(${JSON.stringify(join(import.meta.dirname, 'disk-files.ts'))});
    process.stdin.once('data', async () => {
      for (let time = 0; time < ${TIMES}; time += 1)
        await diskFiles.update(process.argv[1], (current) => JSON.stringify([...JSON.parse(current ?? '[]'), process.pid]));
      process.exit(0);
    });
    process.stdout.write('ready');`;
  const children = Array.from({ length: PROCESSES }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script, path], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  await Promise.all(children.map(({ stdout }) => once(stdout, 'data')));
  const ends = children.map((child) => once(child, 'close'));
  for (const { stdin } of children) stdin.write('go');
  assert.deepEqual(
    (await Promise.all(ends)).map(([code]) => code),
    children.map(() => 0),
  );
  const numbers = JSON.parse(String(await diskFiles.read(path))) as number[];
  const counts = children.map(({ pid }) => numbers.filter((number) => number === pid).length);
  assert.deepEqual(counts, Array(PROCESSES).fill(TIMES));
});

test('E30: an update that fails changes nothing, and holds nobody up after', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'text');
  await diskFiles.update(path, (current) => (current === undefined ? 'first' : 'not this'));
  await assert.rejects(
    diskFiles.update(path, () => {
      throw new Error('no');
    }),
    /no/,
  );
  await diskFiles.update(path, () => undefined);
  await diskFiles.update(path, (current) => `${String(current)}, second`);
  assert.equal(String(await diskFiles.read(path)), 'first, second');
});
