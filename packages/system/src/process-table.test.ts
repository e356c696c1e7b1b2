import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { carriesMarker, identify, listProcesses, listWithPs, markedByLimit, parseStat } from './process-table.ts';

test('G16: a process is told by number and start, whatever its name holds', () => {
  const tail = `S 7 9 9 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0`;
  assert.deepEqual(parseStat(`5 (a) b (c) ${tail}`), { pid: 5, parentPid: 7, groupId: 9, startedAt: '4242', isZombie: false });
  assert.equal(parseStat(''), undefined);
});

test('G16: /proc and ps agree on a process of ours, and a dead one is nobody', async () => {
  const child = spawn('sleep', ['600'], { stdio: 'ignore' });
  const pid = child.pid ?? 0;
  for (const rows of [await listProcesses(), await listWithPs()]) {
    const row = rows.find((candidate) => candidate.pid === pid);
    assert.deepEqual([row?.parentPid, row?.isZombie], [process.pid, false]);
  }
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  assert.equal(await identify(pid), undefined);
});

test('G27: what a call has started carries its limit through all that it starts, and is what it was', {
  skip: process.platform !== 'linux' && 'limits of others are read in /proc',
}, async () => {
  const line = 'printf "%s|" "$0" "$@"; exec env -i /bin/sleep 600';
  const { program, args } = markedByLimit({ program: 'bash', args: ['-c', line, 'a "name"', 'two words'] }, 'the-call');
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const [said] = await once(child.stdout, 'data');
  assert.equal(String(said), 'a "name"|two words|');
  const row = { pid: child.pid ?? 0, groupId: 1 };
  assert.equal(await carriesMarker(row, 'the-call'), true);
  assert.notEqual(await carriesMarker(row, 'another call'), true);
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
});
