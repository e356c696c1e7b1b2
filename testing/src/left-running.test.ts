import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { assertNothingRuns } from './left-running.ts';
import { untilEnded } from './processes.ts';
import { temporaryFolder } from './temporary-folder.ts';

async function start(command: string, cwd: string): Promise<number> {
  const child = spawn('bash', ['-c', command], { cwd, detached: true, stdio: ['ignore', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  return child.pid ?? assert.fail('it did not start');
}

test('I10: what works in a folder of the tests, or names it, is ended and named; what is of another stays, and what ends by itself is waited for', async () => {
  await using mine = await temporaryFolder();
  await using another = await temporaryFolder();
  const within = await start('echo up; exec sleep 600', mine.path);
  const naming = await start(`echo up; exec -a ${mine.path}/file sleep 600`, '/');
  const stranger = await start('echo up; exec sleep 601', another.path);
  await assert.rejects(assertNothingRuns([mine.path], 100), (error: Error) => {
    assert.match(error.message, /^left running, and ended only now:\n/);
    for (const pid of [within, naming]) assert.match(error.message, new RegExp(`^${pid}: `, 'm'));
    assert.doesNotMatch(error.message, new RegExp(`^${stranger}: `, 'm'));
    return true;
  });
  await untilEnded([within, naming]);
  await assertNothingRuns([mine.path]);
  await start('echo up; sleep 0.3', another.path);
  process.kill(stranger, 'SIGTERM');
  await assertNothingRuns([another.path]);
});
