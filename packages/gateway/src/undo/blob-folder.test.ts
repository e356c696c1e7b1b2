import assert from 'node:assert/strict';
import { appendFile, mkdir, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '@tendon/testing';
import { BlobFolder } from './blob-folder.ts';

test('G49: the copy of a file that grows as fast as it is read stops at its limit, and leaves nothing', async () => {
  await using folder = await temporaryFolder();
  const contents = join(folder.path, 'contents');
  await mkdir(contents);
  const path = join(folder.path, 'log');
  await writeFile(path, 'begun');
  await using source = await open(path);
  const read = source.read.bind(source) as (...request: unknown[]) => Promise<{ bytesRead: number }>;
  let reads = 0;
  const growing = async (...request: unknown[]): Promise<{ bytesRead: number }> => {
    reads += 1;
    assert.ok(reads < 1_000, 'it reads on without an end');
    await appendFile(path, 'x'.repeat(64 * 1024));
    return read(...request);
  };
  Object.assign(source, { read: growing });
  assert.equal(await new BlobFolder(contents).keep(source, 1024 * 1024), undefined);
  assert.deepEqual(await readdir(contents), []);
});

test('G49: a file of exactly the limit is kept whole, and one byte more is not', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'file');
  const contents = join(folder.path, 'contents');
  await mkdir(contents);
  await writeFile(path, 'x'.repeat(600_000));
  await using source = await open(path);
  const blobs = new BlobFolder(contents);
  assert.equal(await blobs.keep(source, 599_999), undefined);
  const kept = await blobs.keep(source, 600_000);
  assert.deepEqual([kept?.bytes, kept?.isNew], [600_000, true]);
  assert.equal(await readFile(join(contents, kept?.hash ?? ''), 'utf8'), 'x'.repeat(600_000));
});
