import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import type { HandshakeRefusal } from '@tendon/protocol';
import { until, within } from '@tendon/testing';
import type WebSocket from 'ws';
import type { ConnectionLimits } from './connection-crowd.ts';
import { nextText, TransportRig } from './transport-rig.ts';

const LIMITS: ConnectionLimits = {
  newcomers: { ofHousehold: 3, ofAll: 5, graceMs: 1_000 },
  ofPerson: { agent: 2, gateway: 3 },
  ofAll: 100,
};

/** What a handshake is refused with, its connection left open; undefined when it was let in. */
async function refusalOf(rig: TransportRig, namespace: '/agent' | '/gateway', token: string): Promise<HandshakeRefusal | undefined> {
  const socket = await rig.webSocket();
  socket.send(`40${namespace},${JSON.stringify({ protocol: 1, token, client: { name: 'raw', version: '1' } })}`);
  const answer = await nextText(socket, (text) => /^4[04]/.test(text));
  return answer.startsWith('44') ? (JSON.parse(answer.slice(`44${namespace},`.length)) as { data: HandshakeRefusal }).data : undefined;
}

/** What an upgrade with this query is answered with. */
async function upgradeAnswer(rig: TransportRig, query: string): Promise<string> {
  const socket = rig.tcp();
  const headers = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
  socket.write(`GET /socket.io/?EIO=4&${query} HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return String(answer);
}

const isGone = (socket: WebSocket): Promise<unknown> => within('the connection to end', once(socket, 'close'), 10_000);

test('T25: a person has so many connections of clients and so many of machines, and is told; others are let in, and a place that comes free is taken', async () => {
  await using rig = await TransportRig.start({ limits: { connections: LIMITS } });
  const [first] = [await rig.connected('/agent', 'ada'), await rig.connected('/agent', 'ada')];
  const refused = await refusalOf(rig, '/agent', 'ada');
  assert.deepEqual([refused?.code, refused?.retryAfterMs], ['rate_limited', 10_000]);
  assert.match(refused?.message ?? '', /You have 2 connections here already.*Close some/);
  for (let count = 0; count < LIMITS.ofPerson.gateway; count += 1) await rig.connected('/gateway', 'ada');
  assert.match((await refusalOf(rig, '/gateway', 'ada'))?.message ?? '', /^3 machines of yours.*Stop the gateway/);
  await rig.connected('/agent', 'bob');
  first.disconnect();
  await until({ what: 'the place to come free', pollMs: 5, check: () => rig.transport.connections().agent === 2 || undefined });
  assert.equal(await refusalOf(rig, '/agent', 'ada'), undefined);
  const lines = rig.logged('connections_crowded');
  assert.deepEqual(
    lines.map(({ userId, namespace, address }) => [userId, namespace, address]),
    [['ada', 'agent', '127.0.0.1']],
    'one line in so long, however many are refused',
  );
  assert.equal(rig.logged('handshake_refused').length, 0);
  const counted = rig.refusals.refused().filter(({ labels, value }) => labels['code'] === 'rate_limited' && value > 0);
  assert.deepEqual(
    counted.map(({ labels, value }) => [labels['where'], value]),
    [
      ['/agent', 1],
      ['/gateway', 1],
    ],
  );
});

test('T25: of many handshakes at once no more are let in than there are places, and none of those is lost', async () => {
  await using rig = await TransportRig.start({ limits: { connections: { ...LIMITS, newcomers: { ofHousehold: 50, ofAll: 50, graceMs: 1_000 } } } });
  for (let round = 0; round < 2; round += 1) {
    const tried = await Promise.allSettled(Array.from({ length: 12 }, () => rig.connected('/agent', 'ada')));
    const inside = tried.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
    assert.equal(inside.length, LIMITS.ofPerson.agent);
    for (const socket of inside) socket.disconnect();
    await until({ what: 'all to be gone', pollMs: 5, check: () => rig.transport.connections().agent === 0 || undefined });
  }
});

test('T25: when nearly all places are taken a person has an eighth of theirs, and somebody else is still let in', async () => {
  const connections: ConnectionLimits = { newcomers: { ofHousehold: 50, ofAll: 50, graceMs: 1_000 }, ofPerson: { agent: 16, gateway: 16 }, ofAll: 20 };
  await using rig = await TransportRig.start({ limits: { connections } });
  for (let count = 0; count < 10; count += 1) await rig.connected('/agent', 'ada');
  for (let count = 0; count < 8; count += 1) await rig.connected('/agent', `person ${count}`);
  await rig.connected('/agent', 'ada');
  assert.match((await refusalOf(rig, '/agent', 'ada'))?.message ?? '', /as many connections as it takes/);
  assert.equal(await refusalOf(rig, '/gateway', 'eve'), undefined);
  assert.match((await refusalOf(rig, '/agent', 'fay'))?.message ?? '', /as many connections as it takes/, 'all are taken');
});

test('T2, T25: who has not signed in loses their place to somebody newer of their address, but not within their second', async () => {
  let nowMs = 0;
  await using rig = await TransportRig.start({ limits: { connections: LIMITS }, now: () => nowMs });
  const silent = [await rig.webSocket(), await rig.webSocket(), await rig.webSocket()];
  const refused = await fetch(rig.url('transport=polling'));
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '2']);
  assert.match(await refused.text(), /"rate_limited".*TENDON_TRUSTED_PROXIES/);
  for (const query of ['sid=', 'sid=none&sid=', '%73id=', 'sid=none&%73id=']) {
    assert.equal((await fetch(rig.url(`transport=polling&${query}`))).status, 429, `an empty id is no session: ${query}`);
    assert.match(await upgradeAnswer(rig, `transport=websocket&${query}`), /^HTTP\/1\.1 429 /);
  }
  nowMs = 1_000;
  const [oldest] = silent as [WebSocket];
  const gone = isGone(oldest);
  await rig.connected('/agent', 'ada');
  await gone;
  assert.equal(rig.transport.connections().open, 3);
  // Whoever has signed in counts as a person, and no more as somebody of that address.
  await rig.connected('/agent', 'bob');
  await rig.webSocket();
  assert.deepEqual([rig.transport.connections().agent, rig.transport.connections().open], [2, 5]);
});

test('T25: of two addresses behind a declared proxy each has places of its own; all together have an end too', async () => {
  const addressOf = ({ headers }: IncomingMessage): string => String(headers['x-forwarded-for']);
  await using rig = await TransportRig.start({ limits: { connections: LIMITS }, now: () => 0, addressOf });
  const from = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address });
  const asked = (address: string): Promise<number> => fetch(rig.url('transport=polling'), { headers: from(address) }).then(({ status }) => status);
  for (let count = 0; count < 3; count += 1) await rig.webSocket(from(`2001:db8::${count}`));
  assert.equal(await asked('2001:db8::9'), 429, 'one household of IPv6');
  for (let count = 0; count < 2; count += 1) await rig.webSocket(from('203.0.113.7'));
  assert.equal(await asked('203.0.113.8'), 503);
  assert.deepEqual(
    rig.logged('connections_crowded').map(({ address }) => address),
    ['2001:db8::9'],
  );
});

test('T25: a thousand clients of fifty people and the 500 machines of another are let in from one address', async () => {
  // They answer no pings, and a busy machine takes a while for all of them.
  await using rig = await TransportRig.start({ limits: { pingTimeoutMs: 120_000 } });
  const inTurn = async (namespace: '/agent' | '/gateway', names: readonly string[]): Promise<void> => {
    for (let begun = 0; begun < names.length; begun += 50)
      await Promise.all(names.slice(begun, begun + 50).map((name) => rig.signedInWebSocket(namespace, name)));
  };
  await inTurn(
    '/agent',
    Array.from({ length: 1_000 }, (_, index) => `person ${index % 50}`),
  );
  await inTurn(
    '/gateway',
    Array.from({ length: 500 }, () => 'owner'),
  );
  assert.deepEqual(rig.transport.connections(), { agent: 1_000, gateway: 500, open: 1_500 });
  assert.equal(rig.logged('connections_crowded').length, 0);
});
