import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { textResult } from '@tendon/protocol';
import { takeFileLock } from '@tendon/system';
import fc from 'fast-check';
import { pino } from 'pino';
import { v7 as newId } from 'uuid';
import { Journal } from './journal.ts';
import { type JournalHandle, systemFiles } from './journal-files.ts';
import { compacted, emptyState, fold, type JournalLine, readJournal } from './journal-lines.ts';

const log = pino({ level: 'silent' });

async function folder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(tmpdir(), 'tendon journal '));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

const openAt = (path: string, compactBytes?: number): Promise<Journal> =>
  Journal.open({ path: join(path, 'journal'), log, newId, ...(compactBytes === undefined ? {} : { compactBytes }) });

function started(callId: string): JournalLine {
  return { kind: 'started', callId, tool: 'bash', inputHash: 'h', at: '2026-01-01T00:00:00.000Z' };
}

test('G15: a line is in the file when append has answered, and many share a sync in order', async () => {
  await using place = await folder();
  const journal = await openAt(place.path);
  const ids = Array.from({ length: 300 }, () => newId());
  const answers = await Promise.all(ids.map((callId) => journal.append(started(callId))));
  assert.ok(answers.every((answer) => answer.ok));
  const lines = (await readFile(join(place.path, 'journal'), 'utf8')).trim().split('\n').slice(1);
  assert.deepEqual(
    lines.map((line) => JSON.parse(line).callId),
    ids,
  );
  await journal.close();
  await journal.close();
  assert.equal((await journal.append(started(newId()))).ok, false);
});

test('G16: what was started and what was done is there after a restart, under the same instance', async () => {
  await using place = await folder();
  const first = await openAt(place.path);
  const [open, done, over] = [newId(), newId(), newId()];
  for (const callId of [open, done, over]) await first.append(started(callId));
  await first.append({ kind: 'running', callId: open, leader: { pid: 4_000_000, startedAt: '1', bootId: 'x' } });
  for (const callId of [done, over]) await first.append({ kind: 'done', callId, result: textResult('succeeded', 'fine \u{1F98A}') });
  await first.append({ kind: 'forgotten', callId: over });
  await first.close();
  const second = await openAt(place.path);
  assert.equal(second.instanceId, first.instanceId);
  assert.equal(second.entry(open)?.leader?.pid, 4_000_000);
  assert.equal(second.entry(open)?.result, undefined);
  assert.equal(second.entry(done)?.result?.status, 'succeeded');
  assert.equal(second.entry(over), undefined);
  assert.ok(second.isForgotten(over));
  await second.close();
});

test('G17: cut off at any byte, the journal opens with every line that was whole', async () => {
  await using place = await folder();
  const path = join(place.path, 'journal');
  const journal = await openAt(place.path);
  const ids = [newId(), newId(), newId()];
  for (const callId of ids) await journal.append(started(callId));
  await journal.close();
  const whole = await readFile(path);
  const headerEnd = whole.indexOf(10) + 1;
  for (let length = headerEnd; length <= whole.length; length += 7) {
    await writeFile(path, whole.subarray(0, length));
    const expected = whole.subarray(headerEnd, length).filter((byte) => byte === 10).length;
    const again = await openAt(place.path);
    assert.equal(again.instanceId, journal.instanceId);
    assert.equal([...again.entries()].length, expected);
    await again.append(started(newId()));
    await again.close();
    assert.equal(readJournal(await readFile(path)).kind, 'read');
  }
});

test('G17: a tail of zeros, as a power cut leaves it, is cut off', async () => {
  await using place = await folder();
  const journal = await openAt(place.path);
  await journal.append(started(newId()));
  await journal.close();
  await appendFile(join(place.path, 'journal'), Buffer.alloc(4_096));
  const again = await openAt(place.path);
  assert.equal(again.instanceId, journal.instanceId);
  assert.equal([...again.entries()].length, 1);
  await again.close();
});

test('G17: lost, emptied or damaged in its middle: a new instance, and the damaged file is kept aside', async () => {
  await using place = await folder();
  const path = join(place.path, 'journal');
  const first = await openAt(place.path);
  await first.append(started(newId()));
  await first.append(started(newId()));
  await first.close();
  const whole = await readFile(path, 'utf8');
  const damages: [string, () => Promise<unknown>][] = [
    ['lost', () => rm(path)],
    ['emptied', () => truncate(path, 0)],
    ['middle', () => writeFile(path, whole.replace('"started"', '"staXted"'))],
    ['another program’s file', () => writeFile(path, 'PK\u0003\u0004')],
  ];
  for (const [name, damage] of damages) {
    await writeFile(path, whole);
    await damage();
    const next = await openAt(place.path);
    assert.notEqual(next.instanceId, first.instanceId, name);
    assert.equal([...next.entries()].length, 0, name);
    await next.close();
  }
  assert.equal((await readdir(place.path)).filter((name) => name.includes('unreadable')).length, 3);
});

test('G17: a journal that has grown is compacted while it is used, and loses nothing', async () => {
  await using place = await folder();
  const journal = await openAt(place.path, 20_000);
  const kept = newId();
  await journal.append(started(kept));
  for (let index = 0; index < 200; index += 1) {
    const callId = newId();
    await journal.append(started(callId));
    await journal.append({ kind: 'done', callId, result: textResult('succeeded', 'x'.repeat(500)) });
    await journal.append({ kind: 'forgotten', callId });
  }
  assert.ok((await stat(join(place.path, 'journal'))).size < 100_000);
  await journal.close();
  const again = await openAt(place.path);
  assert.ok(again.entry(kept));
  await again.close();
});

test('G17: a compaction that fails halfway loses no line that comes after it; while the file cannot be opened again nothing starts', async () => {
  await using place = await folder();
  let failures = 0;
  const openForAppend = async (path: string): Promise<JournalHandle> => {
    if (failures === 0) return systemFiles.openForAppend(path);
    failures -= 1;
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
  };
  const options = { path: join(place.path, 'journal'), log, newId, compactBytes: 2_000, files: { ...systemFiles, openForAppend } };
  const journal = await Journal.open(options);
  const before = (await stat(options.path)).ino;
  failures = 2;
  const [first, refused, last] = [newId(), newId(), newId()];
  await journal.append(started(first));
  await journal.append({ kind: 'done', callId: first, result: textResult('succeeded', 'x'.repeat(2_000)) });
  assert.equal(failures, 1);
  assert.notEqual((await stat(options.path)).ino, before, 'the new file has the name');
  assert.deepEqual(await journal.append(started(refused)), { ok: false, reason: 'the journal cannot be opened' });
  assert.deepEqual(await journal.append(started(last)), { ok: true });
  await journal.close();
  const again = await Journal.open(options);
  assert.deepEqual(
    [...again.entries()].map(({ callId, result }) => [callId, result?.status]),
    [
      [first, 'succeeded'],
      [last, undefined],
    ],
  );
  await again.close();
});

test('G17: compaction means the same as the lines it replaces', () => {
  const ids = Array.from({ length: 4 }, () => newId());
  const line = fc.tuple(fc.constantFrom('started', 'running', 'done', 'forgotten'), fc.constantFrom(...ids)).map(([kind, callId]): JournalLine => {
    if (kind === 'started') return started(callId);
    if (kind === 'running') return { kind, callId, leader: { pid: 1, startedAt: '2', bootId: 'b' } };
    return kind === 'done' ? { kind, callId, result: textResult('succeeded', 'x') } : { kind: 'forgotten', callId };
  });
  const details = fc.check(
    fc.property(fc.array(line, { maxLength: 30 }), (lines) => {
      const state = emptyState();
      for (const one of lines) fold(state, one);
      const reading = readJournal(Buffer.from(compacted(newId(), state)));
      assert.ok(reading.kind === 'read' && !reading.isTorn);
      assert.deepEqual(reading.state, state);
    }),
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${JSON.stringify(details.counterexample)}`);
});

test('G18: a second owner is refused until the first lets go', async () => {
  await using place = await folder();
  const path = join(place.path, 'lock');
  const first = takeFileLock(path);
  assert.ok(first);
  assert.equal(takeFileLock(path), undefined);
  first.close();
  first.close();
  const second = takeFileLock(path);
  assert.ok(second);
  second.close();
});
