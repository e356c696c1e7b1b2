import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { inputCheck } from './input-check.ts';

/** What the check says, and why it did not check. */
function look(schema: Record<string, unknown>, input: unknown): { says: string | undefined; unchecked: string[] } {
  const unchecked: string[] = [];
  return { says: inputCheck(schema, (reason) => unchecked.push(reason))(input), unchecked };
}

test('E7: an `$async` at any depth changes nothing about the check', () => {
  const inner = { $async: true, type: 'object', required: ['x'] };
  assert.match(look(inner, {}).says ?? '', /required property 'x'/);
  assert.match(look({ $async: true, properties: { a: { $ref: '#/$defs/inner' } }, $defs: { inner } }, { a: {} }).says ?? '', /input\/a .*'x'/);
});

test('E7: references that lead back, or to too much, are not followed, and that is told', () => {
  const doubling = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`d${index}`, { allOf: [ref(index + 1), ref(index + 1)] }]));
  const table: Record<string, unknown>[] = [
    { type: 'object', allOf: [{ $ref: '#' }] },
    { $ref: '#' },
    { ...ref(0), $defs: { ...doubling, d40: { type: 'object' } } },
    { properties: { child: { $ref: '#' } } },
    { properties: { constructor: { $ref: '#/constructor' } } },
    { $ref: 'https://example.org/a.json' },
    { $ref: '#/$defs/%zz' },
  ];
  for (const schema of table) {
    const { says, unchecked } = look(schema, { child: {} });
    assert.deepEqual([says, unchecked.length], [undefined, 1], JSON.stringify(schema).slice(0, 100));
  }
});

test('E7: references within the schema are checked as what they stand for', () => {
  const schema = {
    properties: { a: { $ref: '#/$defs/a~1b%20c', minimum: 2 }, b: { $ref: '#/properties/a' }, pair: { prefixItems: [{}, {}], items: false } },
    $defs: { 'a/b c': { type: 'number' } },
  };
  assert.deepEqual(look(schema, { a: 2, b: 3, pair: [1, 2] }), { says: undefined, unchecked: [] });
  assert.match(look(schema, { b: 'x' }).says ?? '', /input\/b must be number/);
  assert.match(look(schema, { b: 1 }).says ?? '', /input\/b must be >= 2/);
});

test('E7: data in a schema that looks like keywords is left as it is', () => {
  for (const key of ['const', 'enum']) {
    const data = { pattern: 'a', $async: true, $ref: '#' };
    const schema = { properties: { a: { [key]: key === 'enum' ? [data] : data } } };
    assert.deepEqual(look(schema, { a: data }), { says: undefined, unchecked: [] });
    assert.match(look(schema, { a: {} }).says ?? '', /input\/a must be equal/);
  }
});

test('E7: many faults become few words', () => {
  const wide = { items: { allOf: Array.from({ length: 1_900 }, (_, index) => ({ required: [`field ${index}`] })) } };
  const { says, unchecked } = look(wide, [{}, {}, {}]);
  assert.deepEqual(unchecked, []);
  assert.ok(says !== undefined && says.length < 2_010);
});

test('E7: whatever a schema is made of, the check neither throws nor rejects', () => {
  const key = fc.constantFrom('$ref', '$async', '$defs', 'allOf', 'not', 'items', 'properties', 'dependencies', 'type', 'const', 'required', 'format', '$id');
  const leaf = fc.constantFrom('#', '#/$defs/allOf', 'object', true, null, 3, 'x');
  const schemas = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof({ maxDepth: 5 }, leaf, fc.array(tie('node'), { maxLength: 3 }), fc.dictionary(key, tie('node'), { maxKeys: 4 })),
  })).node;
  fc.assert(
    fc.property(fc.dictionary(key, schemas), fc.jsonValue(), (schema, input) => {
      const { says } = look(schema, input);
      assert.ok(says === undefined || typeof says === 'string');
    }),
  );
});

function ref(index: number): { $ref: string } {
  return { $ref: `#/$defs/d${index}` };
}
