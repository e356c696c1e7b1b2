import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { diskFiles } from '@tendon/system';
import { pino } from 'pino';
import { MachineRefusals, readRefusals } from './machine-refusals.ts';

interface Line {
  readonly code: string;
  readonly reason: string;
  readonly count: number;
}

async function rig() {
  const folder = await mkdtemp(join(tmpdir(), 'tendon refusals '));
  const lines: Line[] = [];
  const clock = { now: new Date('2026-11-29T12:00:00Z') };
  const store = { path: join(folder, 'refusals.json'), files: diskFiles };
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(JSON.parse(line) as Line) });
  const open = () => MachineRefusals.open({ log, now: () => clock.now, store });
  const after = (ms: number): void => {
    clock.now = new Date(clock.now.getTime() + ms);
  };
  return { folder, lines, store, open, after, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

test('G10: the first refusal of a kind is told at once, a flood in one line in ten seconds that says how many', async () => {
  await using at = await rig();
  const refusals = await at.open();
  for (let sent = 0; sent < 10_000; sent += 1) refusals.note({ code: 'hash_mismatch', reason: 'another hash' });
  refusals.note({ code: 'unknown_workspace', reason: 'no such folder' });
  at.after(9_999);
  refusals.note({ code: 'hash_mismatch', reason: 'another hash' });
  at.after(1);
  for (let sent = 0; sent < 10_000; sent += 1) refusals.note({ code: 'hash_mismatch', reason: 'the newest reason' });
  assert.deepEqual(
    at.lines.map(({ code, reason, count }) => [code, reason, count]),
    [
      ['hash_mismatch', 'another hash', 1],
      ['unknown_workspace', 'no such folder', 1],
      ['hash_mismatch', 'the newest reason', 10_002],
    ],
  );
  await refusals.close();
  await refusals.close();
  assert.deepEqual(await readRefusals(at.store.path), {
    hash_mismatch: { count: 20_001, lastAt: '2026-11-29T12:00:10.000Z', reason: 'the newest reason' },
    unknown_workspace: { count: 1, lastAt: '2026-11-29T12:00:00.000Z', reason: 'no such folder' },
  });
});

test('G10: a clock that is set back silences nothing', async () => {
  await using at = await rig();
  const refusals = await at.open();
  refusals.note({ code: 'hash_mismatch', reason: 'before' });
  at.after(-3_600_000);
  refusals.note({ code: 'hash_mismatch', reason: 'after' });
  refusals.note({ code: 'hash_mismatch', reason: 'at once' });
  assert.deepEqual(
    at.lines.map(({ reason }) => reason),
    ['before', 'after'],
  );
  await refusals.close();
});

test('G10: what was refused is counted on at the next start, for its user alone, and a broken file is as none', async () => {
  await using at = await rig();
  for (let start = 0; start < 3; start += 1) {
    const refusals = await at.open();
    refusals.note({ code: 'busy', reason: 'full' });
    await refusals.close();
  }
  assert.equal((await readRefusals(at.store.path))['busy']?.count, 3);
  assert.equal((await stat(at.store.path)).mode & 0o777, 0o600);
  await writeFile(at.store.path, '{"version":1,"kinds":{"busy":{"count":"many"}}}');
  const refusals = await at.open();
  refusals.note({ code: 'busy', reason: 'full' });
  await refusals.close();
  assert.equal((await readRefusals(at.store.path))['busy']?.count, 1);
});

test('G10: kinds and words stay few, and none of them acts on a terminal', async () => {
  await using at = await rig();
  const refusals = await at.open();
  for (let kind = 0; kind < 1_000; kind += 1) refusals.note({ code: `kind ${kind}`, reason: `\u001b[2J\u202e${'x'.repeat(10_000)}` });
  await refusals.close();
  assert.equal(at.lines.length, 51);
  assert.ok(at.lines.every(({ reason }) => reason.length < 400 && !/[\p{Cc}\p{Cf}]/u.test(reason)));
  assert.equal(Object.keys(await readRefusals(at.store.path)).length, 51);
  assert.ok((await readFile(at.store.path)).length < 30_000);
});

test('G10: a disk that takes nothing costs the record and not the gateway', async () => {
  await using at = await rig();
  const refusals = new MachineRefusals({ log: pino({ level: 'silent' }), now: () => new Date(), store: { ...at.store, path: join(at.folder, 'no', 'such') } });
  refusals.note({ code: 'busy', reason: 'full' });
  await refusals.close();
});
