import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BoundedLines, LINE_EVERY_MS, MOST_KINDS } from './bounded-lines.ts';
import { createLog } from './log.ts';

interface Written {
  readonly code?: string;
  readonly address?: string;
  readonly count: number;
  readonly msg: string;
}

function boundedRig() {
  const written: Written[] = [];
  const due: { readonly ms: number; readonly work: () => void }[] = [];
  const log = createLog({ level: 'info', pretty: false, destination: { write: (line: string) => void written.push(JSON.parse(line)) } });
  const later = (ms: number, work: () => void) => {
    const timer = { ms, work };
    due.push(timer);
    return () => void due.splice(due.indexOf(timer), 1);
  };
  const lines = new BoundedLines({ log, level: 'info', later });
  return {
    written,
    due,
    lines,
    happens: (kind: string, address = 'here') => lines.add({ key: kind, fields: { event: 'tried', code: kind, address }, message: kind }),
    soLongIsOver: () => {
      for (const { work } of due.splice(0)) work();
    },
  };
}

const counts = (written: readonly Written[]) => written.map(({ code, count }) => [code, count]);

test('H36: the first of a kind has a line at once, what follows one in ten seconds with how often, and after a quiet while it begins anew', () => {
  const { written, due, happens, soLongIsOver } = boundedRig();
  happens('a');
  assert.deepEqual(counts(written), [['a', 1]]);
  for (let index = 0; index < 10_000; index += 1) happens('a', `place ${index}`);
  happens('b');
  assert.deepEqual(counts(written.splice(0)), [
    ['a', 1],
    ['b', 1],
  ]);
  assert.deepEqual(
    due.map(({ ms }) => ms),
    [LINE_EVERY_MS, LINE_EVERY_MS],
  );
  soLongIsOver();
  assert.deepEqual(
    written.splice(0).map(({ code, count, address }) => [code, count, address]),
    [['a', 10_000, 'place 9999']],
  );
  happens('a');
  happens('b');
  assert.deepEqual(counts(written.splice(0)), [['b', 1]], 'b was quiet, and a had its line');
  soLongIsOver();
  soLongIsOver();
  assert.deepEqual(counts(written), [['a', 1]]);
  assert.equal(due.length, 0, 'nothing is kept of what is quiet');
});

test('H36: beyond a hundred kinds at once the others have one line together, which names none of them', () => {
  const { written, due, happens, soLongIsOver } = boundedRig();
  for (let index = 0; index < 5 * MOST_KINDS; index += 1) happens(`kind ${index}`);
  assert.equal(written.length, MOST_KINDS + 1);
  assert.equal(due.length, MOST_KINDS + 1);
  soLongIsOver();
  const more = written.splice(0).slice(MOST_KINDS);
  assert.deepEqual(
    more.map(({ code, count, address }) => [code, count, address]),
    [
      [undefined, 1, undefined],
      [undefined, 4 * MOST_KINDS - 1, undefined],
    ],
  );
});

test('H36: at the end what was counted and not told is told, once', () => {
  const { written, due, lines, happens } = boundedRig();
  for (let index = 0; index < 5; index += 1) happens('a');
  happens('b');
  lines.close();
  lines.close();
  assert.deepEqual(counts(written), [
    ['a', 1],
    ['b', 1],
    ['a', 4],
  ]);
  assert.equal(due.length, 0);
});
