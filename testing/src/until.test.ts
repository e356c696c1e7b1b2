import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { createGate } from './gate.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { emits, until, within } from './until.ts';

test('until answers at once when the condition holds', async () => {
  assert.equal(await until({ what: 'nothing', check: () => 5 }), 5);
});

test('until looks again at each event and leaves no listener', async () => {
  const emitter = new EventEmitter();
  let count = 0;
  const third = until({ what: 'three', check: () => count === 3, on: emits(emitter, 'up') });
  for (let index = 0; index < 3; index += 1) {
    count += 1;
    emitter.emit('up');
  }
  assert.equal(await third, true);
  assert.equal(emitter.listenerCount('up'), 0);
});

test('until polls what tells nobody', async () => {
  const looks: number[] = [];
  const third = await until({ what: 'the third look', check: () => looks.push(looks.length) === 3, pollMs: 1 });
  assert.deepEqual([third, looks], [true, [0, 1, 2]]);
});

test('until names what did not come, and passes on what check throws', async () => {
  await assert.rejects(until({ what: 'rain', check: () => undefined, deadlineMs: 5 }), /waited 5 ms for rain/);
  await assert.rejects(
    until({
      what: 'x',
      check: () => {
        throw new Error('broken check');
      },
    }),
    /broken check/,
  );
});

test('until refuses a check that answers with a promise: whatever comes of it, it is there', async () => {
  await assert.rejects(until({ what: 'rain', check: () => Promise.resolve(undefined) }), /the check for rain answers with a promise/);
});

test('within passes values and errors through, and ends at its deadline', async () => {
  assert.equal(await within('a', Promise.resolve(1)), 1);
  await assert.rejects(within('b', Promise.reject(new Error('no'))), /no/);
  await assert.rejects(within('c', new Promise(() => undefined), 5), /waited 5 ms for c/);
});

test('a gate holds until it is opened, for those who wait and those who come later', async () => {
  const gate = createGate();
  let isThrough = false;
  const passing = gate.pass().then(() => {
    isThrough = true;
  });
  await gate.reached;
  assert.equal(isThrough, false);
  gate.open();
  gate.open();
  await passing;
  await gate.pass();
});

test('a temporary folder is gone after its block', async () => {
  let path = '';
  {
    await using folder = await temporaryFolder();
    path = folder.path;
    await writeFile(join(path, 'a.txt'), 'a');
  }
  await assert.rejects(access(path), { code: 'ENOENT' });
});
