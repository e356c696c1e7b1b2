import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { findCallProcesses } from '@tendon/system';
import { cancelled, openBench, textOf } from '../tools/tool-bench-rig.ts';
import { type SandboxSettings, sandboxState } from './sandbox.ts';

const NAME = `tendon-sandbox-${process.pid}`;

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** A folder of this machine that is neither workspace nor temporary nor a cache. */
async function folderElsewhere(): Promise<{ path: string } & AsyncDisposable> {
  const path = await mkdtemp(join(homedir(), 'tendon sandbox '));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

test('G39: this machine can make one, or these tests say nothing', async () => {
  assert.deepEqual(await sandboxState(), { kind: 'bubblewrap' });
});

describe('G39: what a command tries outside of its workspace', () => {
  const target = join(homedir(), NAME);
  const tries = [
    ...[`touch ${target}`, `mkdir ${target}`, `ln -s /etc ${target}`, `cp /bin/sh ${target}`, `echo x > ${target}`, `mkfifo ${target}`, `ln /bin/sh ${target}`],
    ...['/etc', '/usr/local/bin', '/var/lib', '/opt', '/proc/sys/kernel', '/sys', '/boot', '/run'].map((folder) => `touch ${folder}/${NAME}`),
    ...[`mount -o remount,rw / && touch ${target}`, `mount --bind /tmp /etc && touch /etc/${NAME}`, `umount -l / ; touch ${target}`],
    ...[`touch /proc/1/root${target}`, `for p in /proc/[0-9]*; do touch $p/root${target}; done`, `touch /proc/$PPID/root${target}`],
    ...[
      `nsenter -t 1 -m touch ${target}`,
      `unshare -m sh -c 'mount -o remount,rw / && touch ${target}'`,
      `unshare -Urm sh -c 'mount -o remount,bind,rw / && touch ${target}'`,
    ],
    ...[
      `su root -c 'touch ${target}'`,
      `sudo -n touch ${target}`,
      'test ! -w /proc/sys/kernel/hostname || touch disk',
      `mknod $PWD/disk b 254 0`,
      `chroot /proc/1/root touch ${target}`,
      `cd /tmp && cd -P ../${homedir()} && touch ${NAME}`,
    ],
    ...[`ln -s ${homedir()} out && touch out/${NAME}`, `rename() { mv "$1" "$2"; }; touch here && rename here ${target}`],
  ];
  for (const command of tries) {
    test(`G39: ${command.replaceAll(NAME, 'x')} leaves nothing there`, async () => {
      await using bench = await openBench({ mode: 'required' });
      const result = await bench.run('bash', { command });
      const places = [target, ...['/etc', '/usr/local/bin', '/var/lib', '/opt', '/boot', '/run'].map((folder) => join(folder, NAME)), join(bench.root, 'disk')];
      const left = [];
      for (const place of places) if (await isThere(place)) left.push(place);
      for (const place of left) await rm(place, { recursive: true, force: true });
      assert.deepEqual(left, []);
      assert.equal(result.meta?.sandboxed, true);
    });
  }
});

test('G39: the workspace and temporary files can be written, all else read, and who meets the wall is told', async () => {
  await using bench = await openBench({ mode: 'required' });
  const fine = await bench.run('bash', { command: 'echo one > a && echo two > "$(mktemp)" && cat a && head -c 4 /etc/passwd > /dev/null && echo $PWD' });
  assert.deepEqual([fine.status, fine.meta?.sandboxed], ['succeeded', true]);
  assert.equal(textOf(fine), `one\n${bench.root}\n`);
  const walled = await bench.run('bash', { command: `touch ${join(homedir(), NAME)}` });
  assert.match(textOf(walled), /Read-only file system[\s\S]*ran in a sandbox: only the workspace/);
  const endedWell = await bench.run('bash', { command: `touch ${join(homedir(), NAME)}; echo after` });
  assert.equal(endedWell.status, 'succeeded');
  assert.match(textOf(endedWell), /Read-only file system[\s\S]*after[\s\S]*ran in a sandbox: only the workspace/);
  assert.equal(walled.meta?.exitCode, 1);
  assert.doesNotMatch(textOf(await bench.run('bash', { command: 'exit 3' })), /sandbox/);
});

test("G39: the gateway's own folder is not there, even inside of the workspace", async () => {
  await using bench = await openBench({ mode: 'required' });
  await writeFile(join(bench.home, 'secret-key'), 'CANARY');
  const result = await bench.run('bash', {
    command: 'ls -A .tendon; cat .tendon/secret-key; echo mine > .tendon/gateway-policy.json; mv .tendon moved; cat moved/secret-key',
  });
  assert.doesNotMatch(textOf(result), /CANARY/);
  assert.equal(await readFile(join(bench.home, 'secret-key'), 'utf8'), 'CANARY');
  assert.equal(await isThere(join(bench.home, 'gateway-policy.json')), false);
});

test('G39: the policy names what more can be written, and what cannot be read', async () => {
  await using elsewhere = await folderElsewhere();
  const secret = join(elsewhere.path, 'token');
  await writeFile(secret, 'CANARY');
  await symlink(elsewhere.path, `${elsewhere.path} link`);
  await using open = await openBench({ mode: 'required', writable: [`${elsewhere.path} link`, '/missing/folder'] });
  assert.equal((await open.run('bash', { command: `touch '${elsewhere.path}/new'` })).status, 'succeeded');
  assert.ok(await isThere(join(elsewhere.path, 'new')));
  await rm(`${elsewhere.path} link`);
  for (const hidden of [secret, elsewhere.path]) {
    await using bench = await openBench({ mode: 'required', hidden: [hidden, '/missing'] });
    assert.doesNotMatch(textOf(await bench.run('bash', { command: `cat '${secret}'; ls '${elsewhere.path}'; cp '${secret}' taken; cat taken` })), /CANARY/);
  }
});

test('G39: the profiles of browsers are not there', async (t) => {
  await using home = await folderElsewhere();
  const profiles = ['.config/chromium/Default', '.mozilla/firefox'];
  for (const profile of profiles) {
    await mkdir(join(home.path, profile), { recursive: true });
    await writeFile(join(home.path, profile, 'cookies'), 'secret\n');
  }
  const before = { HOME: process.env['HOME'], XDG_CONFIG_HOME: process.env['XDG_CONFIG_HOME'] };
  t.after(() => Object.assign(process.env, before.XDG_CONFIG_HOME === undefined ? { HOME: before.HOME } : before));
  process.env['HOME'] = home.path;
  delete process.env['XDG_CONFIG_HOME'];
  await using bench = await openBench({ mode: 'required' });
  const read = profiles.map((profile) => `cat '${join(home.path, profile, 'cookies')}'`).join('; ');
  assert.doesNotMatch(textOf(await bench.run('bash', { command: read })), /secret/);
});

test('G39: the session bus, over which programs outside can be told what to do, is not there wherever it lies', async (t) => {
  await using elsewhere = await folderElsewhere();
  const path = join(elsewhere.path, 'bus');
  const server = createServer((socket) => socket.end('outside')).listen(path);
  const before = process.env['DBUS_SESSION_BUS_ADDRESS'];
  process.env['DBUS_SESSION_BUS_ADDRESS'] = `unix:path=${path.replaceAll(' ', '%20')},guid=0`;
  t.after(() => {
    if (before === undefined) delete process.env['DBUS_SESSION_BUS_ADDRESS'];
    else process.env['DBUS_SESSION_BUS_ADDRESS'] = before;
    server.close();
  });
  await using bench = await openBench({ mode: 'required' });
  const dial = `node -e 'require("node:net").connect(process.argv[1]).on("data", (d) => console.log(String(d))).on("error", (e) => console.log(e.code))' '${path}'`;
  const inside = textOf(await bench.run('bash', { command: dial }));
  assert.doesNotMatch(inside, /outside/);
  assert.match(inside, /ECONNREFUSED|EACCES|ENOENT/);
});

test('G39: a workspace in a hidden folder is there, a hidden file in a workspace is not', async () => {
  const settings: SandboxSettings = { mode: 'required', hidden: [] };
  await using bench = await openBench(settings);
  settings.hidden?.push(dirname(bench.root), join(bench.root, '.env'));
  await writeFile(join(bench.root, 'here'), 'HERE');
  for (const path of [join(bench.root, '.env'), join(bench.outside, 'file')]) await writeFile(path, 'CANARY');
  const result = await bench.run('bash', { command: `cat here .env; cat '${bench.outside}/file'; touch new` });
  assert.match(textOf(result), /^HERE/);
  assert.doesNotMatch(textOf(result), /CANARY/);
  assert.ok(await isThere(join(bench.root, 'new')));
});

test('G39: when what is hidden is not there for the sandbox to hide, the result says that the command did not begin', async () => {
  // It is there for the gateway, and not in a space of processes of its own.
  await using bench = await openBench({ mode: 'required', hidden: [`/proc/${process.pid}`] });
  const result = await bench.run('bash', { command: 'touch begun' });
  assert.equal(result.status, 'failed');
  assert.match(textOf(result), /^bwrap: .*the command did not begin.*run it again/s);
  assert.doesNotMatch(textOf(result), /only the workspace/);
  assert.equal(await isThere(join(bench.root, 'begun')), false);
});

test('G39: without the network nothing answers, this machine included', async () => {
  const server = createServer((socket) => socket.end('HELLO\n'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const command = `exec 3<>/dev/tcp/127.0.0.1/${port} && cat <&3`;
  await using open = await openBench({ mode: 'required' });
  assert.match(textOf(await open.run('bash', { command })), /HELLO/);
  await using closed = await openBench({ mode: 'required', network: false });
  assert.doesNotMatch(textOf(await closed.run('bash', { command })), /HELLO/);
  await new Promise((resolve) => server.close(resolve));
});

test('G27, G39: a stop ends the whole tree inside, and what is left running on purpose is still known', async () => {
  await using bench = await openBench({ mode: 'required' });
  const abort = new AbortController();
  const command = 'trap "" TERM; (trap "" TERM; setsid sleep 600) & echo ready; sleep 600';
  const result = await bench.run('bash', { command }, { abort, callId: `${NAME}-stop`, onOutput: (text) => text.includes('ready') && abort.abort(cancelled) });
  assert.equal(result.status, 'cancelled');
  assert.deepEqual(await findCallProcesses({ callId: `${NAME}-stop`, leader: bench.spawned[0] }), []);
  const left = await bench.run('bash', { command: 'sleep 600 & echo started' }, { callId: `${NAME}-left` });
  assert.deepEqual([left.status, left.meta?.['background']], ['succeeded', true]);
  assert.notDeepEqual(await findCallProcesses({ callId: `${NAME}-left`, leader: bench.spawned[1] }), []);
});

test('G40: without bubblewrap, auto runs bare and says so; required runs nothing and says what to install', () => {
  const module = JSON.stringify(join(import.meta.dirname, 'sandbox.ts'));
  const script = `
    const { shellStart, sandboxState } = await import(${module});
    const place = { workspace: { root: '/', forbidden: '/missing' }, folder: '/' };
    const told = [await sandboxState()];
    for (const settings of [undefined, { mode: 'off' }, { mode: 'required' }])
      told.push(await shellStart('echo', place, settings).catch((error) => ({ code: error.code, message: error.message })));
    console.log(JSON.stringify(told));
  `;
  const told = JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: { PATH: '/missing' }, encoding: 'utf8' }));
  const bare = { program: 'bash', args: ['-c', '--', 'echo'], isSandboxed: false };
  assert.deepEqual(told.slice(0, 3), [{ kind: 'none', reason: 'bubblewrap is not installed' }, bare, bare]);
  assert.equal(told[3].code, 'no_sandbox');
  assert.match(told[3].message, /apt install bubblewrap/);
});

test('G40: a command that ran without a sandbox says so', async () => {
  await using bench = await openBench({ mode: 'off' });
  assert.equal((await bench.run('bash', { command: 'true' })).meta?.sandboxed, false);
});
