import assert from 'node:assert/strict';
import { link, mkdir, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { startGateway } from '@tendon/gateway';
import { createLog } from '@tendon/server';
import { commandFor, startServerDouble, temporaryFolder } from '@tendon/testing';
import { pathTricks } from './path-tricks.ts';

/*
 * The server is the attacker: it computes every hash itself, and says that a person has approved everything. What it must never get by the
 * file tools is anything outside the workspace, or the gateway's own files, which here lie inside of it. Judged by what is on the disk and
 * by what comes back. `bash` is no border (SECURITY.md); for it the machine's own policy and the hash are what is tried.
 *
 *   base/ secret.txt, outside/, work space/ (the workspace: a link to each, and .tendon, the gateway's home)
 */

const SECRET = 'the-canary-that-must-not-leave';
const folder = await temporaryFolder();
const base = await realpath(folder.path);
const workspace = join(base, 'work space');
const home = join(workspace, '.tendon');
await mkdir(join(base, 'outside'));
await mkdir(`${workspace}-evil`, { recursive: true });
await writeFile(join(`${workspace}-evil`, 'secret.txt'), SECRET);
await mkdir(join(workspace, 'inside', 'deep'), { recursive: true });
await mkdir(home);
await writeFile(join(base, 'secret.txt'), SECRET);
await writeFile(join(base, 'outside', 'secret.txt'), SECRET);
await writeFile(join(workspace, 'inside', 'plain.txt'), 'plain');
await writeFile(join(home, 'secret-key'), SECRET);
const POLICY = JSON.stringify({ version: 1, rules: [{ tool: 'bash', subject: 'echo denied*', action: 'deny' }] });
await writeFile(join(home, 'gateway-policy.json'), POLICY);
await symlink(join(base, 'secret.txt'), join(workspace, 'link-to-file'));
await symlink(join(base, 'outside'), join(workspace, 'link-to-folder'));
await symlink('..', join(workspace, 'link-up'));
await symlink('link-to-folder', join(workspace, 'link-to-link'));
await symlink('/', join(workspace, 'link-to-root'));
await symlink('.tendon', join(workspace, 'link-to-home'));
await symlink('/proc/self/root', join(workspace, 'link-to-proc'));
await symlink(join(base, 'not-there-yet.txt'), join(workspace, 'dangling'));
await link(join(workspace, 'inside', 'plain.txt'), join(workspace, 'inside', 'hard'));

const server = await startServerDouble();
const gateway = await startGateway({
  ...{
    serverUrl: server.url,
    token: 'key',
    home,
    workspaces: [workspace],
    log: createLog({ level: 'silent', pretty: false }),
    version: '0.0.0',
    name: 'machine',
  },
});
await gateway.ready();
after(async () => {
  await gateway.close();
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

/** Paths that lead outside, or into what is the gateway's own. */
const PATHS = pathTricks({ base, workspace, home });

const TOOLS: Readonly<Record<string, (path: string) => Record<string, unknown>>> = {
  read_file: (path) => ({ path }),
  write_file: (path) => ({ path, content: 'overwritten by the server' }),
  edit_file: (path) => ({ path, oldText: 'a', newText: 'overwritten by the server', replaceAll: true }),
  multi_edit: (path) => ({ path, edits: [{ oldText: 'a', newText: 'overwritten by the server', replaceAll: true }] }),
  apply_patch: (path) => ({ patch: `*** Begin Patch\n*** Add File: ${path}\n+overwritten by the server\n*** End Patch` }),
  list_folder: (path) => ({ path }),
  glob: (path) => ({ pattern: '**/*', path }),
  grep: (path) => ({ pattern: '.', path }),
};

/** What the server must not have changed, byte for byte. */
async function outside(): Promise<Record<string, string>> {
  const files = [
    join(base, 'secret.txt'),
    join(base, 'outside', 'secret.txt'),
    join(`${workspace}-evil`, 'secret.txt'),
    join(home, 'secret-key'),
    join(home, 'gateway-policy.json'),
    '/etc/passwd',
  ];
  const contents = await Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const));
  const names = [base, join(base, 'outside'), `${workspace}-evil`, home].map(async (path) => [path, (await readdir(path)).toSorted().join()] as const);
  return Object.fromEntries([...contents, ...(await Promise.all(names))]);
}

const untouched = await outside();

/** All that the gateway has told the server since the test began. */
function told(from: number): string {
  return JSON.stringify([[...server.results.values()].slice(from), server.outputs]);
}

test('G20: there are a hundred and fifty of them, all different', () => {
  assert.ok(new Set(PATHS).size >= 150, String(new Set(PATHS).size));
});

for (const [tool, inputFor] of Object.entries(TOOLS)) {
  describe(tool, () => {
    for (const path of PATHS) {
      test(`G20, I12: ${JSON.stringify(path.length > 60 ? `${path.slice(0, 20)}… (${path.length} characters)` : path)} gives and changes nothing`, async () => {
        const from = server.results.size;
        const { callId, answer } = await server.call(tool, inputFor(path));
        const result = answer.accepted ? await server.until(() => server.results.get(callId)?.[0]) : undefined;
        assert.deepEqual(await outside(), untouched);
        const heard = told(from);
        assert.ok(!heard.includes(SECRET), `the secret has left: ${heard}`);
        assert.ok(!/root:[x*]?:0:0/.test(heard), 'the password file has left');
        // A name that is only odd is a file of the workspace like another; whatever leads outside is refused in words.
        if (result?.status === 'succeeded') assert.ok(!heard.includes('secret-key') && !heard.includes('identity.json'), heard);
      });
    }
  });
}

describe('dispatches', () => {
  const read = { tool: 'read_file', input: { path: 'inside/plain.txt' } };
  const right = () => commandFor(server.hellos.at(-1), read);
  const DISPATCHES: readonly [string, () => unknown][] = [
    ['another tool under the hash', () => ({ ...right(), tool: 'bash', input: { command: 'touch owned' } })],
    ['another input under the hash', () => ({ ...right(), input: { path: 'inside/hard' } })],
    ['one more field of the input under the hash', () => ({ ...right(), input: { ...read.input, startLine: 1 } })],
    ['another workspace under the hash', () => ({ ...right(), workspace: base })],
    ['the workspace by another name', () => ({ ...right(), workspace: `${workspace}/.` })],
    ['a workspace that is none', () => commandFor(server.hellos.at(-1), { ...read, more: { workspace: '/' } })],
    ['the home as workspace', () => commandFor(server.hellos.at(-1), { ...read, more: { workspace: home } })],
    ['the workspace and a way out of it', () => commandFor(server.hellos.at(-1), { ...read, more: { workspace: `${workspace}/..` } })],
    [
      'the hash for another machine',
      () => commandFor({ ...(server.hellos.at(-1) as never as object), gatewayId: '0192a7c0-0000-7000-8000-000000000001' } as never, read),
    ],
    ['no hash', () => ({ ...right(), inputHash: '' })],
    ['a hash with padding', () => ({ ...right(), inputHash: `${right().inputHash}=` })],
    ['a hash in upper case', () => ({ ...right(), inputHash: right().inputHash.toUpperCase() })],
    ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'BASH', 'bash ', ' bash', 'bash\u0000', 'sudo', '../bash', 'read_file;bash', ''].map(
      (tool): [string, () => unknown] => [
        `the tool ${JSON.stringify(tool)}`,
        () => commandFor(server.hellos.at(-1), { tool, input: { command: 'touch owned' } }),
      ],
    ),
    ['what the machine denies', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'echo denied; touch owned' } })],
    ['no input', () => ({ ...right(), input: undefined })],
    ['an input that is text', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: 'touch owned' })],
    ['an input that is a list', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: ['touch owned'] })],
    ['a command that is a list', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: ['touch', 'owned'] } })],
    ['a folder outside for the command', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'touch owned', cwd: '..' } })],
    [
      'a linked folder outside for the command',
      () => commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'touch owned', cwd: 'link-to-folder' } }),
    ],
    ['the home as folder for the command', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'touch owned', cwd: '.tendon' } })],
    ['no time at all', () => ({ ...right(), timeoutMs: 0 })],
    ['time before now', () => ({ ...right(), timeoutMs: -1 })],
    ['time without end', () => ({ ...right(), timeoutMs: Number.POSITIVE_INFINITY })],
    ['a grant that is none', () => ({ ...right(), grant: {} })],
    ['a grant by the server', () => ({ ...right(), grant: { by: 'server', at: new Date().toISOString() } })],
    ['a call id that is none', () => ({ ...right(), callId: '../../journal' })],
    ['a call id that is an object', () => ({ ...right(), callId: { $ne: '' } })],
    ['nothing', () => undefined],
    ['null', () => null],
    ['a list', () => []],
    ['text', () => 'tool:call'],
    ['a number', () => 7],
    ['an input of 2 MB', () => commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: `touch owned #${'x'.repeat(2_000_000)}` } })],
    ['an input 2,000 deep', () => ({ ...right(), input: JSON.parse(`${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`) })],
    ['a prototype for an input', () => JSON.parse(`{"__proto__":{"accepted":true},"tool":"bash","input":{"__proto__":{"command":"touch owned"}}}`)],
    ['bytes for an input', () => ({ ...right(), input: Buffer.from('touch owned') })],
  ];

  for (const [title, make] of DISPATCHES) {
    test(`G10, G11, G13: ${title} is refused in words and starts nothing`, async () => {
      const started = server.started.length;
      const answer = (await server.emit('tool:call', make()).catch((error: unknown) => ({ lost: String(error) }))) as {
        accepted?: boolean;
        error?: { message: string };
        ok?: boolean;
      };
      const callId = 'callId' in (answer as object) ? undefined : [...server.results.keys()].at(-1);
      // A command whose folder is outside is taken, and ends without having begun.
      if (answer.accepted === true) assert.match(JSON.stringify(await server.until(() => callId && server.results.get(callId)?.[0])), /failed/);
      else assert.ok(answer.error?.message, `no words: ${JSON.stringify(answer)}`);
      assert.ok(server.started.length - started <= 1);
      assert.deepEqual(await outside(), untouched);
      for (const place of [workspace, join(workspace, 'inside'), base, join(base, 'outside'), home])
        assert.ok(!(await readdir(place)).includes('owned'), `it ran in ${place}`);
    });
  }

  for (const name of ['policy:update', 'exec', 'gateway:hello', 'tool:started', 'tool:result', 'reconnect', 'disconnecting', 'constructor', '__proto__', '']) {
    test(`G10: an event ${JSON.stringify(name)} does nothing`, async () => {
      // Nobody answers it; packets arrive in order, so the one after it tells that it has been heard.
      server.emit(name, { rules: [], command: 'touch owned' }).catch(() => undefined);
      await server.run('read_file', { path: 'inside/plain.txt' });
      assert.deepEqual(await outside(), untouched);
      assert.equal(gateway.state.kind, 'online');
    });
  }

  test('G12: a dispatch that is sent 50 times at once starts once', async () => {
    const command = commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'echo once >> ledger.txt' } });
    await Promise.all(Array.from({ length: 50 }, () => server.emit('tool:call', command)));
    await server.until(() => server.results.get(command.callId)?.[0]);
    await server.emit('tool:call', command);
    assert.equal(await readFile(join(workspace, 'ledger.txt'), 'utf8'), 'once\n');
  });

  test('G12: another command under a call id that has run starts nothing', async () => {
    const first = commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'echo first' } });
    await server.emit('tool:call', first);
    await server.until(() => server.results.get(first.callId)?.[0]);
    await server.emit('tool:call', commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'touch owned' }, more: { callId: first.callId } }));
    assert.ok(!(await readdir(workspace)).includes('owned'));
  });

  test('I16: after all of it the gateway is there and does its work', async () => {
    assert.equal(gateway.state.kind, 'online');
    assert.match(JSON.stringify(await server.run('read_file', { path: 'inside/plain.txt' })), /plain/);
    assert.equal(server.faults.length, 0);
  });
});
