import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, realpath, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, afterEach, describe, test } from 'node:test';
import { startGateway } from '@tendon/gateway';
import { createLog } from '@tendon/server';
import { startServerDouble, temporaryFolder } from '@tendon/testing';

/*
 * The owner of a machine has said of some files that they are not read, or not changed. The server asks for them all the same, by every file tool
 * and every path that leads there, and says that a person has approved everything. Judged by what it is told and by what is on the disk.
 * Commands are no part of this: for them there is the sandbox (`hidden`).
 */

const CANARY = 'canary-0f6b2d';
const SETTINGS = `# settings\nMODE=production\nKEY=${CANARY}\n`;
const FILES: Readonly<Record<string, string>> = {
  ...{
    '.env': SETTINGS,
    '.env.local': SETTINGS,
    'secret/key.txt': `${CANARY}\n`,
    'secret/picture.png': `\x89PNG\r\n\x1a\n${CANARY}`,
    'secret/a.pdf': `%PDF-${CANARY}`,
  },
  ...{
    'asked/plan.txt': `${CANARY}\n`,
    'asked/open/plan.txt': 'MODE is open\n',
    'docs/a.txt': 'MODE is free\n',
    'big.min': `${CANARY}${'x'.repeat(600_000)}\n`,
  },
};
const LINKS: Readonly<Record<string, string>> = {
  ...{ notes: '.env', chain: 'notes', opened: 'secret', 'docs/key.txt': '../secret/key.txt', 'docs/plan.txt': '../asked/plan.txt', 'docs/new': '../secret' },
  ...{ 'picture.png': 'secret/picture.png', 'a.pdf': 'secret/a.pdf' },
};

const folder = await temporaryFolder();
const workspace = join(await realpath(folder.path), 'work');
const home = join(await realpath(folder.path), 'home');
await mkdir(home);
for (const [path, content] of Object.entries(FILES)) {
  await mkdir(dirname(join(workspace, path)), { recursive: true });
  await writeFile(join(workspace, path), content, 'latin1');
}
for (const [path, target] of Object.entries(LINKS)) await symlink(target, join(workspace, path));

async function rule(...rules: readonly object[]): Promise<void> {
  await writeFile(join(home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules }));
}

const NOT_READ = ['.env*', 'secret/*', 'big.min'].map((subject) => ({ action: 'deny', tool: 'read_file', subject }));
const ASKED = [
  { action: 'ask', tool: 'read_file', subject: 'asked/*' },
  { action: 'allow', tool: 'read_file', subject: 'asked/open/*' },
];
await rule();

const log = createLog({ level: 'silent', pretty: false });
const server = await startServerDouble();
const gateway = await startGateway({ serverUrl: server.url, token: 'key', home, workspaces: [workspace], log, version: '0.0.0', name: 'machine' });
await gateway.ready();
after(async () => {
  await gateway.close();
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

const BY_RULE = { grant: { by: 'policy' as const, at: new Date().toISOString() } };

interface Told {
  /** `succeeded`, or the code of the refusal or fault. */
  readonly outcome: string;
  readonly text: string;
  readonly callId: string;
  readonly isBegun: boolean;
}

async function ask(tool: string, input: object, more: object = {}): Promise<Told> {
  const { callId, answer } = await server.call(tool, input, more);
  if (!answer.accepted) return { outcome: answer.error.code, text: answer.error.message, callId, isBegun: false };
  const { status, content, error, meta } = await server.until(() => server.results.get(callId)?.[0]);
  const text = content.map((part) => (part.type === 'text' ? part.text : JSON.stringify(part))).join('\n');
  assert.ok(!JSON.stringify([error, meta, server.outputs]).includes(CANARY), `${tool} ${JSON.stringify(input)} tells it`);
  return { outcome: status === 'succeeded' ? status : (error?.code ?? status), text, callId, isBegun: true };
}

/** Every file of the workspace with its content; links as what they name. */
async function disk(): Promise<Record<string, string>> {
  const entries = await readdir(workspace, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(await Promise.all(files.toSorted().map(async (path) => [path, await readFile(path, 'latin1')] as const)));
}

const untouched = await disk();
afterEach(async () => assert.deepEqual(await disk(), untouched));

/** Where a call leads shows only when it has begun. */
const LINKED = /notes|chain|opened|docs\/(key|new)|"(picture\.png|a\.pdf)/;
const told = (input: object) => JSON.stringify(input).replace(workspace, '…').slice(0, 90);
const patch = (...lines: readonly string[]) => ({ patch: ['*** Begin Patch', ...lines, '*** End Patch'].join('\n') });
const NEAR = ['@@', ' MODE=production', '-KEY=guess', '+KEY=other'];

/** Ways to what `.env*` and `secret/*` keep from being read. */
const READS: readonly [tool: string, input: object][] = [
  ...[
    '.env',
    './.env',
    'docs/../.env',
    'notes',
    './chain',
    'opened/key.txt',
    'docs/key.txt',
    'docs/../notes',
    join(workspace, '.env'),
    'picture.png',
    'a.pdf',
  ].map((path): [string, object] => ['read_file', { path }]),
  // Other names of it where file systems do not tell them apart; here they are names of nothing.
  ...['.ENV', '.Env.Local', '.e\u200bnv', 'SECRET/key.txt', '\u017fecret/key.txt'].map((path): [string, object] => ['read_file', { path }]),
  ...['notes', 'docs/key.txt', 'secret/key.txt'].map((path): [string, object] => ['grep', { pattern: '.', path }]),
  ['edit_file', { path: '.env', oldText: 'production', newText: 'production ' }],
  ['edit_file', { path: 'notes', oldText: 'KEY', newText: 'KEY ' }],
  ['edit_file', { path: '.env', oldText: 'o', newText: 'o ' }],
  ['multi_edit', { path: 'chain', edits: [{ oldText: 'KEY', newText: 'KEY ' }] }],
  ['apply_patch', patch('*** Update File: .env', ...NEAR)],
  ['apply_patch', patch('*** Update File: notes', ...NEAR)],
  ['apply_patch', patch('*** Update File: .env', '*** Move to: plain.txt')],
  ['apply_patch', patch('*** Update File: opened/key.txt', '*** Move to: plain.txt')],
  ['apply_patch', patch('*** Add File: plain.txt', '+x', '*** Delete File: docs/../secret/key.txt')],
  ['apply_patch', patch('*** Delete File: opened/key.txt')],
  ['browser_upload', { ref: 'e1', element: 'a field', paths: ['docs/a.txt', './.env'] }],
  ['browser_upload', { ref: 'e1', element: 'a field', paths: ['docs/a.txt', 'docs/key.txt'] }],
];

describe('what read_file may not read', () => {
  for (const [tool, input] of READS)
    test(`G52: is not shown, sent, moved or guessed at by ${tool} ${told(input)}`, async () => {
      await rule(...NOT_READ);
      const { outcome, text, isBegun } = await ask(tool, input);
      assert.deepEqual([outcome, isBegun], ['denied_by_machine', LINKED.test(JSON.stringify(input))], text);
      assert.ok(!text.includes(CANARY) && text.includes('"tool":"read_file"'), text);
    });

  test('G52: is no part of a search, which says so in one line, the same whether or not the pattern matches in them', async () => {
    await rule(...NOT_READ, ...ASKED);
    const left =
      '[Left out, whatever stands in them: files that this machine\'s policy keeps from read_file, or wants a person to approve each time (".env*", "secret/*", "big.min", "asked/*").]';
    const all = await ask('grep', { pattern: 'MODE' }, BY_RULE);
    assert.equal(all.text, `asked/open/plan.txt:1:MODE is open\ndocs/a.txt:1:MODE is free\n${left}`);
    for (const input of [
      { pattern: 'canary-0' },
      { pattern: 'canary-0', glob: '.env*' },
      { pattern: 'CANARY-0', ignoreCase: true, glob: '**/*.txt' },
      { pattern: 'canary', path: 'opened' },
      { pattern: 'x', glob: 'big.*', maxResults: 1 },
    ]) {
      const found = await ask('grep', input, BY_RULE);
      assert.deepEqual([found.outcome, found.text.split('\n').slice(1)], ['succeeded', [left]], found.text);
      assert.match(found.text, /^Nothing matches/);
      // An answer that hangs on what stands there would give it away, a letter at a time.
      const other = 'zz-not-there';
      const none = await ask('grep', { ...input, pattern: other }, BY_RULE);
      assert.equal(none.text.replace(other, ''), found.text.replace(input.pattern, ''));
    }
    const first = await ask('grep', { pattern: 'MODE|KEY|canary', maxResults: 1 }, BY_RULE);
    assert.match(first.text, /^asked\/open\/plan\.txt:1:MODE is open\n\[Cut after 1 lines.*\n\[Left out/);
    assert.equal((await ask('grep', { pattern: 'MODE', path: 'docs/a.txt' }, BY_RULE)).text, 'docs/a.txt:1:MODE is free');
    await rule(
      { action: 'ask', tool: 'write_file' },
      { action: 'deny', tool: 'bash', subject: 'cat *' },
      { action: 'deny', tool: 'read_file', workspace: '/other' },
    );
    assert.equal((await ask('grep', { pattern: 'MODE', path: 'docs' }, BY_RULE)).text, 'docs/a.txt:1:MODE is free');
    await rule({ action: 'deny', effect: 'read', subject: 'docs/?.txt' });
    assert.match((await ask('grep', { pattern: 'MODE', path: 'docs' }, BY_RULE)).text, /^Nothing matches.*\n\[Left out.*\("docs\/\?\.txt"\)\.\]$/);
  });

  test('G52: is asked for where a rule says so: by its path, also behind a link, and a search that a person has approved shows it', async () => {
    await rule(...NOT_READ, ...ASKED);
    for (const path of ['asked/plan.txt', 'docs/plan.txt']) {
      assert.equal((await ask('read_file', { path }, BY_RULE)).outcome, 'approval_needed', path);
      assert.match((await ask('read_file', { path })).text, new RegExp(CANARY));
    }
    assert.match((await ask('grep', { pattern: 'canary', glob: '*.txt' }, BY_RULE)).text, /^Nothing matches.*\n\[Left out, .*"asked\/\*"/);
    const [line, left, ...rest] = (await ask('grep', { pattern: 'canary', glob: '*.txt' })).text.split('\n');
    assert.deepEqual([line, rest], [`asked/plan.txt:1:${CANARY}`, []]);
    assert.ok(left?.includes('"secret/*"') && !left.includes('"asked/*"'), left);
  });

  test('G52: a folder that may not be listed is not listed through a link', async () => {
    await rule({ action: 'deny', tool: 'list_folder', subject: 'secret' });
    assert.equal((await ask('list_folder', { path: 'opened' })).outcome, 'denied_by_machine');
    assert.equal((await ask('list_folder', { path: 'docs' })).outcome, 'succeeded');
  });

  test('G52: a rule that lets in what stands in one folder does not let in what a link there leads to', async () => {
    const rules = [{ action: 'allow', tool: 'read_file', subject: 'docs/*' }];
    await writeFile(join(home, 'gateway-policy.json'), JSON.stringify({ version: 1, default: 'deny', rules }));
    assert.equal((await ask('read_file', { path: 'docs/a.txt' })).outcome, 'succeeded');
    assert.equal((await ask('read_file', { path: 'docs/key.txt' })).outcome, 'denied_by_machine');
  });
});

/** Ways to change what `secret/*` and `notes*` keep from being changed. */
const CHANGES: readonly [tool: string, input: object][] = [
  ...['secret/key.txt', 'secret/new.txt', 'opened/key.txt', 'opened/new.txt', 'docs/key.txt', 'docs/new/deep/er.txt', 'Secret/new.txt'].map(
    (path): [string, object] => ['write_file', { path, content: 'x' }],
  ),
  ['edit_file', { path: 'secret/key.txt', oldText: 'c', newText: 'd', replaceAll: true }],
  ['edit_file', { path: 'docs/key.txt', oldText: 'c', newText: 'd', replaceAll: true }],
  ['multi_edit', { path: 'opened/key.txt', edits: [{ oldText: 'canary', newText: 'd' }] }],
  ['apply_patch', patch('*** Update File: secret/key.txt', '@@', '+x', '*** End of File')],
  ['apply_patch', patch('*** Update File: docs/key.txt', '@@', '+x', '*** End of File')],
  ['apply_patch', patch('*** Update File: docs/a.txt', '*** Move to: opened/a.txt')],
  ['apply_patch', patch('*** Add File: plain.txt', '+x', '*** Add File: docs/new/x.txt', '+x')],
  ['apply_patch', patch('*** Delete File: opened/key.txt')],
  ['browser_download', { ref: 'e1', element: 'a link', path: 'docs/../secret/x' }],
  ['browser_download', { ref: 'e1', element: 'a link', path: 'opened/x' }],
];

describe('what write_file or edit_file may not change', () => {
  for (const tool of ['write_file', 'edit_file'])
    for (const [by, input] of CHANGES)
      test(`G52: ${tool} is denied, and so it stays as it is by ${by} ${told(input)}`, async () => {
        await rule({ action: 'deny', tool, subject: 'secret/*' });
        const { outcome, text, isBegun } = await ask(by, input);
        assert.deepEqual([outcome, isBegun], ['denied_by_machine', LINKED.test(JSON.stringify(input))], text);
        assert.ok(text.includes(`"tool":"${tool}"`), text);
      });

  test('G52: is not where a download comes by itself', async () => {
    await rule({ action: 'deny', tool: 'write_file', subject: 'downloads/*' });
    const { outcome, isBegun } = await ask('browser_download', { ref: 'e1', element: 'a link' });
    assert.deepEqual([outcome, isBegun], ['denied_by_machine', false]);
  });

  test('G52: is not put back by an undo either', async () => {
    await rule();
    const sessionId = randomUUID();
    await ask('edit_file', { path: 'docs/a.txt', oldText: 'free', newText: 'taken' }, { sessionId });
    const { callId } = await ask('edit_file', { path: 'docs/a.txt', oldText: 'taken', newText: 'gone' }, { sessionId });
    const undo = { calls: [callId], files: ['docs/a.txt'], others: [] };
    await rule({ action: 'deny', tool: 'write_file', subject: 'docs/*' });
    assert.equal((await ask('undo_changes', undo, { sessionId })).outcome, 'denied_by_machine');
    assert.match(await readFile(join(workspace, 'docs/a.txt'), 'utf8'), /gone/);
    await rule();
    assert.equal((await ask('edit_file', { path: 'docs/a.txt', oldText: 'gone', newText: 'free' }, { sessionId })).outcome, 'succeeded');
  });
});
