import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { takeDescriptors } from '@tendon/testing';
import { identify } from './process-table.ts';
import { killCallProcesses } from './process-tree.ts';
import { running } from './running.ts';

const skip = process.platform !== 'linux' && 'descriptors are taken with prlimit';

test('G53: what is to be ended while nobody can look is ended as soon as somebody can', { skip }, async () => {
  const child = spawn('sleep', ['600'], { stdio: 'ignore', detached: true });
  const exited = once(child, 'exit');
  const leader = await identify(child.pid ?? 0);
  assert.ok(leader);
  let ending: Promise<void>;
  {
    using _none = takeDescriptors();
    ending = killCallProcesses({ callId: 'the call', leader });
    // It has looked, in vain.
    await new Promise(setImmediate);
  }
  await ending;
  assert.deepEqual(await exited, [null, 'SIGTERM']);
});

test('G53: a child for which there is no descriptor has not started, and ends nobody else', { skip }, async () => {
  using _none = takeDescriptors();
  await assert.rejects(running(spawn('sleep', ['600'])), { code: 'EMFILE' });
});
