import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { findCallProcesses, type ProcessIdentity } from '@tendon/system';
import { isRunning, startServerDouble, temporaryFolder, untilEnded } from '@tendon/testing';
import { pino } from 'pino';
import { startGateway } from '../start-gateway.ts';
import { openBench, textOf } from '../tools/tool-bench-rig.ts';
import { browserModuleLoads } from './browser-host.ts';
import { openPages } from './page-rig.ts';

/** Every process of the browser in this folder, by its group, its children and the mark in its environment. */
async function processesOf(folder: string): Promise<number[]> {
  const { marker, leader } = JSON.parse(await readFile(join(folder, 'process.json'), 'utf8')) as { marker: string; leader: ProcessIdentity };
  const pids = await findCallProcesses({ callId: marker, leader });
  assert.ok(pids.length >= 3, 'a browser is several processes');
  return pids;
}

async function pause(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 20));
}

test('W11: closing leaves no process and no folder', async () => {
  const rig = await openPages({ '/': 'hello' });
  await using _ = rig;
  const folder = rig.bench.browserFolder;
  await rig.open('/');
  const pids = await processesOf(folder);
  await Promise.all([rig.bench.browser.close(), rig.bench.browser.close()]);
  assert.deepEqual(pids.filter(isRunning), []);
  assert.equal(existsSync(folder), false);
  assert.equal((await rig.run('browser_navigate', { url: `${rig.url}/` })).error?.code, 'shutting_down');
});

test('W11: a session that is idle is closed, and the browser with the last one', async () => {
  await using rig = await openPages({ '/': 'hello' }, { idleMs: 300 });
  await rig.open('/');
  // It is not idle while its processes are looked for.
  const abort = new AbortController();
  const working = rig.run('browser_wait', { text: 'never' }, { abort });
  const pids = await processesOf(rig.bench.browserFolder);
  abort.abort({ kind: 'cancelled' });
  assert.equal((await working).status, 'cancelled');
  await untilEnded(pids);
  while (existsSync(rig.bench.browserFolder)) await pause();
  const result = await rig.run('browser_snapshot', {});
  assert.match(textOf(result), /not used for a while.*browser_navigate/);
  assert.match(await rig.open('/'), /hello/);
});

test('W11: the pages of a session that is over are closed after what is at work on them, and the browser with the last one', async () => {
  await using rig = await openPages({ '/': 'hello', '/slow': () => undefined });
  await rig.open('/');
  const pids = await processesOf(rig.bench.browserFolder);
  const { browser } = rig.bench;
  await browser.endSession('no session of this machine');
  const working = rig.run('browser_wait', { ms: 300 });
  const [ended] = await Promise.all([browser.endSession('one session'), browser.endSession('one session')]);
  assert.equal(ended, undefined);
  assert.equal((await working).status, 'succeeded');
  await untilEnded(pids);
  assert.match(textOf(await rig.run('browser_snapshot', {})), /archived or deleted.*browser_navigate/);
});

test('W12: a browser that is killed is said to be gone, leaves nothing, and is started anew', async () => {
  await using rig = await openPages({ '/': 'hello', '/slow': () => undefined });
  await rig.open('/');
  const first = rig.bench.browser.process;
  assert.ok(first);
  const pids = await processesOf(rig.bench.browserFolder);
  const waiting = rig.run('browser_navigate', { url: `${rig.url}/slow` });
  while (!rig.asked.includes('GET /slow')) await pause();
  process.kill(first.pid, 'SIGKILL');
  assert.match((await waiting).error?.code ?? '', /page_closed|page_crashed|not_loaded/);
  const told = await rig.run('browser_snapshot', {});
  assert.deepEqual([told.error?.code, /ended unexpectedly.*browser_navigate/.test(textOf(told))], ['no_page', true]);
  assert.match(await rig.open('/'), /hello/);
  assert.notEqual(rig.bench.browser.process?.pid, first.pid);
  await untilEnded(pids);
});

/** One of the browser's may have ended since it was found. */
function stop(pid: number): void {
  try {
    process.kill(pid, 'SIGSTOP');
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ESRCH');
  }
}

/** A gateway in a process of its own, so that it can be killed as a whole. */
function spawnGateway(options: { serverUrl: string; home: string; workspaces: string[] }): ChildProcess {
  const program = `
    import { pino } from 'pino';
    import { startGateway } from ${JSON.stringify(new URL('../index.ts', import.meta.url).href)};
    const options = JSON.parse(process.env.GATEWAY_OPTIONS);
    await startGateway({ ...options, token: 'key', name: 'killed', version: '0', log: pino({ level: 'silent' }), random: () => 0.01 });`;
  return spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: new URL('..', import.meta.url),
    env: { ...process.env, GATEWAY_OPTIONS: JSON.stringify(options) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

for (const hangs of [false, true]) {
  test(`W11: kill -9 of a gateway leaves no browser${hangs ? ', even one that hangs: the next gateway ends it' : ''}`, async () => {
    await using base = await temporaryFolder();
    await using work = await temporaryFolder();
    await using server = await startServerDouble();
    const options = { serverUrl: server.url, home: base.path, workspaces: [work.path] };
    const folder = join(base.path, 'gateway', 'killed', 'browser');
    const first = spawnGateway(options);
    await server.until(() => server.hellos.length === 1);
    assert.equal((await server.run('browser_tabs', { action: 'new' })).status, 'succeeded');
    const pids = await processesOf(folder);
    if (hangs) for (const pid of pids) stop(pid);
    const exit = once(first, 'exit');
    first.kill('SIGKILL');
    await exit;
    if (!hangs) await untilEnded(pids);
    else assert.notDeepEqual(pids.filter(isRunning), []);
    const next = await startGateway({ ...options, token: 'key', name: 'killed', version: '0', log: pino({ level: 'silent' }) });
    await untilEnded(pids);
    assert.equal(existsSync(folder), false);
    await next.ready();
    assert.equal((await server.run('browser_tabs', { action: 'new' })).status, 'succeeded');
    const again = await processesOf(folder);
    await next.close();
    assert.deepEqual(again.filter(isRunning), []);
    assert.ok(!(await readdir(join(base.path, 'gateway', 'killed'))).includes('browser'));
  });
}

test('W10: a machine without a browser, or with one that does not start, is told how to mend it', async () => {
  await using folder = await temporaryFolder();
  const loads = browserModuleLoads();
  await using none = await openBench({ mode: 'off' }, { find: () => ({ kind: 'none', reason: 'None. sudo apt install chromium' }) });
  const missing = await none.run('browser_navigate', { url: 'https://example.org/' });
  assert.deepEqual([missing.error?.code, textOf(missing)], ['no_browser', 'None. sudo apt install chromium']);
  assert.equal(browserModuleLoads(), loads);
  const path = join(folder.path, 'chromium "q"');
  await writeFile(path, '#!/bin/sh\necho "no such library" >&2\nexit 127\n');
  await chmod(path, 0o755);
  for (const program of [path, join(folder.path, 'not there'), folder.path]) {
    await using broken = await openBench({ mode: 'off' }, { find: () => ({ kind: 'found', path: program }) });
    const result = await broken.run('browser_navigate', { url: 'https://example.org/' });
    assert.equal(result.error?.code, 'browser_broken', program);
    assert.match(textOf(result), program === path ? /code 127.*no such library/ : /ENOENT|EACCES/, program);
  }
});
