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

interface LogLine {
  readonly msg: string;
  readonly code?: string;
  readonly reason?: string;
  readonly callId?: string;
  readonly error?: string;
  readonly count?: number;
}

/** What was told the server of each kind of refusal, in the order in which it was. */
const refused = new Map<string, string[]>();
const noteRefused = ({ code, message }: { code: string; message: string }): void => void refused.set(code, [...(refused.get(code) ?? []), message]);
const refusalLines = (code: string): LogLine[] => lines.filter((line) => line.msg.includes('refused') && line.code === code);

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
const POLICY = JSON.stringify({
  version: 1,
  rules: [
    { tool: 'bash', subject: 'echo denied*', action: 'deny' },
    { tool: 'bash', subject: 'touch owned*', action: 'ask' },
  ],
});
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

/** What the person at the terminal of this machine is shown. */
const lines: LogLine[] = [];
const log = createLog({ level: 'info', pretty: false, destination: { write: (line) => void lines.push(JSON.parse(line) as LogLine) } });
const server = await startServerDouble();
const gateway = await startGateway({
  ...{
    serverUrl: server.url,
    token: 'key',
    home,
    workspaces: [workspace],
    log,
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
        if (!answer.accepted) noteRefused(answer.error);
        assert.deepEqual(await outside(), untouched);
        const heard = told(from);
        assert.ok(!heard.includes(SECRET), `the secret has left: ${heard}`);
        assert.ok(!/root:[x*]?:0:0/.test(heard), 'the password file has left');
        // A name that is only odd is a file of the workspace like another; whatever leads outside is refused in words.
        if (result?.status === 'failed') assert.equal(lines.find((line) => line.callId === callId)?.error, result.error?.code, 'the log does not say why');
        if (result?.status === 'succeeded') assert.ok(!heard.includes('secret-key') && !heard.includes('identity.json'), heard);
      });
    }
  });
}

const WRONG_TIMES = [
  undefined,
  null,
  '',
  'now',
  'yesterday',
  0,
  1_700_000_000_000,
  '2026-11-29',
  '2026-11-29T12:00:00',
  '2026-02-30T12:00:00Z',
  '2026-11-29T25:00:00Z',
  [],
];

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
    ...[undefined, null, '', 'user', true, []].map((grant): [string, () => unknown] => [`the grant ${JSON.stringify(grant)}`, () => ({ ...right(), grant })]),
    ...['server', 'USER', 'user ', '', null, true, ['user'], { by: 'user' }].map((by): [string, () => unknown] => [
      `a grant by ${JSON.stringify(by)}`,
      () => ({ ...right(), grant: { by, at: new Date().toISOString() } }),
    ]),
    ...WRONG_TIMES.map((at): [string, () => unknown] => [`a grant at ${JSON.stringify(at)}`, () => ({ ...right(), grant: { by: 'user', at } })]),
    ...[{}, { rule: 'a rule' }, { decidedBy: 'somebody' }].map((more): [string, () => unknown] => [
      `a grant by a rule ${JSON.stringify(more)} where the machine wants a person`,
      () => ({
        ...commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'touch owned' } }),
        grant: { by: 'policy', at: new Date().toISOString(), ...more },
      }),
    ]),
    ...[7, null, ['somebody'], {}].map((decidedBy): [string, () => unknown] => [
      `a grant decided by ${JSON.stringify(decidedBy)}`,
      () => ({ ...right(), grant: { by: 'user', at: new Date().toISOString(), decidedBy } }),
    ]),
    ...[undefined, null, '', ' ', 7, '../../journal', '*', ['0192a7c0-0000-7000-8000-000000000001'], { $ne: '' }, '__proto__'].map(
      (sessionId): [string, () => unknown] => [`the session ${JSON.stringify(sessionId)}`, () => ({ ...right(), sessionId })],
    ),
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
      const packet = make();
      const answer = (await server.emit('tool:call', packet).catch((error: unknown) => ({ lost: String(error) }))) as {
        accepted?: boolean;
        error?: { code: string; message: string };
        ok?: boolean;
      };
      if (answer.error) noteRefused(answer.error);
      // A command whose folder is outside is taken, and ends without having begun.
      if (answer.accepted === true)
        assert.match(JSON.stringify(await server.until(() => server.results.get((packet as { callId: string }).callId)?.[0])), /failed/);
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

  test('G12: the same call for another session starts nothing', async () => {
    const first = commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'echo once >> sessions.txt' } });
    await server.emit('tool:call', first);
    await server.until(() => server.results.get(first.callId)?.[0]);
    await server.emit('tool:call', { ...first, sessionId: commandFor(server.hellos.at(-1), read).sessionId });
    await server.run('read_file', { path: 'inside/plain.txt' });
    assert.equal(await readFile(join(workspace, 'sessions.txt'), 'utf8'), 'once\n');
  });

  test('G43: what a session runs in the background is not there for a dispatch that names another one', async () => {
    const { sessionId } = commandFor(server.hellos.at(-1), read);
    const begun = await server.run('bash', { command: `echo ${SECRET}; sleep 600`, background: true }, { sessionId });
    const id = begun.meta?.['process'];
    assert.ok(id, JSON.stringify(begun));
    for (const tool of ['read_process', 'stop_process']) {
      const { status, content } = await server.run(tool, { id });
      assert.equal(status, 'failed', `${tool}: ${JSON.stringify(content)}`);
      assert.ok(!JSON.stringify(content).includes(SECRET));
    }
    assert.equal((await server.run('stop_process', { id }, { sessionId })).status, 'succeeded');
  });

  test('G12: another command under a call id that has run starts nothing', async () => {
    const first = commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'echo first' } });
    await server.emit('tool:call', first);
    await server.until(() => server.results.get(first.callId)?.[0]);
    await server.emit('tool:call', commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'touch owned' }, more: { callId: first.callId } }));
    assert.ok(!(await readdir(workspace)).includes('owned'));
  });

  test('G10: each kind of attack is in the log, with the reason that the server was told', () => {
    const KINDS = [
      'approval_needed',
      'denied_by_machine',
      'hash_mismatch',
      'invalid_input',
      'invalid_payload',
      'too_large',
      'unknown_tool',
      'unknown_workspace',
    ];
    assert.deepEqual([...refused.keys()].toSorted(), KINDS);
    for (const [code, [told = '']] of refused) {
      const [line] = refusalLines(code);
      assert.ok(line?.reason && told.startsWith(line.reason.replace(/…$/, '')), `${code}: ${line?.reason} is not ${told}`);
    }
    assert.match(refusalLines('unknown_event')[0]?.reason ?? '', /does not know the event "policy:update"/);
  });

  test('I16: after all of it the gateway is there and does its work', async () => {
    assert.equal(gateway.state.kind, 'online');
    assert.match(JSON.stringify(await server.run('read_file', { path: 'inside/plain.txt' })), /plain/);
    assert.equal(server.faults.length, 0);
  });

  test('G10: a server that floods does not fill the log', async () => {
    const before = refusalLines('hash_mismatch').length;
    const startedAt = performance.now();
    const wrong = () => ({ ...commandFor(server.hellos.at(-1), { tool: 'bash', input: { command: 'true' } }), input: { command: 'touch owned' } });
    for (let round = 0; round < 20; round += 1) await Promise.all(Array.from({ length: 100 }, () => server.emit('tool:call', wrong())));
    // One line in ten seconds, and one at each end.
    const most = 2 + (performance.now() - startedAt) / 10_000;
    assert.ok(refusalLines('hash_mismatch').length - before <= most, `${refusalLines('hash_mismatch').length - before} lines`);
    await gateway.close();
    const kept = JSON.parse(await readFile(join(home, 'gateway', 'machine', 'refusals.json'), 'utf8')) as { kinds: Record<string, { count: number }> };
    assert.equal(kept.kinds['hash_mismatch']?.count, 2_000 + (refused.get('hash_mismatch')?.length ?? 0));
  });
});
