import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import { AGENT_REQUESTS } from './agent-events.ts';
import { GATEWAY_COMMANDS, GATEWAY_REQUESTS } from './gateway-events.ts';
import { LIMITS, utf8Bytes } from './limits.ts';
import { type PayloadFault, validate } from './validate.ts';

const ID = '0199c0de-0000-7000-8000-000000000001';
const execute = AGENT_REQUESTS['agent:execute'].payload;
const good = { sessionId: ID, messageId: ID, text: 'run ls' };

function refused(schema: z.ZodType, value: unknown): { code: string; message: string; faults: PayloadFault[] } {
  const outcome = validate(schema, value);
  assert.ok(!outcome.ok, 'the packet is refused');
  const faults = outcome.error.details as PayloadFault[];
  assert.ok(faults.length > 0 && faults.every((fault) => typeof fault.path === 'string' && fault.reason !== ''), 'every fault has a path and a reason');
  return { code: outcome.error.code, message: outcome.error.message, faults };
}

function nested(depth: number): unknown {
  let value: unknown = 'end';
  for (let level = 0; level < depth; level += 1) value = level % 2 === 0 ? [value] : { a: value };
  return value;
}

describe('P1: malformed packets are refused with path and reason', () => {
  const everything = { ...AGENT_REQUESTS, ...GATEWAY_REQUESTS, ...GATEWAY_COMMANDS };
  for (const [name, { payload }] of Object.entries(everything)) {
    test(`P1: ${name} refuses what is no object`, () => {
      for (const value of [null, undefined, 0, Number.NaN, '', 'text', true, [], [{}], () => 1, Symbol('s'), 10n]) refused(payload, value);
    });
  }

  test('P1: the path names the field, the message starts with it', () => {
    const wrongType = refused(execute, { ...good, text: 7 });
    assert.equal(wrongType.faults[0]?.path, 'text');
    assert.match(wrongType.message, /^text: /);
    assert.equal(
      refused(execute, { ...good, attachments: [{ name: 'a', mediaType: 'b', attachmentId: 'no' }] }).faults[0]?.path,
      'attachments[0].attachmentId',
    );
    assert.deepEqual(
      refused(execute, {})
        .faults.map((fault) => fault.path)
        .sort(),
      ['messageId', 'sessionId', 'text'],
    );
  });

  test('P1: a message without text and without an attachment is refused', () => {
    assert.equal(refused(execute, { ...good, text: ' \n' }).faults[0]?.path, 'text');
  });

  test('P1: what only looks like a length, a number or a text is refused, and does not make the check throw', () => {
    const odd = JSON.parse('[{"length":[{"toString":1}]},{"size":[{"toString":1}]},{"toString":1},{"valueOf":1,"toString":1},[{"toString":1}]]') as unknown[];
    for (const [name, { payload: schema }] of Object.entries({ ...AGENT_REQUESTS, ...GATEWAY_REQUESTS, ...GATEWAY_COMMANDS })) {
      const inner = 'shape' in schema ? Object.keys(schema.shape as object) : ['sessionId', 'messageId', 'text', 'attachments', 'mode'];
      for (const key of inner)
        for (const value of odd) assert.doesNotThrow(() => validate(schema, { ...good, callId: ID, gatewayId: ID, [key]: value }), `${name}.${key}`);
      for (const value of odd) assert.doesNotThrow(() => validate(schema, value), name);
    }
    for (const value of odd) refused(execute, { ...good, text: value });
  });

  test('P1: nesting is refused beyond the limit, at any depth that fits into memory', () => {
    const anything = z.object({ value: z.unknown() });
    assert.ok(validate(anything, { value: nested(LIMITS.depth - 1) }).ok);
    assert.match(refused(anything, { value: nested(LIMITS.depth) }).message, /nested deeper than 32/);
    assert.match(refused(anything, { value: nested(1_000_000) }).message, /nested deeper than 32/);
  });

  test('P1: a million keys or values are refused', () => {
    const anything = z.object({ value: z.unknown() });
    const keys = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, index) => [`k${index}`, index]));
    assert.match(refused(anything, { value: keys }).message, /more than 100000 values/);
    assert.match(refused(anything, { value: new Array(1_000_000).fill(0) }).message, /more than 100000 values/);
  });

  test('P1: a __proto__ key is refused wherever it stands, and pollutes nothing', () => {
    for (const text of ['{"__proto__":{"admin":true}}', '{"a":{"b":[{"__proto__":1}]}}']) {
      assert.equal(refused(z.unknown(), JSON.parse(text)).faults[0]?.path, '__proto__');
    }
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });

  test('P1: keys such as constructor are data like others', () => {
    const parsed = validate(GATEWAY_COMMANDS['tool:call'].payload.shape.input, JSON.parse('{"constructor":{"prototype":1},"toString":2,"hasOwnProperty":3}'));
    assert.ok(parsed.ok);
    assert.deepEqual(Object.keys(parsed.data as object), ['constructor', 'toString', 'hasOwnProperty']);
  });

  test('P1: binary data is refused', () => {
    for (const binary of [Buffer.from('x'), new Uint8Array(3), new ArrayBuffer(3), new DataView(new ArrayBuffer(1))]) {
      assert.match(refused(z.unknown(), { text: binary }).message, /binary/);
    }
  });

  test('P1: at most twenty faults are told', () => {
    const many = Array.from({ length: 500 }, () => 'no');
    assert.equal(refused(GATEWAY_REQUESTS['gateway:hello'].data, { send: many, cancel: [], forget: [] }).faults.length, 20);
  });
});

describe('P2: sizes', () => {
  const result = (bytes: number): unknown => {
    const empty = utf8Bytes(JSON.stringify({ status: 'succeeded', content: [{ type: 'text', text: '' }] }));
    return { status: 'succeeded', content: [{ type: 'text', text: 'x'.repeat(bytes - empty) }] };
  };

  test('P2: a message may have 256 KiB of UTF-8 and not a byte more', () => {
    assert.ok(validate(execute, { ...good, text: 'x'.repeat(LIMITS.messageTextBytes) }).ok);
    assert.equal(refused(execute, { ...good, text: 'x'.repeat(LIMITS.messageTextBytes + 1) }).code, 'too_large');
    assert.ok(validate(execute, { ...good, text: 'é'.repeat(LIMITS.messageTextBytes / 2) }).ok);
    assert.equal(refused(execute, { ...good, text: `é${'é'.repeat(LIMITS.messageTextBytes / 2)}` }).code, 'too_large');
  });

  test('P2: a result may have 1 MiB and not a byte more', () => {
    const { payload } = GATEWAY_REQUESTS['tool:result'];
    assert.ok(validate(payload, { callId: ID, result: result(LIMITS.toolResultBytes) }).ok);
    assert.equal(refused(payload, { callId: ID, result: result(LIMITS.toolResultBytes + 1) }).code, 'too_large');
  });

  test("P2: a tool's input may have 1 MiB and not a byte more", () => {
    const { input } = GATEWAY_COMMANDS['tool:call'].payload.shape;
    const overhead = utf8Bytes(JSON.stringify({ a: '' }));
    assert.ok(validate(input, { a: 'x'.repeat(LIMITS.toolInputBytes - overhead) }).ok);
    assert.equal(refused(input, { a: 'x'.repeat(LIMITS.toolInputBytes - overhead + 1) }).code, 'too_large');
  });

  test('P2: a wrong type is invalid_payload and not too_large', () => {
    assert.equal(refused(execute, { ...good, text: null }).code, 'invalid_payload');
    assert.equal(refused(AGENT_REQUESTS['session:list'].payload, { limit: LIMITS.sessionListPage + 1 }).code, 'invalid_payload');
  });

  test('P2: an empty input counts', () => {
    const { input } = GATEWAY_COMMANDS['tool:call'].payload.shape;
    assert.ok(validate(input, {}).ok);
    assert.ok(validate(input, null).ok);
  });
});

test('P3: unknown fields are dropped and absent ones stay absent', () => {
  const parsed = validate(execute, { ...good, future: { deep: true }, attachments: undefined });
  assert.ok(parsed.ok);
  assert.deepEqual(JSON.parse(JSON.stringify(parsed.data)), good);
  assert.ok(!('mode' in parsed.data));
});

test('P1: a fault inside a choice of shapes is named at its own place', () => {
  const ids = { sessionId: '01a205c7-531e-70d4-986e-d4f8c226d6ef', callId: '01a205c7-531e-70d4-986e-d4f8c226d6ef' };
  const rows: [result: unknown, path: string][] = [
    [{ answers: [{ question: 'which?' }] }, 'result.answers[0].answer'],
    [{ status: 'succeeded', content: [{ type: 'text' }] }, 'result.content[0].text'],
    [5, 'result'],
  ];
  for (const [result, path] of rows) {
    const checked = validate(AGENT_REQUESTS['tool:result'].payload, { ...ids, result });
    assert.ok(!checked.ok);
    assert.deepEqual(
      (checked.error.details as { path: string }[]).map((fault) => fault.path),
      [path],
    );
  }
});

test('P13: an id is the same in capital letters, wherever it stands in a packet', () => {
  const id = '01a205c7-531e-70d4-986e-d4f8c226d6ef';
  const rows: [schema: z.ZodType, packet: object][] = [
    [execute, { ...good, sessionId: id, messageId: id }],
    [AGENT_REQUESTS['session:create'].payload, { gatewayId: id }],
    [AGENT_REQUESTS['tool:decide'].payload, { sessionId: id, callId: id, inputHash: 'h'.repeat(43), decision: 'deny' }],
    [GATEWAY_REQUESTS['tool:started'].payload, { callId: id }],
  ];
  for (const [schema, packet] of rows) {
    const capitals = Object.fromEntries(Object.entries(packet).map(([name, value]) => [name, value === id ? id.toUpperCase() : value]));
    const checked = validate(schema, capitals);
    assert.deepEqual(checked, { ok: true, data: packet });
  }
});
