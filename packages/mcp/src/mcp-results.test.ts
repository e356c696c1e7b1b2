import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toolResultSchema } from '@tendon/protocol';
import fc from 'fast-check';
import { inputCheck } from './input-check.ts';
import { definitionOf } from './mcp-definition.ts';
import { listResultOf, promptResultOf, resourceResultOf, toolResultOf } from './mcp-results.ts';

test('E8: whatever a server answers becomes a result that has the shape of one', () => {
  fc.assert(
    fc.property(
      fc.object({ key: fc.constantFrom('content', 'isError', 'structuredContent', 'type', 'text', 'contents', 'messages', 'resource', 'uri') }),
      (answer) => {
        for (const resultOf of [toolResultOf, resourceResultOf, promptResultOf, listResultOf]) {
          const checked = toolResultSchema.safeParse(resultOf(answer as Record<string, unknown>));
          assert.ok(checked.success, JSON.stringify(checked.error));
        }
      },
    ),
  );
  const many = toolResultOf({ content: Array.from({ length: 5_000 }, () => ({ type: 'text', text: 'x' })) });
  assert.equal(many.content.length, 201);
  assert.deepEqual(many.content.at(-1), { type: 'text', text: '[4800 further pieces were left out.]' });
  const long = promptResultOf({ messages: Array.from({ length: 5_000 }, () => ({ role: 'user', content: { type: 'text', text: 'x' } })) });
  assert.ok(toolResultSchema.safeParse(long).success);
  assert.deepEqual(long.content.at(-1), { type: 'text', text: '[4800 further messages were left out.]' });
});

test('E7: a schema that is none, refers elsewhere, or holds a slow pattern neither throws nor hangs', () => {
  const checks = (schema: Record<string, unknown>, input: unknown) => inputCheck(schema)(input);
  const slow = { type: 'object', properties: { a: { type: 'string', pattern: '^(a+)+$' }, pattern: { type: 'number' } } };
  assert.equal(checks(slow, { a: `${'a'.repeat(100)}!` }), undefined);
  assert.match(checks(slow, { pattern: 'x' }) ?? '', /input\/pattern must be number/);
  assert.equal(checks({ $ref: 'https://example.org/nowhere.json' }, {}), undefined);
  assert.equal(checks({ type: 'no such type' }, {}), undefined);
  const next = { $schema: 'https://json-schema.org/draft/2020-12/schema', $id: 'x', type: 'object', required: ['a'] };
  assert.match(checks(next, {}) ?? '', /required property 'a'/);
  assert.match(checks({ ...next, required: ['b'] }, {}) ?? '', /required property 'b'/);
  const named = { type: 'object', patternProperties: { '^x': { type: 'string' } }, additionalProperties: false };
  assert.equal(checks(named, { x1: 'fits' }), undefined);
});

test('E4, E5: a definition is cleaned, and what a packet cannot hold is refused with its reason', () => {
  const tool = { name: 't', description: 'half \ud800 and \0', inputSchema: { type: 'object', title: '\0' } };
  const definition = definitionOf('mcp', 's', tool);
  assert.ok(typeof definition !== 'string');
  assert.deepEqual(definition.announced, {
    name: 'mcp__s__t',
    description: 'half \ufffd and \ufffd',
    inputSchema: { type: 'object', title: '\ufffd' },
    effect: 'execute',
    source: 's',
  });
  const nested = Array.from({ length: 30 }).reduce<object>((inner) => ({ properties: { a: inner } }), {});
  const table: [schema: Record<string, unknown>, says: RegExp][] = [
    [nested as Record<string, unknown>, /nested deeper/],
    [{ enum: Array.from({ length: 6_000 }, (_, index) => index) }, /more than 5000 values/],
    [{ description: 'x'.repeat(70_000) }, /more than 65536 bytes/],
    [JSON.parse('{"properties":{"__proto__":{}}}') as Record<string, unknown>, /__proto__/],
  ];
  for (const [inputSchema, says] of table) assert.match(String(definitionOf('mcp', 's', { ...tool, inputSchema })), says);
});
