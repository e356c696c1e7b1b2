import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CliRig, cliRig, type Outcome } from './cli-rig.ts';

/** What a first start says before it knows that the database will not have it. */
const BUILDING = 'Building the web page (only at the first start) ...';

/** Exit code 2, one line that matches, no stack. */
function assertRefused(outcome: Outcome, pattern: RegExp): void {
  const { code, stdout, stderr } = outcome;
  assert.equal(code, 2, stderr);
  const lines = stderr.split('\n').filter((line) => line !== '' && line !== BUILDING && !line.startsWith('{'));
  assert.equal(lines.length, 1, stderr);
  assert.match(String(lines[0]), pattern);
  assert.doesNotMatch(stdout + stderr, /^\s+at |node_modules|\.ts:\d+|s3cret/m);
}

interface Row {
  readonly title: string;
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly says: RegExp;
  readonly prepare?: (rig: CliRig) => Promise<void>;
}

const START = ['start', '--port', '0', '--no-open'];

const ROWS: readonly Row[] = [
  { title: 'a wrong variable', args: ['start'], env: { TENDON_PORT: 'abc' }, says: /TENDON_PORT is "abc": give a whole number/ },
  { title: 'a wrong flag', args: ['server', '--port', '99999'], says: /TENDON_PORT \(from a flag\) is "99999": give a whole number/ },
  {
    title: 'two wrong variables',
    args: ['start'],
    env: { TENDON_PORT: 'abc', TENDON_AUTH: 'no' },
    says: /TENDON_PORT is "abc".*and 1 more: see tendon doctor/,
  },
  {
    title: 'a short owner key',
    args: START,
    env: { TENDON_OWNER_KEY: 's3cret' },
    says: /TENDON_OWNER_KEY is "\(hidden, 6 characters\)": give at least 32 characters/,
  },
  {
    title: 'no sign-in beyond loopback',
    args: START,
    env: { TENDON_AUTH: 'disabled', TENDON_HOST: '0.0.0.0' },
    says: /TENDON_AUTH is "disabled" while TENDON_HOST is "0\.0\.0\.0"/,
  },
  { title: 'an unknown provider', args: START, env: { TENDON_MODEL: 'foo/bar' }, says: /TENDON_MODEL is "foo\/bar": .*is no model: write provider\/model/ },
  { title: 'an unknown option', args: ['start', '--nope'], says: /unknown option '--nope': see tendon start --help$/ },
  { title: 'an unknown command', args: ['strat'], says: /unknown command 'strat': see tendon --help$/ },
  { title: 'an unknown command of a command', args: ['key', 'make'], says: /unknown command 'make': see tendon key --help$/ },
  { title: 'a missing word', args: ['key', 'create'], says: /missing required argument 'name': see tendon key create --help$/ },
  {
    title: 'a missing workspace',
    args: [...START, '--workspace', '/nowhere/at/all'],
    says: /TENDON_WORKSPACE is "\/nowhere\/at\/all", and there is no such folder/,
  },
  { title: 'a file as workspace', args: [...START, '--workspace', '/etc/passwd'], says: /"\/etc\/passwd", which is not a folder/ },
  { title: 'a file as home', args: [...START, '--home', '/etc/passwd'], says: /TENDON_HOME is "\/etc\/passwd", which/ },
  {
    title: 'a broken config.json',
    args: START,
    says: /config\.json in TENDON_HOME is not JSON/,
    prepare: async ({ home }) => {
      await mkdir(home, { mode: 0o700 });
      await writeFile(join(home, 'config.json'), '{');
    },
  },
  {
    title: 'an unreachable database',
    args: START,
    env: { TENDON_DATABASE_URL: 'postgres://me:s3cret@127.0.0.1:1/x' },
    says: /127\.0\.0\.1:1 cannot be reached.*TENDON_DATABASE_URL/,
  },
  {
    title: 'a corrupted data folder',
    args: START,
    says: /db/,
    prepare: async ({ home }) => {
      await mkdir(join(home, 'db', 'data'), { recursive: true, mode: 0o700 });
      await writeFile(join(home, 'db', 'data', 'PG_VERSION'), 'nonsense\n');
    },
  },
  { title: 'a ready file that cannot be written', args: [...START, '--ready-file', '/nowhere/ready.json'], says: /--ready-file is "\/nowhere\/ready\.json"/ },
  {
    title: 'a gateway without a key, and nobody to pair it',
    args: ['gateway', '--server', 'http://127.0.0.1:1'],
    says: /the server at http:\/\/127\.0\.0\.1:1 cannot be reached/,
  },
  { title: 'a gateway without a server', args: ['gateway'], says: /--server/ },
  {
    title: 'a gateway with a wrong server',
    args: ['gateway', '--server', 'localhost'],
    env: { TENDON_API_KEY: 'x'.repeat(40) },
    says: /--server is "localhost": give an address/,
  },
  { title: 'a key id that is none', args: ['key', 'revoke', 'x'], says: /"x" is no key's id/ },
  {
    title: 'a server that is not there',
    args: ['key', 'list', '--server', 'http://127.0.0.1:1'],
    env: { TENDON_API_KEY: 'x'.repeat(40) },
    says: /http:\/\/127\.0\.0\.1:1 cannot be reached/,
  },
  { title: 'a server elsewhere without a key', args: ['key', 'list', '--server', 'http://127.0.0.1:1'], says: /TENDON_API_KEY is missing/ },
  { title: 'a wrong number of days', args: ['key', 'create', 'x', '--expires-in-days', 'soon'], says: /--expires-in-days is "soon"/ },
  {
    title: 'too many days',
    args: ['key', 'create', 'x', '--expires-in-days', '3651'],
    says: /--expires-in-days is "3651": give a number of days from 1 to 3650/,
  },
  { title: 'a key without a name', args: ['key', 'create', ' '], says: /the name is empty: say what the key is for/ },
  { title: 'a key for no gateway', args: ['key', 'create', 'x', '--gateway-id', 'vm'], says: /--gateway-id is "vm": give the id of a gateway/ },
];

for (const row of ROWS) {
  test(`O6: ${row.title}`, async () => {
    await using rig = await cliRig();
    await row.prepare?.(rig);
    assertRefused(await rig.run(row.args, row.env).done, row.says);
  });
}

test('O6: a taken port', async () => {
  await using rig = await cliRig();
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  assertRefused(await rig.run(['server', '--port', String(port)]).done, new RegExp(`${port}.*TENDON_PORT|TENDON_PORT.*${port}`));
  await new Promise((resolve) => other.close(resolve));
});

test('O6: help and version are no fault', async () => {
  await using rig = await cliRig();
  for (const args of [['--help'], ['start', '--help'], ['key', 'create', '--help'], ['--version']]) {
    const outcome = await rig.run(args).done;
    assert.equal(outcome.code, 0);
    assert.equal(outcome.stderr, '');
    assert.match(outcome.stdout, args[0] === '--version' ? /^\d+\.\d+\.\d+\n$/ : /Usage: tendon/);
  }
});

/** With a home on a disk of its own. */
function runOn(disk: readonly string[], { home, workspace }: CliRig, args: readonly string[]): Promise<Outcome> {
  const command = ['--dev-bind', '/', '/', ...disk, '--', process.execPath, join(import.meta.dirname, 'main.js'), ...args];
  const env = { PATH: process.env['PATH'], HOME: home, TENDON_HOME: home, TENDON_WORKSPACE: workspace, TENDON_API_KEY: 'x'.repeat(40) };
  return new Promise((resolve) => {
    const child = execFile('bwrap', command, { env, timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

test('G32, O6, O12: a home on a full disk, or one that cannot be written, is named by a start and by doctor, with what mends it', async () => {
  await using rig = await cliRig();
  const { home } = rig;
  await mkdir(home, { mode: 0o700 });
  const full = ['--size', '4096', '--tmpfs', home];
  const started = await runOn(full, rig, ['gateway', '--server', 'http://127.0.0.1:1']);
  assert.equal(started.code, 1, started.stderr);
  assert.match(started.stderr, /error: there is no room on the disk \(.+\): free some for the home \(TENDON_HOME\)/);
  assert.doesNotMatch(started.stderr, /unexpected|^\s+at /m);
  const rows: [readonly string[], RegExp][] = [
    [full, /NO {2}home +the disk of \S+ has only 0 MiB left\n +Free some space there, or give a folder on another disk/],
    [['--ro-bind', home, home], /NO {2}home +\S+ cannot be written \(EROFS\)\n +Give a folder that you may write to/],
  ];
  for (const [disk, words] of rows) {
    const looked = await runOn(disk, rig, ['doctor']);
    assert.equal(looked.code, 1);
    assert.match(looked.stdout, words);
  }
});
