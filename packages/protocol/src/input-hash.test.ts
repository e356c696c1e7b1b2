import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { inputHash } from './input-hash.ts';

function sha256(canonical: string): string {
  return createHash('sha256').update(canonical, 'utf8').digest('base64url');
}

/** As JSON of the wire: what has no place in JSON is gone. */
const jsonValue = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);

/** The same value with the keys of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, reversed(inner)]),
  );
}

test('P4: the hash is SHA-256 over the canonical JSON, written out by hand here', () => {
  assert.equal(inputHash({ tool: 'bash', input: { command: 'ls', cwd: '.' } }), sha256('{"input":{"command":"ls","cwd":"."},"tool":"bash"}'));
  assert.equal(
    inputHash({ tool: 'bash', input: {}, workspace: '/srv', gatewayId: 'g' }),
    sha256('{"gatewayId":"g","input":{},"tool":"bash","workspace":"/srv"}'),
  );
});

test('P4: the hash has 43 characters of base64url', () => {
  assert.match(inputHash({ tool: 't', input: null }), /^[A-Za-z0-9_-]{43}$/);
});

test('P4: RFC 8785 section 3.2.2: numbers, strings and literals', () => {
  const input = JSON.parse(
    String.raw`{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null,true,false]}`,
  ) as unknown;
  const canonical = String.raw`{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`;
  assert.equal(inputHash({ tool: 't', input }), sha256(`{"input":${canonical},"tool":"t"}`));
});

test('P4: RFC 8785 section 3.2.3: keys are sorted by UTF-16 units', () => {
  const input = JSON.parse(
    String.raw`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`,
  ) as unknown;
  const canonical =
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}';
  assert.equal(inputHash({ tool: 't', input }), sha256(`{"input":${canonical},"tool":"t"}`));
});

test('P4: numbers of RFC 8785 appendix B', () => {
  const vectors: [number, string][] = [
    [0, '0'],
    [-0, '0'],
    [5e-324, '5e-324'],
    [1.7976931348623157e308, '1.7976931348623157e+308'],
    [9007199254740992, '9007199254740992'],
    [295147905179352830000, '295147905179352830000'],
    [9.999999999999997e22, '9.999999999999997e+22'],
    [1e23, '1e+23'],
    [0.000001, '0.000001'],
    [1e-7, '1e-7'],
    [333333333.3333332, '333333333.3333332'],
  ];
  for (const [number, text] of vectors) assert.equal(inputHash({ tool: 't', input: number }), sha256(`{"input":${text},"tool":"t"}`), text);
});

test('P4: text that looks alike is not the same: composed and decomposed letters differ', () => {
  assert.notEqual(inputHash({ tool: 't', input: 'é' }), inputHash({ tool: 't', input: 'e\u0301' }));
});

test('P4: what is no JSON has no hash', () => {
  for (const input of [Number.NaN, Number.POSITIVE_INFINITY]) assert.throws(() => inputHash({ tool: 't', input }));
});

test('P4: the order of keys does not change the hash', () => {
  fc.assert(fc.property(jsonValue, (input) => assert.equal(inputHash({ tool: 't', input: reversed(input) }), inputHash({ tool: 't', input }))));
});

test('P4: another input, tool, workspace or machine has another hash', () => {
  fc.assert(
    fc.property(jsonValue, jsonValue, (one, other) => {
      fc.pre(JSON.stringify(reversed(reversed(one))) !== JSON.stringify(other));
      if (inputHash({ tool: 't', input: one }) === inputHash({ tool: 't', input: other })) assert.deepEqual(one, other);
    }),
  );
  const base = { tool: 'bash', input: { command: 'ls' }, workspace: '/a', gatewayId: 'g' };
  const variants = [
    base,
    { ...base, tool: 'bash2' },
    { ...base, workspace: '/b' },
    { ...base, gatewayId: 'h' },
    { ...base, workspace: undefined },
    { ...base, gatewayId: undefined },
  ];
  assert.equal(new Set(variants.map(inputHash)).size, variants.length);
});
