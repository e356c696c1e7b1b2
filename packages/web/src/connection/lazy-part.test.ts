import assert from 'node:assert/strict';
import { test } from 'node:test';
import { patiently } from './lazy-part.ts';

test('U4: a part of the page that cannot be loaded waits until the server is there, and is loaded once more', async () => {
  const isThere = [false, false, true];
  let pauses = 0;
  let loads = 0;
  const load = patiently(
    async () => {
      loads += 1;
      if (loads === 1) throw new Error('nothing listens there');
      return 'the part';
    },
    {
      isServerThere: async () => isThere.shift() ?? assert.fail('asked once too often'),
      pause: async () => {
        pauses += 1;
      },
    },
  );
  assert.equal(await load(), 'the part');
  assert.deepEqual([loads, pauses], [2, 2]);
});

test('U4: a part that fails although the server is there is an error, after one more try', async () => {
  let loads = 0;
  const gone = async () => {
    loads += 1;
    throw new Error('replaced by an upgrade');
  };
  await assert.rejects(patiently(gone, { isServerThere: async () => true, pause: () => assert.fail('no reason to wait') }), /replaced by an upgrade/);
  assert.equal(loads, 2);
});
