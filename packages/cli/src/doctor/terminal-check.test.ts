import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkTerminals } from './terminal-check.ts';

test('O12: doctor says whether the machine can make terminals, and what mends it', async () => {
  assert.deepEqual(await checkTerminals(), { subject: 'terminals', state: 'ok', detail: 'programs that want a terminal can have one' });
  const without = await checkTerminals(async () => "Cannot find module '@lydell/node-pty-linux-x64'");
  assert.equal(without.state, 'missing');
  assert.match(without.detail, /cannot run in a terminal \(Cannot find module/);
  assert.match(without.mend ?? '', /npm ci.*optional packages.*start the gateway again/);
});
