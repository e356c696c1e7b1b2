import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { openBench, type ToolBench, textOf } from '../tools/tool-bench-rig.ts';
import { hashOf } from './blob-folder.ts';
import { Snapshots } from './snapshots.ts';

const log = pino({ level: 'silent' });
const now = (): Date => new Date();
const SESSION = newId();

async function write(bench: ToolBench, content: string): Promise<string> {
  const callId = newId();
  await bench.run('read_file', { path: 'a', endLine: 1 }, { sessionId: SESSION });
  const result = await bench.run('write_file', { path: 'a', content }, { callId, sessionId: SESSION });
  assert.equal(result.status, 'succeeded', textOf(result));
  return callId;
}

async function contentsOf(bench: ToolBench): Promise<string[]> {
  return readdir(join(bench.undoFolder, 'contents'));
}

test('G49: what is kept is private, each content once, and nothing of it lies in the project', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former');
  await write(bench, 'one');
  await write(bench, 'former');
  await write(bench, 'one');
  assert.equal((await contentsOf(bench)).length, 2);
  const entries = await readdir(bench.undoFolder, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    const { mode } = await stat(join(entry.parentPath, entry.name));
    assert.equal(mode & 0o777, entry.isDirectory() ? 0o700 : 0o600, entry.name);
  }
  assert.equal((await stat(bench.undoFolder)).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'a']);
});

test('G49: what cannot be kept is not changed; a file that is too large is, and cannot be had back', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former');
  await writeFile(bench.undoFolder, 'a file where the folder should be');
  await bench.run('read_file', { path: 'a' });
  for (const [tool, input] of [
    ['write_file', { path: 'a', content: 'new' }],
    ['write_file', { path: 'fresh', content: 'new' }],
    ['edit_file', { path: 'a', oldText: 'former', newText: 'new' }],
    ['apply_patch', { patch: '*** Begin Patch\n*** Delete File: a\n*** End Patch' }],
  ] as const) {
    const result = await bench.run(tool, input);
    assert.equal(result.error?.code, 'snapshot_failed', tool);
    assert.match(textOf(result), /Free some disk space.*\nNothing was changed/);
  }
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'former');
  assert.deepEqual((await readdir(bench.root)).sort(), ['.tendon', 'a']);
  await rm(bench.undoFolder);
  await write(bench, 'kept');
  await rm(bench.undoFolder, { recursive: true });
  await bench.run('read_file', { path: 'a' });
  assert.equal((await bench.run('write_file', { path: 'a', content: 'new' })).error?.code, 'snapshot_failed');

  await truncate(join(bench.root, 'a'), 65 * 1024 * 1024);
  const callId = await write(bench, 'small now');
  const result = await bench.run('undo_changes', { calls: [callId], files: ['a'], others: [] }, { sessionId: SESSION });
  assert.deepEqual(
    result.meta?.undone?.map(({ outcome }) => outcome),
    ['impossible'],
  );
  assert.match(textOf(result), /files over \d+ bytes are not kept/);
});

test('G49: the oldest goes first when there is too much of it, or it is too old; nothing that is named goes', async () => {
  await using bench = await openBench();
  const big = (letter: string): string => letter.repeat(1_000);
  await writeFile(join(bench.root, 'a'), big('a'));
  const calls: string[] = [];
  for (const letter of 'bcdef') {
    calls.push(await write(bench, big(letter)));
  }
  const kept = async (snapshots: Snapshots): Promise<boolean[]> =>
    Promise.all(calls.map(async (callId) => (await snapshots.linesOf(SESSION, callId)).length > 0));
  const few = new Snapshots({ folder: bench.undoFolder, log, now, limits: { calls: 4 } });
  await appendFile(join(bench.undoFolder, 'contents', 'left by a killed gateway.tmp'), 'x');
  await few.sweep();
  assert.deepEqual(await kept(few), [false, true, true, true, true]);
  assert.equal((await contentsOf(bench)).length, 4);
  const small = new Snapshots({ folder: bench.undoFolder, log, now, limits: { totalBytes: 3_500 } });
  await small.sweep();
  assert.deepEqual(await kept(small), [false, false, false, true, true]);
  const gone = await bench.run('undo_changes', { calls: calls.slice(0, 1), files: ['a'], others: [] }, { sessionId: SESSION });
  assert.match(textOf(gone), /keeps nothing of what it was/);
  const later = new Snapshots({ folder: bench.undoFolder, log, now: () => new Date(Date.now() + 31 * 24 * 3_600_000) });
  await later.sweep();
  assert.deepEqual(
    await kept(later),
    calls.map(() => false),
  );
  assert.deepEqual(await contentsOf(bench), []);
  assert.deepEqual(await readdir(join(bench.undoFolder, 'sessions')), []);
});

test('G49: calls go on while a sweep looks, and it lets nothing go that they keep meanwhile', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former');
  const first = await write(bench, 'one');
  const second = await write(bench, 'former');
  const former = hashOf(Buffer.from('former'));
  for (const callId of [newId(), first]) {
    let asked = 0;
    let meanwhile: Promise<unknown> | undefined;
    const snapshots = new Snapshots({
      ...{ folder: bench.undoFolder, log, limits: { calls: 1 } },
      now() {
        asked += 1;
        // At the start of the sweep, and when it has looked at everything.
        if (asked === 2) meanwhile = snapshots.keep({ sessionId: SESSION, callId, workspace: bench.workspace }, [{ path: 'a', data: Buffer.from('two') }]);
        return new Date();
      },
    });
    await snapshots.sweep();
    await meanwhile;
    assert.equal((await snapshots.linesOf(SESSION, callId)).at(-1)?.before.kind, 'file');
    assert.equal((await snapshots.read(former))?.toString(), 'former');
    if (callId !== first) assert.deepEqual(await snapshots.linesOf(SESSION, first), [], 'the sweep has let go what is too much');
  }
  assert.deepEqual(await bench.snapshots.linesOf(SESSION, second), []);
});

test('G49, C17: of which sessions something is kept is known before all that is kept was looked at, and only for their own server', async () => {
  await using bench = await openBench();
  const options = { folder: bench.undoFolder, log, now };
  const [mine, others] = [newId(), newId()];
  for (const [sessionId, keptFor] of [
    [mine, 'https://mine.example 1'],
    [others, 'https://others.example 1'],
  ] as const) {
    const snapshots = new Snapshots({ ...options, keptFor });
    await snapshots.keep({ sessionId, callId: newId(), workspace: bench.workspace }, [{ path: 'a', data: Buffer.from('x') }]);
  }
  await mkdir(join(bench.undoFolder, 'sessions', 'made by hand'));
  await writeFile(join(bench.undoFolder, 'sessions', 'a file'), 'by hand');
  const again = new Snapshots({ ...options, keptFor: 'https://mine.example 1' });
  await again.load();
  assert.deepEqual(again.sessions, [mine]);
  await again.close();
});

test('G49: torn and foreign lines, and a content that is not what its name says, change no file', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former');
  const callId = await write(bench, 'mine');
  const path = join(bench.undoFolder, 'sessions', SESSION, `${callId}.jsonl`);
  await appendFile(path, '{"torn');
  const again = { sessionId: SESSION, callId, workspace: bench.workspace };
  await bench.snapshots.keep(again, [{ path: 'b', data: Buffer.from('b') }]);
  assert.deepEqual(
    (await bench.snapshots.linesOf(SESSION, callId)).map((line) => line.path),
    ['a', 'b'],
  );
  const [name = ''] = await contentsOf(bench);
  await chmod(join(bench.undoFolder, 'contents', name), 0o600);
  await writeFile(join(bench.undoFolder, 'contents', name), 'something else');
  const result = await bench.run('undo_changes', { calls: [callId], files: ['a'], others: [] }, { sessionId: SESSION });
  assert.deepEqual(
    result.meta?.undone?.map(({ outcome }) => outcome),
    ['impossible'],
  );
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'mine');
  assert.deepEqual(await bench.snapshots.linesOf('../../work', '../etc'), []);
});

test('G49: the file that is changed is the one that was kept', async () => {
  await using bench = await openBench();
  await mkdir(join(bench.root, 'folder'));
  await writeFile(join(bench.root, 'a'), 'former');
  await bench.run('read_file', { path: 'a' });
  const { keep } = bench.snapshots;
  // Somebody writes between the keeping and the change.
  bench.snapshots.keep = async (...request) => {
    const present = await keep.apply(bench.snapshots, request);
    await writeFile(join(bench.root, 'a'), 'by hand');
    await writeFile(join(bench.root, 'fresh'), 'by hand');
    return present;
  };
  assert.equal((await bench.run('write_file', { path: 'a', content: 'mine' })).error?.code, 'changed_meanwhile');
  await rm(join(bench.root, 'fresh'));
  assert.equal((await bench.run('write_file', { path: 'fresh', content: 'mine' })).error?.code, 'already_exists');
  assert.equal(await readFile(join(bench.root, 'a'), 'utf8'), 'by hand');
  assert.equal(await readFile(join(bench.root, 'fresh'), 'utf8'), 'by hand');
});

test('C17, G49: of a session that is deleted nothing is kept, and another session keeps its own', async () => {
  await using bench = await openBench();
  await writeFile(join(bench.root, 'a'), 'former');
  await write(bench, 'mine');
  const other = newId();
  const kept = newId();
  await bench.run('write_file', { path: 'b', content: 'of another' }, { callId: kept, sessionId: other });
  assert.deepEqual([...bench.snapshots.sessions].toSorted(), [SESSION, other].toSorted());
  await bench.snapshots.endSession(SESSION);
  assert.deepEqual(bench.snapshots.sessions, [other]);
  assert.deepEqual(await readdir(join(bench.undoFolder, 'sessions')), [other]);
  assert.deepEqual(await contentsOf(bench), []);
  assert.equal((await bench.snapshots.linesOf(other, kept)).length, 1);
});
