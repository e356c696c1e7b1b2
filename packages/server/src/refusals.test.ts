import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { refusal } from '@tendon/protocol';
import type { Socket } from 'socket.io-client';
import { httpRig } from './http/http-rig.ts';
import { Refusals } from './refusals.ts';
import type { DoorVerdict } from './transport/options.ts';
import { rawRequest, SESSION, TransportRig } from './transport/transport-rig.ts';

const EMPTY = JSON.stringify(new Refusals().refused().map(({ labels }) => labels));

/** What has been counted, and that no label has come to those of the start. */
function counted(refusals: Refusals): Record<string, number> {
  assert.equal(JSON.stringify(refusals.refused().map(({ labels }) => labels)), EMPTY);
  return Object.fromEntries(
    refusals
      .refused()
      .filter(({ value }) => value > 0)
      .map(({ labels, value }) => [`${labels['where']} ${labels['code']}`, value]),
  );
}

async function refusedHandshake(socket: Socket): Promise<void> {
  const refused = new Promise((resolve) => socket.once('connect_error', resolve));
  socket.connect();
  await refused;
}

test('H34: refused handshakes are counted by namespace and code; a namespace that somebody made up is none', async () => {
  const refusals = { ada: 'unauthorized', bob: 'rate_limited', eve: 'shutting_down' } as const;
  await using rig = await TransportRig.start({
    authenticate: async ({ token }) => ({ ok: false, refusal: { code: refusals[token as keyof typeof refusals], message: 'no' } }),
  });
  for (const [namespace, token] of [
    ['/agent', 'ada'],
    ['/agent', 'ada'],
    ['/gateway', 'ada'],
    ['/gateway', 'bob'],
    ['/agent', 'eve'],
    ['/', 'ada'],
    ['/x"} 1' as '/', 'ada'],
  ] as const)
    await refusedHandshake(rig.client(namespace, token));
  await refusedHandshake(rig.client('/agent', 'ada', { auth: { protocol: 2 } }));
  assert.deepEqual(counted(rig.refusals), {
    ...{ 'http unsupported_protocol': 2, '/agent unauthorized': 2, '/agent unsupported_protocol': 1, '/agent shutting_down': 1 },
    ...{ '/gateway unauthorized': 1, '/gateway rate_limited': 1 },
  });
});

test('H34: a request that is refused is counted once, whether admission or its handler says no, and one that is served is not', async () => {
  await using rig = await TransportRig.start({
    limits: { eventBurst: 6, eventsPerSecond: 0.001 },
    agent: {
      'agent:stop': async () => refusal('conflict', 'it has ended'),
      'session:history': async () => {
        throw new Error('broken');
      },
    },
  });
  const socket = await rig.connected('/agent', 'ada');
  for (const [name, payload] of [
    ['session:list', {}],
    ['made:up"}', {}],
    ['session:attach', { sessionId: 'no' }],
    ['agent:stop', { sessionId: SESSION }],
    ['session:history', { sessionId: SESSION, before: 1 }],
    ['session:list', {}],
    ['session:list', {}],
  ] as const)
    await socket.emitWithAck(name, payload);
  const machine = await rig.connected('/gateway', 'ada');
  machine.emit('tool:output', { callId: 'no' });
  await machine.emitWithAck('tool:started', {});
  assert.deepEqual(counted(rig.refusals), {
    ...{ '/agent invalid_payload': 2, '/agent conflict': 1, '/agent internal': 1, '/agent rate_limited': 1, '/gateway invalid_payload': 2 },
  });
});

test('H34: polls and upgrades that the door or the engine refuses are counted', async () => {
  let verdict: DoorVerdict = { ok: true };
  await using rig = await TransportRig.start({ door: () => verdict });
  assert.equal((await fetch(rig.url('transport=polling&sid=gone'))).status, 400);
  assert.equal((await fetch(rig.url('transport=pigeon'))).status, 400);
  verdict = { ok: false, status: 403, code: 'forbidden_origin', message: 'not from there' };
  assert.equal((await fetch(rig.url('transport=polling'))).status, 403);
  await assert.rejects(rig.webSocket());
  assert.deepEqual(counted(rig.refusals), { 'http not_found': 1, 'http invalid_payload': 1, 'http forbidden_origin': 2 });
});

test('H34: connections that are cut for what their other side does are counted by what it was', async () => {
  await using rig = await TransportRig.start({ limits: { handshakeAttempts: 2 } });
  const socket = await rig.webSocket();
  for (let index = 0; index < 3; index += 1) socket.send(`40/agent,${JSON.stringify({ protocol: 1 })}`);
  await once(socket, 'close');
  assert.equal(rig.logged('handshake_flood').length, 1);
  assert.deepEqual(
    rig.refusals.cut().map(({ labels, value }) => [labels['code'], value]),
    [
      ['slow_consumer', 0],
      ['handshake_flood', 1],
      ['packet_flood', 0],
      ['unfinished_message', 0],
    ],
  );
  const other = await rig.signedInWebSocket('/agent', 'ada');
  assert.deepEqual(await rawRequest(other, '/agent', { id: 1, body: '["session:list",{}]' }), { ok: true, data: {} });
});

test('H34: what HTTP refuses is counted: at the door, for its credential, its shape and its size, as JSON or as a page', async () => {
  const ownerKey = 'owner-key-owner-key-owner-key-owner-key';
  await using rig = await httpRig({ ownerKey });
  const bearer = { Authorization: `Bearer ${ownerKey}` };
  const json = { 'Content-Type': 'application/json' };
  await rig.ask('GET', '/healthz');
  rig.readiness.ok = false;
  assert.equal((await rig.ask('GET', '/readyz')).status, 503);
  await rig.ask('GET', '/api/me', bearer);
  assert.deepEqual(counted(rig.refusals), {}, 'nothing of this is a refusal');

  const started = await rig.post('/api/pair', json, JSON.stringify({ gatewayId: SESSION, name: 'x' }));
  const { deviceCode } = JSON.parse(String(started.body)) as { deviceCode: string };
  assert.equal((await rig.post('/api/pair/key', json, JSON.stringify({ deviceCode }))).status, 400);
  assert.deepEqual(counted(rig.refusals), {}, 'a machine is told to wait');
  assert.match(String((await rig.post('/api/pair/key', json, JSON.stringify({ deviceCode: 'x'.repeat(deviceCode.length) }))).body), /expired_token/);

  await rig.ask('GET', '/api/me');
  await rig.ask('GET', '/api/me', { Authorization: 'Bearer made-up' });
  await rig.ask('GET', '/sign-in?token=made-up');
  await rig.ask('GET', '/', { Host: 'evil.com' });
  await rig.ask('GET', '/api/me', { Origin: 'https://evil.com' });
  await rig.ask('GET', '/api/made-up', bearer);
  await rig.ask('PUT', '/made-up.txt');
  await rig.post('/api/keys', { ...bearer, ...json }, '{"name":1}');
  await rig.post('/api/keys', { ...bearer, ...json }, JSON.stringify({ name: 'x'.repeat(20_000) }));
  await rig.raw('no request of any kind\r\n\r\n');
  await rig.raw(`GET /other HTTP/1.1\r\nHost: 127.0.0.1:${rig.port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n`);
  assert.deepEqual(counted(rig.refusals), {
    ...{ 'http expired_token': 1, 'http unauthorized': 3, 'http forbidden_origin': 2, 'http not_found': 3, 'http invalid_payload': 2, 'http too_large': 1 },
  });
  const lines = rig.auth.lines.filter(({ event }) => event === 'door_refused');
  assert.deepEqual(
    lines.map(({ status, count }) => [status, count]),
    [
      [421, 1],
      [403, 1],
    ],
    'the log has those of the door',
  );
});

test('H36: who comes to the wrong door over and over has few lines, with how often', async () => {
  const rig = await httpRig();
  for (let round = 0; round < 50; round += 1) {
    await rig.ask('GET', '/', { Host: 'evil.com' });
    await rig.ask('GET', '/api/me', { Origin: 'https://evil.com' });
  }
  await rig[Symbol.asyncDispose]();
  const lines = rig.auth.lines.filter(({ event }) => event === 'door_refused');
  const told = (status: number): number[] => lines.filter((line) => line['status'] === status).map(({ count }) => Number(count));
  for (const status of [421, 403]) {
    const counts = told(status);
    assert.equal(
      counts.reduce((sum, count) => sum + count, 0),
      50,
    );
    // One at once, one at the end, and on a very slow machine one in each ten seconds between.
    assert.ok(counts.length < 10, `${counts.length} lines`);
  }
});
