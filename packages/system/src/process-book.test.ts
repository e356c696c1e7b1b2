import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskFiles } from './disk-files.ts';
import { ProcessBook } from './process-book.ts';
import { identify, type ProcessIdentity } from './process-table.ts';

async function bookPlace(): Promise<{ path: string; open(): ProcessBook } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'tendon book '));
  const path = join(folder, 'processes.json');
  return {
    path,
    open: () => new ProcessBook({ path, files: diskFiles, newId: randomUUID }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function stranger(): Promise<{ child: ChildProcess; identity: ProcessIdentity } & AsyncDisposable> {
  const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  const identity = await identify(child.pid ?? 0);
  assert.ok(identity);
  return {
    child,
    identity,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGKILL');
      await exit;
    },
  };
}

test('G16: what a dead owner noted is ended, a process that has its number by now is not', async () => {
  await using place = await bookPlace();
  await using one = await stranger();
  await using other = await stranger();
  const rows = [
    { marker: 'same process', leader: one.identity },
    { marker: 'later process', leader: { ...other.identity, startedAt: '1' } },
    { marker: 'earlier boot', leader: { ...other.identity, bootId: 'an earlier boot' } },
    { marker: 'no leader' },
  ].map((row) => ({ ...row, owner: { id: 'dead', process: { ...other.identity, startedAt: '2' } } }));
  await writeFile(place.path, JSON.stringify(rows));
  const exit = once(one.child, 'exit');
  assert.deepEqual(
    await place.open().endLeftovers(),
    rows.map(({ marker }) => marker),
  );
  await exit;
  assert.deepEqual(await identify(other.identity.pid), other.identity, 'the stranger lives');
  assert.deepEqual(JSON.parse(await readFile(place.path, 'utf8')), []);
});

test('G16: what an owner noted that lives is left alone, and stays in the book', async () => {
  await using place = await bookPlace();
  await using one = await stranger();
  const living = place.open();
  await living.endLeftovers();
  await living.note('runs', one.identity);
  const second = place.open();
  assert.deepEqual(await second.endLeftovers(), []);
  await Promise.all([second.note('a'), second.note('b', one.identity), second.strike('a')]);
  const markers = JSON.parse(await readFile(place.path, 'utf8')).map(({ marker }: { marker: string }) => marker);
  assert.deepEqual(markers, ['runs', 'b']);
  assert.deepEqual(await identify(one.identity.pid), one.identity);
});

test('G16: a book that is damaged names nobody', async () => {
  await using place = await bookPlace();
  await using one = await stranger();
  const owner = { id: 'dead', process: { ...one.identity, startedAt: '2' } };
  for (const text of ['', '{', '{}', '[1]', JSON.stringify([{ marker: 'x', leader: { ...one.identity, pid: -1 }, owner }])]) {
    await writeFile(place.path, text);
    assert.deepEqual(await place.open().endLeftovers(), [], text);
  }
  assert.deepEqual(await identify(one.identity.pid), one.identity);
});
