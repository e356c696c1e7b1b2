import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOOR_TABLE, doorHeaders } from '@tendon/testing';
import { Door } from './door.ts';

const HOST = '127.0.0.1:7420';

function knock(rawHeaders: readonly string[]): Parameters<Door['check']>[0] {
  const headers: Record<string, string> = {};
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) headers[String(rawHeaders[index]).toLowerCase()] ??= String(rawHeaders[index + 1]);
  return { headers, rawHeaders: [...rawHeaders] };
}

function openDoor(config: Partial<ConstructorParameters<typeof Door>[0]> = {}): Door {
  const door = new Door({ host: '127.0.0.1', publicUrl: undefined, allowedOrigins: [], trustedProxies: [], ...config });
  door.listening(7420);
  return door;
}

for (const row of DOOR_TABLE) {
  test(`H1: ${row.title} is ${row.fault === undefined ? 'let in' : `refused by ${row.fault}`}`, () => {
    const door = openDoor({ publicUrl: 'https://tendon.example', allowedOrigins: ['https://friend.example'] });
    const check = door.check(knock(doorHeaders(row, 7420)));
    assert.equal(check.ok ? undefined : check.fault, row.fault);
  });
}

test('H1: two Host or two Origin headers are refused, the right one first or last', () => {
  const door = openDoor();
  assert.equal(door.check(knock(['Host', HOST, 'host', 'evil.com'])).ok, false);
  assert.equal(door.check(knock(['host', HOST, 'Host', HOST])).ok, false);
  assert.equal(door.check(knock(['Host', HOST, 'Origin', `http://${HOST}`, 'Origin', 'https://evil.com'])).ok, false);
});

test('H1: before the server listens everything is refused', () => {
  const door = new Door({ host: '127.0.0.1', publicUrl: undefined, allowedOrigins: [], trustedProxies: [] });
  assert.equal(door.check(knock(['Host', HOST])).ok, false);
  assert.throws(() => door.publicOrigin());
});

test('H2: the lists are made from host, port and public address', () => {
  const outside = openDoor({ host: '192.168.1.5' });
  assert.equal(outside.publicOrigin(), 'http://192.168.1.5:7420');
  assert.equal(outside.check(knock(['Host', '192.168.1.5:7420'])).ok, true);
  assert.equal(outside.check(knock(['Host', 'localhost:7420'])).ok, false);
  const everywhere = openDoor({ host: '0.0.0.0', publicUrl: 'https://tendon.example' });
  assert.equal(everywhere.publicOrigin(), 'https://tendon.example');
  assert.equal(everywhere.check(knock(['Host', 'tendon.example'])).ok, true);
  assert.equal(everywhere.check(knock(['Host', HOST])).ok, true);
  assert.equal(everywhere.check(knock(['Host', '0.0.0.0:7420'])).ok, false);
  const standard = new Door({ host: '127.0.0.1', publicUrl: undefined, allowedOrigins: [], trustedProxies: [] });
  standard.listening(80);
  assert.equal(standard.check(knock(['Host', 'localhost', 'Origin', 'http://localhost'])).ok, true);
});
