import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { z } from 'zod';
import { AGENT_NOTICES, AGENT_REQUESTS } from './agent-events.ts';
import { GATEWAY_COMMANDS, GATEWAY_REQUESTS } from './gateway-events.ts';
import { handshakeSchema } from './handshake.ts';
import { type PayloadFault, validate } from './validate.ts';

/** Good packets of an event and, where it takes an acknowledgement, good data of it. */
interface Frozen {
  readonly payloads: readonly unknown[];
  readonly data?: readonly unknown[];
}
type EventSchema = z.ZodType | { readonly payload: z.ZodType; readonly data: z.ZodType };

const FILES: Record<string, Record<string, EventSchema>> = {
  'agent-requests': AGENT_REQUESTS,
  'agent-notices': AGENT_NOTICES,
  'gateway-requests': GATEWAY_REQUESTS,
  'gateway-commands': GATEWAY_COMMANDS,
};

function readFixture(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../fixtures/v1', `${name}.json`), 'utf8'));
}

/** Every frozen packet with the schema that must take it. */
const packets: { what: string; schema: z.ZodType; packet: unknown }[] = [];
for (const [file, events] of Object.entries(FILES)) {
  const frozen = readFixture(file) as Record<string, Frozen>;
  for (const [event, schema] of Object.entries(events)) {
    const isRequest = 'payload' in schema;
    for (const packet of frozen[event]?.payloads ?? []) packets.push({ what: `${file} ${event}`, schema: isRequest ? schema.payload : schema, packet });
    if (isRequest) for (const packet of frozen[event]?.data ?? []) packets.push({ what: `${file} ${event} (data)`, schema: schema.data, packet });
  }
}
for (const packet of (readFixture('handshake') as Frozen).payloads) packets.push({ what: 'handshake', schema: handshakeSchema, packet });

describe('P7: frozen packets', () => {
  for (const [file, events] of Object.entries(FILES)) {
    test(`P7: ${file}.json has a packet for every event, an acknowledgement for every request, and no other event`, () => {
      const frozen = readFixture(file) as Record<string, Frozen>;
      assert.deepEqual(Object.keys(frozen).sort(), Object.keys(events).sort());
      for (const [event, schema] of Object.entries(events)) {
        assert.ok((frozen[event]?.payloads.length ?? 0) > 0, `${event} has no packet`);
        if ('payload' in schema) assert.ok((frozen[event]?.data?.length ?? 0) > 0, `${event} has no acknowledgement`);
      }
    });
  }

  test('P7: every frozen packet is valid and keeps every field', () => {
    for (const { what, schema, packet } of packets) {
      const outcome = validate(schema, packet);
      assert.ok(outcome.ok, `${what}: ${outcome.ok ? '' : outcome.error.message}`);
      assert.deepEqual(outcome.data, packet, what);
    }
  });
});

test('P12: the names are those of protocol version 1, plus what was added since', () => {
  const added = [
    'agent:continue',
    'agent:undo',
    'browser:watch',
    'mcp:list',
    'message:cancel',
    'model:list',
    'rule:list',
    'rule:revoke',
    'session:fork',
    'tool:resolve',
  ];
  const named =
    'session:create session:list session:attach session:detach session:history session:update session:delete agent:execute agent:stop tool:decide tool:result gateway:list';
  assert.deepEqual(Object.keys(AGENT_REQUESTS).sort(), [...named.split(' '), ...added].sort());
  assert.deepEqual(Object.keys(AGENT_NOTICES).sort(), [
    'browser:frame',
    'browser:state',
    'gateway:presence',
    'mcp:changed',
    'server:notice',
    'session:delta',
    'session:event',
    'session:summary',
  ]);
  assert.deepEqual(Object.keys(GATEWAY_REQUESTS).sort(), [
    'browser:frame',
    'browser:state',
    'gateway:hello',
    'gateway:mcp',
    'gateway:tools',
    'tool:output',
    'tool:result',
    'tool:started',
  ]);
  assert.deepEqual(Object.keys(GATEWAY_COMMANDS).sort(), ['browser:watch', 'session:end', 'tool:call', 'tool:cancel']);
});

/** What may stand in the place of any value of a packet. */
const INTRUDERS: readonly unknown[] = [
  null,
  undefined,
  true,
  0,
  -1,
  1.5,
  1e308,
  Number.MAX_SAFE_INTEGER + 1,
  '',
  'x',
  '\u0000',
  '\ud800',
  '__proto__',
  'x'.repeat(5_000),
  [],
  [[]],
  {},
  { length: 1e9 },
  JSON.parse('{"__proto__":{"polluted":true}}'),
];

/** Every place of a packet, as the keys that lead to it. */
function places(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Array.isArray(value)
    ? value.flatMap((item, index) => places(item, [...path, index]))
    : Object.entries(value).flatMap(([key, item]) => places(item, [...path, key]));
  return [path, ...inner];
}

interface Damage {
  readonly kind: 'replace' | 'delete' | 'rename' | 'duplicate';
  readonly path: readonly (string | number)[];
  readonly intruder: unknown;
}

function damaged(packet: unknown, damage: Damage): unknown {
  const [head, ...rest] = damage.path;
  if (head === undefined) return damage.kind === 'duplicate' ? [packet, packet] : damage.intruder;
  const copy = structuredClone(packet) as Record<string | number, unknown>;
  if (rest.length > 0) copy[head] = damaged(copy[head], { ...damage, path: rest });
  else if (damage.kind === 'delete') delete copy[head];
  else if (damage.kind === 'rename') copy[`${head}_`] = copy[head];
  else copy[head] = damage.kind === 'duplicate' ? [copy[head], copy[head]] : damage.intruder;
  return copy;
}

const damagedPacket = fc.constantFrom(...packets).chain(({ what, schema, packet }) =>
  fc
    .array(
      fc.record({
        kind: fc.constantFrom('replace', 'delete', 'rename', 'duplicate'),
        path: fc.constantFrom(...places(packet)),
        intruder: fc.constantFrom(...INTRUDERS),
      }),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map((damages) => ({ what, schema, packet: damages.reduce((value: unknown, damage) => tryDamage(value, damage as Damage), packet) })),
);

/** An earlier damage may have removed the place of a later one. */
function tryDamage(packet: unknown, damage: Damage): unknown {
  try {
    return damaged(packet, damage);
  } catch {
    return packet;
  }
}

test('P8: a damaged packet is valid or refused with path and reason, and never throws', () => {
  let refusals = 0;
  fc.assert(
    fc.property(damagedPacket, ({ schema, packet }) => {
      const outcome = validate(schema, packet);
      if (outcome.ok) return;
      refusals += 1;
      const faults = outcome.error.details as PayloadFault[];
      assert.ok(outcome.error.code === 'invalid_payload' || outcome.error.code === 'too_large');
      assert.ok(faults.length > 0 && faults.every((fault) => typeof fault.path === 'string' && fault.reason !== ''));
    }),
    { numRuns: 3_000 },
  );
  assert.ok(refusals > 1_000, `only ${refusals} of 3000 were refused: the damage is too weak to show anything`);
  assert.equal(({} as { polluted?: boolean }).polluted, undefined);
});

test('P8: any JSON at all is valid or refused', () => {
  fc.assert(
    fc.property(fc.constantFrom(...packets), fc.jsonValue(), ({ schema }, value) => {
      validate(schema, value);
    }),
  );
});
