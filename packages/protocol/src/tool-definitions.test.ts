import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import {
  LOCAL_TOOLS,
  PAUSE_TOOLS,
  REMOTE_TOOLS,
  ruleSubject,
  TOOL_TABLES_ARE_DISJOINT,
  type ToolDefinition,
  toolDefinition,
  toolKind,
} from './tool-definitions.ts';
import { PERSON_TOOLS } from './undo-tool.ts';

/** They look at a page that is open, and start nothing. */
const BROWSER_READS = ['browser_snapshot', 'browser_wait', 'browser_screenshot', 'browser_extract'];
const TABLES = { local: LOCAL_TOOLS, remote: REMOTE_TOOLS, pause: PAUSE_TOOLS };
const ALL: [string, ToolDefinition][] = Object.values(TABLES).flatMap((table) => Object.entries(table as Record<string, ToolDefinition>));

test('P5: every tool stands in exactly one table, and toolKind names it', () => {
  assert.equal(new Set(ALL.map(([name]) => name)).size, ALL.length);
  assert.equal(TOOL_TABLES_ARE_DISJOINT, true);
  for (const [kind, table] of Object.entries(TABLES)) for (const name of Object.keys(table)) assert.equal(toolKind(name), kind);
});

test('P5: the tables together are all tools, and no other name is one', () => {
  for (const [name, definition] of ALL) assert.equal(toolDefinition(name), definition);
  for (const name of ['', 'no_such_tool', '__proto__', 'constructor', 'toString', 'Bash']) {
    assert.equal(toolDefinition(name), undefined);
    assert.equal(toolKind(name), undefined);
  }
});

test('P5: every tool has a description, an effect and a schema of an object that a model can be given', () => {
  for (const [name, definition] of ALL) {
    assert.ok(definition.description.length > 20, name);
    assert.ok(['read', 'write', 'execute', 'network'].includes(definition.effect), name);
    assert.equal(z.toJSONSchema(definition.input).type, 'object', name);
  }
});

test('P5: no tool takes a field that it does not have, at any depth, and the schema that a model is given says so', () => {
  const objectsIn = (schema: unknown): Record<string, unknown>[] => {
    if (typeof schema !== 'object' || schema === null) return [];
    const own = (schema as { type?: unknown }).type === 'object' ? [schema as Record<string, unknown>] : [];
    return [...own, ...Object.values(schema).flatMap(objectsIn)];
  };
  for (const [name, definition] of [...ALL, ...Object.entries(PERSON_TOOLS)]) {
    const objects = objectsIn(z.toJSONSchema(definition.input, { io: 'input' }));
    assert.ok(objects.length > 0 && objects.every((object) => object['additionalProperties'] === false), name);
  }
  assert.equal(LOCAL_TOOLS.bash.input.safeParse({ command: 'ls', run_in_background: true }).success, false);
});

test('P5: what changes the machine is not called reading', () => {
  assert.deepEqual(
    ALL.filter(([, definition]) => definition.effect === 'read').map(([name]) => name),
    ['read_file', 'list_processes', 'read_process', 'list_folder', 'glob', 'grep', ...BROWSER_READS, 'update_plan', 'ask_user_questions'],
  );
});

test('P10: a rule is about the exact command, path or pattern', () => {
  assert.equal(ruleSubject('bash', { command: 'git push --force' }), 'git push --force');
  assert.equal(ruleSubject('write_file', { path: 'src/a.ts', content: 'x' }), 'src/a.ts');
  assert.equal(ruleSubject('grep', { pattern: 'password' }), 'password');
  for (const [name] of ALL)
    assert.notEqual(
      ruleSubject(name, {
        command: 'c',
        path: 'p',
        pattern: 'q',
        questions: [],
        steps: [],
        values: [],
        paths: [],
        url: 'u',
        ref: 'e1',
        text: 't',
        key: 'k',
        action: 'list',
        patch: '',
      }),
      name,
    );
});

test('P10: a rule about a patch is about exactly the files that it names, both names of one that moves', () => {
  const patch = '*** Begin Patch\n*** Update File: b\n*** Move to: c\n*** Delete File: a, b\n*** Add File: a\n+*** Delete File: z\n*** End Patch';
  assert.equal(ruleSubject('apply_patch', { patch }), 'a\na, b\nb\nc');
  assert.equal(ruleSubject('apply_patch', { patch: patch.replace('*** End Patch', '') }), 'a patch that cannot be read');
});

test('P10: a tool from elsewhere is known by its whole input', () => {
  assert.equal(ruleSubject('mcp_search', { query: 'a', limit: 2 }), '{"query":"a","limit":2}');
});
