import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { AGENT_NOTICES, AGENT_REQUESTS, GATEWAY_COMMANDS, GATEWAY_REQUESTS } from '@tendon/protocol';

interface AsyncApi {
  operations: Record<string, { action: string; messages: { $ref: string }[]; reply?: { messages: { $ref: string }[] } }>;
  components: { messages: Record<string, { name: string; payload: object }> };
}

const document = JSON.parse(readFileSync(join(import.meta.dirname, '../packages/protocol/asyncapi.json'), 'utf8')) as AsyncApi;

function follow(reference: string): unknown {
  assert.ok(reference.startsWith('#/'), reference);
  return reference
    .slice(2)
    .split('/')
    .reduce<unknown>((place, key) => (place as Record<string, unknown> | undefined)?.[key], document);
}

test('P9: every event has an operation, and every event with an acknowledgement a reply', () => {
  const expected = [
    ['agent.receive', AGENT_REQUESTS, true],
    ['agent.send', AGENT_NOTICES, false],
    ['gateway.receive', GATEWAY_REQUESTS, true],
    ['gateway.send', GATEWAY_COMMANDS, true],
  ] as const;
  for (const [prefix, events, isAcknowledged] of expected) {
    for (const event of Object.keys(events)) {
      const key = `${prefix}.${event.replace(':', '.')}`;
      const operation = document.operations[key];
      assert.equal(operation?.action, prefix.split('.')[1], key);
      assert.equal(document.components.messages[key]?.name, event);
      assert.equal(operation?.reply !== undefined, isAcknowledged, key);
    }
  }
  const count = expected.reduce((total, [, events]) => total + Object.keys(events).length, 0);
  assert.equal(Object.keys(document.operations).length, count);
});

test('P9: every reference leads somewhere', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
  assert.ok(references.length > 100);
  for (const reference of references) assert.notEqual(follow(reference), undefined, reference);
});
