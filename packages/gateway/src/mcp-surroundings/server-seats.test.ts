import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { findCallProcesses } from '@tendon/system';
import { policySchema } from '../policy/policy.ts';
import { textOf } from '../tools/tool-bench-rig.ts';
import { openMachineBench } from './machine-bench-rig.ts';
import { settingsFor } from './server-seats.ts';
import { openShellBench, SHELL_SERVER } from './shell-bench-rig.ts';

const FILTERED = { mcp: { shell: { network: 'filtered' as const } } };

test('W30: an entry of its own says more than `*`, and nothing is what nobody has written', () => {
  const said = (mcp: object) => policySchema.parse({ version: 1, rules: [], mcp });
  const named = said({ '*': { network: false }, one: { network: 'filtered' }, off: { mode: 'off' }, plain: {} });
  assert.deepEqual(settingsFor(named, 'one'), { network: 'filtered' });
  assert.deepEqual(settingsFor(named, 'other'), { network: false });
  assert.equal(settingsFor(named, 'off'), undefined);
  assert.deepEqual(settingsFor(named, 'plain'), {});
  assert.equal(settingsFor(said({ one: {} }), 'toString'), undefined);
  assert.equal(settingsFor(policySchema.parse({ version: 1, rules: [] }), 'one'), undefined);
  for (const wrong of [{ one: { network: 'none' } }, { one: { netwrok: false } }, { one: { mode: 'auto' } }, { one: { writable: ['here'] } }, { '': {} }])
    assert.equal(policySchema.safeParse({ version: 1, rules: [], mcp: wrong }).success, false, JSON.stringify(wrong));
});

test('W30: in the sandbox a server writes the workspaces, temporary files and what is named, and does not see what is hidden', async () => {
  // Temporary files can be written anyway.
  const elsewhere = await mkdtemp(join(homedir(), '.tendon-seat-'));
  try {
    for (const folder of ['named', 'hidden', 'other']) await mkdir(join(elsewhere, folder));
    await writeFile(join(elsewhere, 'hidden', 'file'), 'CANARY');
    await using shell = await openShellBench({ mcp: { '*': { writable: [join(elsewhere, 'named')], hidden: [join(elsewhere, 'hidden')] } } });
    const { base, workspace } = shell.bench;
    await writeFile(join(base, 'home', 'secret-key'), 'CANARY');
    assert.equal(await shell.run('pwd'), `${workspace}\n`);
    const said = await shell.run(`cat '${base}/home/secret-key' '${elsewhere}/hidden/file'; echo x > '${base}/home/gateway-policy.json'`);
    assert.doesNotMatch(said, /CANARY/);
    await assert.rejects(readFile(join(base, 'home', 'gateway-policy.json')));
    assert.equal(await shell.run(`touch here "$(mktemp)" '${elsewhere}/named/new' && echo done`), 'done\n');
    assert.match(await shell.run(`touch '${elsewhere}/other/new'`), /Read-only file system/);
  } finally {
    await rm(elsewhere, { recursive: true });
  }
});

test('W30: without an entry a server is a program of the person, in the folder of its own', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tendon own '));
  try {
    await using bare = await openShellBench({}, { entry: { cwd: folder } });
    assert.equal(await bare.run('pwd; readlink /proc/self/ns/pid'), `${folder}\n${await pidSpace()}`);
    await using inside = await openShellBench(FILTERED, { entry: { cwd: folder, env: { ADDED: 'yes', HTTP_PROXY: 'http://other.example' } } });
    assert.match(await inside.run('pwd; echo $ADDED; echo $HTTP_PROXY'), new RegExp(`^${folder}\nyes\nhttp://\\w+:\\w+@127\\.0\\.0\\.1:\\d+\n$`));
    assert.notEqual(await inside.run('readlink /proc/self/ns/pid'), await pidSpace());
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function pidSpace(): Promise<string> {
  return `${await readlink('/proc/self/ns/pid')}\n`;
}

test('W30: without bubblewrap a server that is to be in a sandbox is not started, and the log says what mends it', async () => {
  await using shell = await openShellBench(FILTERED, { probe: async () => ({ kind: 'none', reason: 'bubblewrap is not installed' }) });
  const line = await shell.bench.logged(/does not run/);
  assert.match(line, /\(bubblewrap is not installed\).*apt install bubblewrap.*gateway-policy\.json/);
  assert.deepEqual(shell.bench.host.announced, []);
  shell.setPolicy({ mcp: { shell: { mode: 'off' } } });
  assert.equal(await shell.run('echo started'), 'started\n');
});

test('W30: where the network cannot be filtered a server is not started, and the log says what mends it', async (t) => {
  await using without = { path: await mkdtemp(join(tmpdir(), 'tendon path ')), [Symbol.asyncDispose]: () => rm(without.path, { recursive: true }) };
  await symlink('/usr/bin/bwrap', join(without.path, 'bwrap'));
  const before = process.env['PATH'];
  t.after(() => {
    process.env['PATH'] = before;
  });
  process.env['PATH'] = without.path;
  await using shell = await openShellBench(FILTERED, { probe: async () => ({ kind: 'bubblewrap' }) });
  const line = await shell.bench.logged(/does not run/);
  assert.match(line, /network filtered.*nsenter.*apt install bubblewrap util-linux/);
  process.env['PATH'] = before;
  assert.equal(await shell.run('echo started'), 'started\n');
});

test('W30, E12: a command or a folder that is missing is named as ever', async () => {
  await using bench = await openMachineBench(
    {
      gone: { command: 'tendon-no-such-command' },
      folder: { ...SHELL_SERVER, cwd: '/tendon/no/such/folder' },
      npx: { command: 'uvx', env: { PATH: '/missing' } },
    },
    { policy: () => ({ version: 1, rules: [], mcp: { '*': { network: 'filtered' } } }) },
  );
  await bench.logged(/tendon-no-such-command\\" was not found\. Install/);
  await bench.logged(/its folder \\"\/tendon\/no\/such\/folder\\" is not there\. Make it/);
  await bench.logged(/uvx\\" was not found\. Install uv/);
});

test('W30: what mcp.json sets for a server does not act on what makes its sandbox', async () => {
  await using elsewhere = { path: await mkdtemp(join(tmpdir(), 'tendon path ')), [Symbol.asyncDispose]: () => rm(elsewhere.path, { recursive: true }) };
  for (const name of ['bwrap', 'nsenter', 'env', 'printf'])
    await writeFile(join(elsewhere.path, name), `#!/bin/sh\nreadlink /proc/self/ns/pid >> '${elsewhere.path}/ran'\n`, { mode: 0o755 });
  const env = {
    PATH: `${elsewhere.path}:${dirname(process.execPath)}:/usr/bin:/bin`,
    LD_LIBRARY_PATH: elsewhere.path,
    BASH_ENV: join(elsewhere.path, 'env'),
    KEY: 'secret',
  };
  await using shell = await openShellBench(FILTERED, { entry: { command: 'node', env } });
  const said = await shell.run(`echo $LD_LIBRARY_PATH; echo $KEY; echo $PATH; tr '\\0' '\\n' < /proc/1/cmdline | grep -c secret`);
  assert.equal(said, `${elsewhere.path}\nsecret\n${env.PATH}\n0\n`);
  const args = await readFile(
    `/proc/${(await findCallProcesses({ callId: (await shell.run('echo $TENDON_CALL_ID')).trim(), leader: undefined }))[0]}/cmdline`,
    'utf8',
  );
  assert.doesNotMatch(args, /secret/);
  const ranIn = await readFile(join(elsewhere.path, 'ran'), 'utf8');
  assert.ok(!ranIn.includes(await pidSpace()), 'it ran inside, where the server is, and nowhere else');
});

test('W30, E3, E9: a server in a filtered network ends whole, is started again after a crash, and leaves nothing', async () => {
  await using shell = await openShellBench(FILTERED);
  const { bench } = shell;
  const marker = (await shell.run('echo $TENDON_CALL_ID')).trim();
  await bench.run('mcp__shell__leave', {});
  const crashed = await bench.run('mcp__shell__crash', {});
  assert.match(crashed.error?.message ?? '', /it ended with exit code 3/);
  assert.deepEqual(await findCallProcesses({ callId: marker, leader: undefined }), []);
  const next = textOf(await bench.runWhenUp('mcp__shell__run', { command: 'echo $TENDON_CALL_ID' })).trim();
  assert.notEqual(next, marker);
  await bench.run('mcp__shell__leave', {});
  assert.ok((await findCallProcesses({ callId: next, leader: undefined })).length > 1);
  await bench.host.close();
  assert.deepEqual(await findCallProcesses({ callId: next, leader: undefined }), []);
});

test('W32: when the policy says something else of a server it is started anew, and no other is', async () => {
  const policy: { mcp: object } = { mcp: {} };
  await using bench = await openMachineBench(
    { one: SHELL_SERVER, two: SHELL_SERVER },
    { policy: () => policySchema.parse({ version: 1, rules: [], ...policy }) },
  );
  const who = async (server: string): Promise<string> => {
    await bench.announced(`mcp__${server}__run`);
    for (;;) {
      const result = await bench.runWhenUp(`mcp__${server}__run`, { command: 'echo $TENDON_CALL_ID $HTTP_PROXY' });
      if (result.status === 'succeeded') return textOf(result);
      await new Promise(setImmediate);
    }
  };
  const [one, two] = [await who('one'), await who('two')];
  assert.doesNotMatch(one, /http/);
  policy.mcp = { one: { network: 'filtered' } };
  await bench.logged(/read again: changed one/);
  const filtered = await who('one');
  assert.match(filtered, /http:/);
  assert.equal(await who('two'), two);
  policy.mcp = {};
  while (/http:/.test(await who('one'))) await new Promise(setImmediate);
  assert.equal(await who('two'), two);
});

test('W32: a policy file that is broken ends no server, and starts none', async () => {
  await using shell = await openShellBench(FILTERED);
  const marker = await shell.run('echo $TENDON_CALL_ID');
  shell.setPolicy('broken');
  await shell.bench.write({ shell: SHELL_SERVER, other: SHELL_SERVER });
  await shell.bench.logged(/other\\" does not run: it is not started: the policy file is broken/);
  assert.equal(await shell.run('echo $TENDON_CALL_ID'), marker);
  shell.setPolicy(FILTERED);
  await shell.bench.announced('mcp__other__run');
  assert.equal(await shell.run('echo $TENDON_CALL_ID'), marker);
});

test('W32: a name of the policy that no server has is told, once', async () => {
  await using shell = await openShellBench({ mcp: { shel: { network: 'filtered' } } });
  const line = await shell.bench.logged(/no server over stdio of that name/);
  assert.match(line, /how to run \\"shel\\"/);
  await shell.run('true');
  shell.setPolicy({ mcp: { shel: { network: false } } });
  await shell.bench.logged(/what the policy says of MCP servers was read again/);
  assert.equal(shell.bench.lines.filter((one) => /no server over stdio/.test(one)).length, 1);
});
