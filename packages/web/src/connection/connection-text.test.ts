import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionText } from './connection-text.ts';

test('U4: online and the first connection are quiet', () => {
  assert.deepEqual(connectionText({ kind: 'online' }, 0), { tone: 'good', word: 'Connected' });
  assert.equal(connectionText({ kind: 'connecting', attempt: 1 }, 0).bar, undefined);
});

test('U4: away, the bar gives the reason and counts down to zero', () => {
  const away = { kind: 'waiting', attempt: 3, retryAt: 10_000, reason: { code: 'transport_close', message: 'The server went away' } } as const;
  assert.equal(connectionText(away, 5_500).bar, 'The server went away. Trying again in 5 s.');
  assert.equal(connectionText(away, 9_999).bar, 'The server went away. Trying again in 1 s.');
  assert.equal(connectionText(away, 12_000).bar, 'The server went away. Trying again now.');
});

test('U4: a reason without words still gives a sentence', () => {
  const failed = { kind: 'failed', reason: { code: 'unauthorized', message: '' } } as const;
  assert.equal(connectionText(failed, 0).bar, 'The connection is lost.');
});
