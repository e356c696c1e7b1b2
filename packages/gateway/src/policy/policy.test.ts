import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { GatewayStartError } from '../start-error.ts';
import { decidePolicy, matchesPattern, type Policy } from './policy.ts';
import { PolicyFile } from './policy-file.ts';

const log = pino({ level: 'silent' });

function decide(rules: Policy['rules'], question: { tool: string; subjects: string[]; workspace?: string }, fallback?: Policy['default']): string {
  return decidePolicy({ version: 1, rules, ...(fallback ? { default: fallback } : {}) }, { workspace: '/w', ...question }).action;
}

test('G13: patterns match the whole text, with * and ? alone special', () => {
  const table: [string, string, boolean][] = [
    ['git push*', 'git push --force', true],
    ['git push*', ' git push', false],
    ['*rm -rf*', 'cd x && rm -rf /', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['*', '', true],
    ['', 'x', false],
    ['**/x', 'a/b/x', true],
    [`${'*a'.repeat(200)}b`, 'a'.repeat(50_000), false],
  ];
  for (const [pattern, text, expected] of table) assert.equal(matchesPattern(pattern, text), expected, pattern);
});

test('G13: deny wins, then the rule that says most, then the stricter, then the default', () => {
  const push = { tool: 'bash', subjects: ['git push'] };
  assert.equal(decide([], push), 'allow');
  assert.equal(decide([], push, 'ask'), 'ask');
  assert.equal(decide([{ action: 'allow', tool: 'bash', subject: 'git push' }, { action: 'deny' }], push), 'deny');
  assert.equal(
    decide(
      [
        { action: 'ask', tool: 'bash' },
        { action: 'allow', tool: 'bash', subject: 'git *' },
      ],
      push,
    ),
    'allow',
  );
  assert.equal(
    decide(
      [
        { action: 'allow', tool: 'bash' },
        { action: 'ask', tool: 'bash' },
      ],
      push,
    ),
    'ask',
  );
  assert.equal(
    decide(
      [
        { action: 'deny', tool: 'grep' },
        { action: 'deny', workspace: '/other' },
      ],
      push,
    ),
    'allow',
  );
  assert.equal(decide([{ action: 'deny', workspace: '/w/' }], push), 'deny');
});

test('G13: a detour in a path neither slips past a rule nor is let in by one', () => {
  const detour = { tool: 'read_file', subjects: ['docs/../secret/key', 'secret/key'] };
  assert.equal(decide([{ action: 'deny', subject: 'secret/*' }], detour), 'deny');
  assert.equal(decide([{ action: 'allow', subject: 'docs/*' }], detour, 'ask'), 'ask');
});

test('G13: a broken policy file stops a start and names the fault', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tendon policy '));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'gateway-policy.json');
  const faults: [string, RegExp][] = [
    ['{', /not JSON/],
    ['{"version":2,"rules":[]}', /version/],
    ['{"version":1,"rules":[{"action":"deny","subjct":"x"}]}', /rules\.0.*subjct/],
    ['{"version":1,"rules":[{"action":"deny","workspace":"relative"}]}', /absolute/],
  ];
  for (const [text, expected] of faults) {
    await writeFile(path, text);
    await assert.rejects(
      PolicyFile.open(path, log),
      (error: unknown) => error instanceof GatewayStartError && error.code === 'policy_broken' && expected.test(error.message) && !error.message.includes('\n'),
    );
  }
});

test('G13: a rule added while it runs holds at once; a file broken meanwhile refuses until mended', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tendon policy '));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'gateway-policy.json');
  const file = await PolicyFile.open(path, log);
  assert.deepEqual(await file.current(), { ok: true, policy: { version: 1, rules: [] } });
  await writeFile(path, '{"version":1,"rules":[{"action":"deny"}]}');
  const changed = await file.current();
  assert.equal(changed.ok && changed.policy.rules.length, 1);
  await writeFile(path, '{"version":');
  assert.equal((await file.current()).ok, false);
  await rm(path);
  assert.equal((await file.current()).ok, true);
});
