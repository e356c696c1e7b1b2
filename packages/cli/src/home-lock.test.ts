import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { HomeLock, runningServer } from './home-lock.ts';

test('O7: one owner at a time; released, it is free again', async () => {
  await using folder = await temporaryFolder();
  const first = HomeLock.take(folder.path);
  assert.ok(first.ok);
  const second = HomeLock.take(folder.path);
  assert.ok(!second.ok && second.owner.pid === process.pid && second.owner.url === undefined);
  first.lock.announce({ url: 'http://127.0.0.1:1', controlKey: 'k' });
  assert.equal(runningServer(folder.path)?.url, 'http://127.0.0.1:1');
  assert.equal((await stat(join(folder.path, 'run', 'server.json'))).mode & 0o777, 0o600);
  first.lock.release();
  first.lock.release();
  assert.deepEqual(await readdir(join(folder.path, 'run')), []);
  const third = HomeLock.take(folder.path);
  assert.ok(third.ok);
  third.lock.release();
});

test('O7: the lock of a dead process, of a reused number and a damaged file are taken over', async () => {
  await using folder = await temporaryFolder();
  const child = spawn(process.execPath, ['-e', '0']);
  await new Promise((resolve) => child.once('exit', resolve));
  await mkdir(join(folder.path, 'run'));
  for (const content of [
    JSON.stringify({ pid: child.pid, startedAt: 'x' }),
    JSON.stringify({ pid: process.pid, startedAt: 'another boot:1' }),
    '{',
    '',
    '{"pid":-1}',
  ]) {
    await writeFile(join(folder.path, 'run', 'server.json'), content);
    assert.equal(runningServer(folder.path), undefined, content);
    const taken = HomeLock.take(folder.path);
    assert.ok(taken.ok, content);
    taken.lock.release();
  }
});

test('O7: of eight processes that start at once over a dead lock exactly one gets it', async () => {
  await using folder = await temporaryFolder();
  await mkdir(join(folder.path, 'run'));
  await writeFile(join(folder.path, 'run', 'server.json'), JSON.stringify({ pid: 2 ** 22 + 1, startedAt: 'x' }));
  const script = `const { HomeLock } = await import(${JSON.stringify(join(import.meta.dirname, 'home-lock.ts'))});
    process.stdin.once('data', () => { process.stdout.write(HomeLock.take(${JSON.stringify(folder.path)}).ok ? 'got' : 'no'); process.stdin.once('data', () => process.exit(0)); });
    process.stderr.write('ready');`;
  const children = Array.from({ length: 8 }, () => spawn(process.execPath, ['--input-type=module', '-e', script]));
  await Promise.all(children.map((child) => new Promise((resolve) => child.stderr.once('data', resolve))));
  const answers = children.map((child) => new Promise<string>((resolve) => child.stdout.once('data', (chunk: Buffer) => resolve(chunk.toString()))));
  for (const child of children) child.stdin.write('go');
  const results = await Promise.all(answers);
  for (const child of children) child.stdin.write('end');
  await Promise.all(children.map((child) => new Promise((resolve) => child.once('exit', resolve))));
  assert.equal(results.filter((result) => result === 'got').length, 1, results.join(' '));
});
