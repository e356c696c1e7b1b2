import assert from 'node:assert/strict';
import { test } from 'node:test';
import { within } from '@tendon/testing';
import { cliRig } from './cli-rig.ts';

test('O14: a script of lines chats: a command is approved and runs, another is denied, the key of the chat is gone after', async () => {
  await using rig = await cliRig();
  const started = rig.run(['start', '--port', '0', '--no-open', '--model', 'demo']);
  await started.said(/a machine is online/);
  const chat = rig.run(['chat', '--model', 'demo'], {}, 'run echo one-$((1+1))-three\ny\nrun touch never\nn not today\n');
  const outcome = await within('the end of the chat', chat.done, 60_000);
  assert.equal(outcome.code, 0, outcome.stderr);
  assert.match(outcome.stdout, /Run this on .*\n {2}bash: echo one-\$\(\(1\+1\)\)-three/);
  assert.match(outcome.stdout, /one-2-three/);
  assert.match(outcome.stdout, /\[bash: denied\]/);
  const keys = await rig.run(['key', 'list']).done;
  assert.match(keys.stdout, /revoked .* tendon chat/);
});

test('O6: chat without a server, with a wrong session', async () => {
  await using rig = await cliRig();
  const alone = await rig.run(['chat']).done;
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /no server runs on this home/);
  const wrong = await rig.run(['chat', 'nonsense']).done;
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /"nonsense" is no session's id/);
});
