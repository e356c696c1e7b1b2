import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ToolEffect } from '@tendon/protocol';
import fc from 'fast-check';
import { pino } from 'pino';
import { GatewayStartError } from '../start-error.ts';
import { JsonPlaces } from './json-places.ts';
import { decidePolicy, matchesPattern, type Policy, policySchema } from './policy.ts';
import { PolicyFile } from './policy-file.ts';
import type { PolicySubject } from './policy-subject.ts';
import { readPolicy, strangeTools } from './policy-text.ts';
import { shellCommands } from './shell-commands.ts';

const log = pino({ level: 'silent' });

interface Asked {
  readonly tool: string;
  readonly subject: PolicySubject;
  readonly effect?: ToolEffect;
}

function decide(rules: Policy['rules'], question: Asked, fallback?: Policy['default']): string {
  return decidePolicy({ version: 1, rules, ...(fallback ? { default: fallback } : {}) }, { workspace: '/w', effect: 'execute', ...question }).action;
}

function shell(line: string): Asked {
  return { tool: 'bash', subject: { written: line, readings: [], commands: shellCommands(line) } };
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

test('E11: a rule names the tools of a server with a pattern; an exact name says more', () => {
  const asked: Asked = { tool: 'mcp__files__write_file', subject: { written: '{"path":"/a"}', readings: [], commands: [] } };
  const other: Asked = { ...asked, tool: 'mcp__web__fetch' };
  const deny: Policy['rules'] = [{ action: 'deny', tool: 'mcp__files__*' }];
  assert.deepEqual([decide(deny, asked), decide(deny, other), decide(deny, shell('ls'))], ['deny', 'allow', 'allow']);
  const rules: Policy['rules'] = [
    { action: 'ask', tool: 'mcp__*' },
    { action: 'allow', tool: 'mcp__files__write_file' },
  ];
  assert.deepEqual([decide(rules, asked), decide(rules, other)], ['allow', 'ask']);
  assert.equal(decide([{ action: 'deny', tool: 'mcp__*', subject: '{"path":"/a*' }], asked), 'deny');
});

test('G13: deny wins, then the rule that says most, then the stricter, then the default', () => {
  const push = shell('git push');
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
  const detour = { tool: 'read_file', subject: { written: 'docs/../secret/key', readings: ['secret/key'], commands: [] } };
  assert.equal(decide([{ action: 'deny', subject: 'secret/*' }], detour), 'deny');
  assert.equal(decide([{ action: 'allow', subject: 'docs/*' }], detour, 'ask'), 'ask');
});

test('G52: a rule that keeps a file from being written or edited counts for every tool that changes it, and one that lets in for its own alone', () => {
  const path = (tool: string, written = 'src/a.ts'): Asked => ({ tool, effect: 'write', subject: { written, readings: [], commands: [] } });
  const changing = ['write_file', 'edit_file', 'multi_edit', 'apply_patch', 'undo_changes'];
  for (const rule of ['write_file', 'edit_file', 'write_*', 'edit_?ile'])
    for (const tool of changing) {
      assert.equal(decide([{ action: 'deny', tool: rule, subject: 'src/*' }], path(tool)), 'deny', `${rule} ${tool}`);
      assert.equal(decide([{ action: 'ask', tool: rule }], path(tool)), 'ask', `${rule} ${tool}`);
      const isNamed = matchesPattern(rule, tool);
      assert.equal(decide([{ action: 'allow', tool: rule }], path(tool), 'deny'), isNamed ? 'allow' : 'deny', `${rule} ${tool}`);
    }
  for (const tool of ['bash', 'read_file', 'list_folder', 'mcp__files__write_file'])
    assert.equal(decide([{ action: 'deny', tool: 'write_file' }], path(tool)), 'allow', tool);
  for (const tool of ['multi_edit', 'apply_patch']) assert.equal(decide([{ action: 'deny', tool }], path('edit_file')), 'allow', tool);
  const rules: Policy['rules'] = [
    { action: 'ask', tool: 'write_file' },
    { action: 'allow', tool: 'edit_file', subject: 'src/*' },
  ];
  assert.deepEqual([decide(rules, path('edit_file')), decide(rules, path('edit_file', 'a.ts')), decide(rules, path('write_file'))], ['allow', 'ask', 'ask']);
});

test('G52: what keeps out counts for every way to write a name that a file system may take for the same; what lets in for the very name', () => {
  const asked = (written: string): Asked => ({ tool: 'read_file', effect: 'read', subject: { written, readings: [], commands: [] } });
  const table: [pattern: string, path: string, isSame: boolean][] = [
    ['.env', '.ENV', true],
    ['.ENV*', '.env.local', true],
    ['.env', '.e\u200bnv', true],
    ['.env', '\u2060.env', true],
    ['secret/*', '\u017fecret/x', true],
    ['secret/\u00e9.txt', 'secret/e\u0301.txt', true],
    ['secret/e\u0301.txt', 'Secret/\u00c9.TXT', true],
    ['caf?.txt', 'CAFE\u0301.txt', true],
    ['stra\u00dfe', 'STRASSE', true],
    ['k', '\u212a', true],
    ['.env', '.environment', false],
    ['.env', 'env', false],
    ['secret/*', 'secrets/x', false],
  ];
  for (const [subject, path, isSame] of table) {
    assert.equal(decide([{ action: 'deny', subject }], asked(path)), isSame ? 'deny' : 'allow', `${subject} ${path}`);
    assert.equal(decide([{ action: 'allow', subject }], asked(path), 'deny'), 'deny', `${subject} ${path}`);
  }
  assert.equal(decide([{ action: 'deny', subject: 'git push*' }], shell('Git push')), 'allow');
});

test('G13: a rule may be about all tools that do one thing', () => {
  const rules: Policy['rules'] = [
    { action: 'deny', effect: 'network' },
    { action: 'allow', effect: 'read' },
    { action: 'ask', effect: 'read', tool: 'grep' },
  ];
  const subject = { written: 'x', readings: [], commands: [] };
  assert.equal(decide(rules, { tool: 'fetch', effect: 'network', subject }), 'deny');
  assert.equal(decide(rules, { tool: 'glob', effect: 'read', subject }, 'deny'), 'allow');
  assert.equal(decide(rules, { tool: 'grep', effect: 'read', subject }, 'deny'), 'ask');
  assert.equal(decide(rules, { tool: 'bash', effect: 'execute', subject }, 'deny'), 'deny');
});

const SMUGGLED = [
  ...['git status; rm -rf x', 'git status;rm x', 'git status && rm x', 'git status || rm x', 'git status & rm x', 'git status | sh', 'git status\nrm x'],
  ...[
    'git status\r\nrm x',
    'git status $(rm x)',
    'git status `rm x`',
    'git status > .bashrc',
    'git status < <(rm x)',
    'git status "$(rm x)"',
    `git status \${x:-y}`,
  ],
  ...['git status >(rm x)', 'git status $X', 'git status (rm x)', 'git status { rm x', 'git status <<< x'],
];

test('G35: a wildcard lets in the rest of one command, never a further one, a substitution or a redirection', () => {
  const rules: Policy['rules'] = [{ action: 'allow', tool: 'bash', subject: 'git status*' }];
  for (const line of ['git status', 'git status -sb -- "my file"', "git status 'a b'"]) assert.equal(decide(rules, shell(line), 'deny'), 'allow', line);
  for (const line of SMUGGLED) assert.equal(decide(rules, shell(line), 'deny'), 'deny', line);
  for (const line of SMUGGLED) assert.equal(decide([{ action: 'allow', subject: 'git statu? rm' }], shell(line), 'ask'), 'ask', line);
});

test('G35: what a rule names itself may hold operators; the wildcards beside them may not', () => {
  const rules: Policy['rules'] = [{ action: 'allow', subject: "cd 'web' && npm test*" }];
  assert.equal(decide(rules, shell("cd 'web' && npm test -- --watch"), 'deny'), 'allow');
  assert.equal(decide(rules, shell("cd 'web' && npm test && rm x"), 'deny'), 'deny');
  assert.equal(decide([{ action: 'allow', subject: 'a; b' }], shell('a; b'), 'deny'), 'allow');
  assert.equal(decide([{ action: 'allow', tool: 'bash' }], shell('a; b'), 'deny'), 'allow');
});

test('G35: a rule that keeps out is asked about every command of a line', () => {
  const rules: Policy['rules'] = [{ action: 'deny', tool: 'bash', subject: 'git push*' }];
  const lines = [
    'git push',
    'cd x && git push',
    'true;git  push --force',
    'echo $(git push)',
    'x=`git push`',
    '(git push)',
    'A=1 B=2 git push',
    'sudo git push',
  ];
  for (const line of [...lines, 'if true; then git push; fi', '{ git push; }', 'sleep 1 & git push', 'false || git push', 'ls\ngit push', 'cat <(git push)'])
    assert.equal(decide(rules, shell(line)), 'deny', line);
  for (const line of ['sudo env A=1 git push', 'if ! git push', 'time nohup git push'].concat(
    `${Array.from({ length: 5_000 }, (_, index) => `: ${index}`).join(';')};git push`,
  ))
    assert.equal(decide(rules, shell(line)), 'deny', line.slice(-60));
  for (const line of ['git pull', 'git log --grep push', 'echo hello']) assert.equal(decide(rules, shell(line)), 'allow', line);
});

test('G35: for any two commands and operator, a rule for the first never lets in both', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9 "'._=/-]{0,12}$/);
  const operator = fc.constantFrom(';', '&', '&&', '|', '||', '\n', '\r\n', ' $(', '`', ' >', ' <(', '|&', ';;', ' {', '}', '(', ')');
  const details = fc.check(
    fc.property(word, operator, word, (first, between, second) => {
      const line = `${first}${between}${second}`;
      for (const pattern of [`${first}*`, '*', `*${second}`, `${first}??${second}`, `${first}*${second}`])
        assert.equal(decide([{ action: 'allow', subject: pattern }], shell(line), 'deny'), 'deny', `${pattern} let in ${line}`);
      assert.equal(decide([{ action: 'deny', subject: `*${second.trim().replaceAll(/\s+/g, ' ')}` }], shell(line)), 'deny', line);
    }),
    { numRuns: 2_000 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${JSON.stringify(details.counterexample)} ${details.errorInstance}`);
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
  await writeFile(path, '{\n  "version": 1,\n  "rules": [\n    { "action": "deni" }\n  ]\n}');
  const broken = await file.current();
  const says = `${path} is wrong at rules.0.action (line 4): it must be "allow" or "ask" or "deny". Its owner must mend the file`;
  assert.ok(!broken.ok && broken.message.includes(says), JSON.stringify(broken));
  await writeFile(path, `\ufeff${JSON.stringify({ version: 1, rules: [] })}`);
  assert.equal((await file.current()).ok, true, 'with the mark of an editor');
  await rm(path);
  assert.equal((await file.current()).ok, true);
});

test('G13: what is wrong with a policy is told with its line and field, in plain words, without what stands there', () => {
  const table: [text: string, fault: string][] = [
    ['', 'is not JSON (it ends too early, in line 1)'],
    ['{\n  "version": 1,\n  "rules": [\n', 'is not JSON (it ends too early, in line 3)'],
    ['{\n  "version": 1,\n  "rules": [],\n}', 'is not JSON (line 4, column 1)'],
    ['{\n  "version": 1, // canary\n  "rules": []\n}', 'is not JSON (line 2, column 17)'],
    ['{"version": 1, "rules": [{}]} canary', 'is not JSON (line 1, column 31)'],
    ['{"version": 1, "rules": ["\\q"]}', 'is not JSON (line 1, column 26)'],
    ['{"version": canary}', 'is not JSON (line 1, column 13)'],
    ["{'version': 1}", 'is not JSON (line 1, column 2)'],
    ['{"version" 1}', 'is not JSON (line 1, column 12)'],
    ['\uFEFF{}', 'is not JSON (line 1, column 1)'],
    ['[]', 'is wrong at its top (line 1): it must be an object'],
    ['{"rules": []}', 'lacks version, in what begins in line 1: it must be 1'],
    ['{\n"version": 2,\n"rules": []}', 'is wrong at version (line 2): it must be 1'],
    ['{\n"version": 1\n}', 'lacks rules, in what begins in line 1: it must be a list'],
    ['{"version": 1,\n"rules": [\n{"tool": "canary"}]}', 'lacks rules.0.action, in what begins in line 3: it must be "allow" or "ask" or "deny"'],
    ['{"version": 1,\n"rules": [\n{"action": "canary"}]}', 'is wrong at rules.0.action (line 3): it must be "allow" or "ask" or "deny"'],
    [
      '{"version": 1, "rules": [{"action":"ask"},\n{"action":"deny",\n"tol": "canary"}]}',
      'is wrong at rules.1.tol (line 3): nothing of that name is known there',
    ],
    ['{"version": 1, "rules": [],\n"sandbox": {\n"network": "canary"}}', 'is wrong at sandbox.network (line 3): must be true, false or "filtered"'],
    ['{"version": 1, "rules": [],\n"sandbox": {\n"hidden": ["/a",\n"canary"]}}', 'is wrong at sandbox.hidden.1 (line 4): must be an absolute path'],
    ['{"version": 1, "rules": [{"action": "deny",\n"tool": ""}]}', 'is wrong at rules.0.tool (line 2): it is empty'],
  ];
  for (const [text, fault] of table) {
    const read = readPolicy(text);
    assert.deepEqual([text, read], [text, { ok: false, fault }]);
  }
  // What is too deep to be walked through is still answered.
  assert.equal(readPolicy('['.repeat(100_000)).ok, false);
  assert.equal(readPolicy(`${'['.repeat(5_000)}${']'.repeat(5_000)}`).ok, false);
});

test('G13: where JSON ends to be JSON is found in whatever way a file is cut or changed', () => {
  const file = '{ "version": 1, "rules": [{ "action": "deny", "subject": "a\\u00e9\\n\\"b" }], "x": [-1.5e3, true, null, {}, []] }\n';
  assert.equal(new JsonPlaces(file).broken, undefined);
  const details = fc.check(
    fc.property(fc.nat(file.length), fc.nat(3), fc.string({ maxLength: 3 }), (at, cut, put) => {
      const text = file.slice(0, at) + put + file.slice(at + cut);
      const isJson = ((): boolean => {
        try {
          JSON.parse(text);
          return true;
        } catch {
          return false;
        }
      })();
      assert.equal(new JsonPlaces(text).broken === undefined, isJson, text);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(!details.failed, `seed ${details.seed}: ${JSON.stringify(details.counterexample)} ${details.errorInstance}`);
});

test('G13: a rule about a tool that no machine has is named at the start and when the file changes; MCP tools and patterns are not', async (t) => {
  const names = (tools: readonly string[]) => strangeTools({ version: 1, rules: tools.map((tool) => ({ action: 'deny', tool })) });
  assert.deepEqual(names(['bash', 'undo_changes', 'read_*', '*', 'browser_?lick', 'mcp__files__read', 'mcp_*', 'm*', 'mcp__*__x', 'mcp_list_resources']), []);
  const strange = ['bsh', 'Bash', 'bahs', 'bashh', 'basch', 'web_fetch', 'files__*', 'x*', 'mcp'];
  assert.equal(names(strange).length, strange.length);
  for (const [index, line] of names(strange.slice(0, 5)).entries())
    assert.match(line, new RegExp(`^rules\\.${index} \\(deny\\) is about the tool "${strange[index]}", .*perhaps "bash" is meant$`));
  assert.doesNotMatch(names(['files__*'])[0] ?? '', /perhaps/);

  const folder = await mkdtemp(join(tmpdir(), 'tendon policy '));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'gateway-policy.json');
  const lines: string[] = [];
  const write = (tool: string) => writeFile(path, JSON.stringify({ version: 1, rules: [{ action: 'deny', tool }] }));
  await write('bsh');
  const file = await PolicyFile.open(path, pino({ level: 'warn' }, { write: (line: string) => void lines.push(line) }));
  await write('read-file');
  assert.equal((await file.current()).ok, true);
  await file.current();
  assert.deepEqual(
    lines.map((line) => /is about the tool \\"([^\\]+)\\"/.exec(line)?.[1]),
    ['bsh', 'read-file'],
  );
});

test('W15: an entry of network.allow that could mean something else is refused, with what is right', () => {
  assert.match(
    JSON.stringify(policySchema.safeParse({ version: 1, rules: [], network: { allow: ['http://x'] } }).error?.issues),
    /network.*allow.*localhost:3000/s,
  );
  assert.equal(policySchema.safeParse({ version: 1, rules: [], network: { alow: [] } }).success, false);
});
