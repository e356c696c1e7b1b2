import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { HandshakeRefusal } from '@tendon/protocol';
import type { Socket } from 'socket.io-client';
import type { SignInResult } from './options.ts';
import { nextText, TransportRig } from './transport-rig.ts';

async function refusalOf(socket: Socket): Promise<HandshakeRefusal> {
  const refused = new Promise<Error>((resolve) => socket.once('connect_error', resolve));
  socket.connect();
  const error = await refused;
  return (error as Error & { data: HandshakeRefusal }).data;
}

const signedIn: SignInResult = { ok: true, principal: { userId: 'ada', credentialId: 'key' } };

test('T1: /agent and /gateway take connections, the default namespace refuses', async () => {
  await using rig = await TransportRig.start();
  await rig.connected('/agent', 'ada');
  await rig.connected('/gateway', 'ada');
  assert.deepEqual(rig.transport.connections(), { agent: 1, gateway: 1, open: 2 });
  assert.equal((await refusalOf(rig.client('/', 'ada'))).code, 'unsupported_protocol');
});

test('T1: polling works as well as WebSocket, and the upgrade between them', async () => {
  await using rig = await TransportRig.start();
  const polling = await rig.connected('/agent', 'ada', { transports: ['polling'] });
  assert.deepEqual(await polling.emitWithAck('session:list', {}), { ok: true, data: {} });
  const upgraded = await rig.connected('/agent', 'ada', { transports: ['polling', 'websocket'] });
  if (upgraded.io.engine.transport.name === 'polling') await new Promise<void>((resolve) => upgraded.io.engine.once('upgrade', () => resolve()));
  assert.deepEqual(await upgraded.emitWithAck('session:list', {}), { ok: true, data: {} });
});

test('T3: the authenticator is told everything but decides alone', async () => {
  await using rig = await TransportRig.start();
  await rig.connected('/agent', 'ada', { extraHeaders: { cookie: 'tendon=1', origin: 'http://127.0.0.1:1', 'sec-fetch-site': 'same-origin' } });
  assert.deepEqual(rig.attempts, [
    {
      namespace: 'agent',
      token: 'ada',
      cookieHeader: 'tendon=1',
      origin: 'http://127.0.0.1:1',
      host: `127.0.0.1:${rig.port}`,
      fetchSite: 'same-origin',
      address: '127.0.0.1',
      client: { name: 'test client', version: '1.0.0' },
    },
  ]);
});

test("T3: the authenticator's refusal arrives as connect_error data, with its retryAfterMs", async () => {
  const refusal: HandshakeRefusal = { code: 'rate_limited', message: 'later', retryAfterMs: 1234 };
  await using rig = await TransportRig.start({ authenticate: async () => ({ ok: false, refusal }) });
  assert.deepEqual(await refusalOf(rig.client('/agent', 'ada')), refusal);
  assert.deepEqual(await refusalOf(rig.client('/gateway', 'ada')), refusal);
  assert.equal(rig.logged('handshake_refused').length, 2);
});

test('T3: a wrong version, a wrong shape and a wrong token are told apart', async () => {
  await using rig = await TransportRig.start();
  const client = { name: 'x', version: '1' };
  const table: [unknown, string][] = [
    [{ protocol: 2, client }, 'unsupported_protocol'],
    [{ protocol: 'one', client }, 'unsupported_protocol'],
    [{ client }, 'unsupported_protocol'],
    [{ protocol: 1 }, 'unsupported_protocol'],
    [{}, 'unsupported_protocol'],
    [{ protocol: 1, client, token: '' }, 'unauthorized'],
    [{ protocol: 1, client, token: { $ne: '' } }, 'unauthorized'],
    [{ protocol: 1, client }, 'unauthorized'],
    [{ protocol: 1, client, token: { length: [{ toString: 1 }] } }, 'unsupported_protocol'],
    [{ protocol: 1, client: { name: { length: [{ toString: 1 }] }, version: '1' } }, 'unsupported_protocol'],
    [JSON.parse('{"protocol":1,"client":{"name":"x","version":"1"},"__proto__":{"token":"ada"}}'), 'unsupported_protocol'],
  ];
  for (const [auth, code] of table) {
    const refusal = await refusalOf(rig.client('/agent', undefined, { auth: auth as Record<string, unknown> }));
    assert.equal(refusal.code, code, JSON.stringify(auth));
    assert.ok(refusal.message.length > 0);
  }
});

test('T3: an authenticator that throws refuses without a word of what broke', async () => {
  await using rig = await TransportRig.start({ authenticate: () => Promise.reject(new Error('postgres://secret')) });
  const refusal = await refusalOf(rig.client('/agent', 'ada'));
  assert.equal(refusal.code, 'shutting_down');
  assert.ok((refusal.retryAfterMs ?? 0) > 0);
  assert.doesNotMatch(JSON.stringify(refusal), /secret/);
});

test('T3: a server that drains, or does not serve yet, refuses as shutting_down', async () => {
  await using rig = await TransportRig.start({ isServed: false });
  assert.equal((await refusalOf(rig.client('/agent', 'ada'))).code, 'shutting_down');
  assert.equal((await refusalOf(rig.client('/gateway', 'ada'))).code, 'shutting_down');
  rig.serve();
  await rig.connected('/agent', 'ada');
  rig.isDraining = true;
  assert.equal((await refusalOf(rig.client('/agent', 'ada'))).code, 'shutting_down');
  assert.equal(rig.attempts.length, 1, 'no credential is looked at meanwhile');
});

test('T4: a connection that never signs in is cut', async () => {
  await using rig = await TransportRig.start({ limits: { handshakeTimeoutMs: 50 } });
  const silent = await rig.webSocket();
  await once(silent, 'close');
  const refused = await rig.webSocket();
  refused.send('40/agent,{}');
  await once(refused, 'close');
  assert.equal(rig.transport.connections().open, 0);
});

test('T4: an authenticator that hangs does not keep the connection', async () => {
  const { promise, resolve } = Promise.withResolvers<SignInResult>();
  await using rig = await TransportRig.start({ limits: { handshakeTimeoutMs: 50 }, authenticate: () => promise });
  const socket = await rig.webSocket();
  socket.send('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await once(socket, 'close');
  resolve(signedIn);
  await promise;
  assert.equal(rig.transport.connections().agent, 0);
});

test('T4: a connection that leaves its last namespace is cut', async () => {
  await using rig = await TransportRig.start();
  const socket = await rig.signedInWebSocket('/agent', 'ada');
  socket.send('41/agent,');
  await once(socket, 'close');
  assert.equal(rig.transport.connections().open, 0);
});

test('T5: too many handshakes, or a second one for the same namespace, end the connection', async () => {
  await using rig = await TransportRig.start();
  const guessing = await rig.webSocket();
  for (let guess = 0; guess < 10; guess += 1) guessing.send('40/agent,{"protocol":1,"client":{"name":"x","version":"1"}}');
  await once(guessing, 'close');
  assert.equal(rig.attempts.length, 5);
  const twice = await rig.signedInWebSocket('/agent', 'ada');
  twice.send('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await once(twice, 'close');
});

test('T5: two handshakes for one namespace at once leave no socket behind', async () => {
  const { promise, resolve } = Promise.withResolvers<SignInResult>();
  await using rig = await TransportRig.start({ authenticate: () => promise });
  const socket = await rig.webSocket();
  const packet = '40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}';
  socket.send(packet);
  socket.send(packet);
  while (rig.attempts.length < 2) await new Promise((done) => setImmediate(done));
  resolve(signedIn);
  await once(socket, 'close');
  assert.deepEqual(rig.transport.connections(), { agent: 0, gateway: 0, open: 0 });
});

test('T5: a handshake packet over its limit ends the connection before anybody reads it', async () => {
  await using rig = await TransportRig.start();
  const socket = await rig.webSocket();
  socket.send(`40/agent,${JSON.stringify({ protocol: 1, token: 'x'.repeat(100_000), client: { name: 'x', version: '1' } })}`);
  await once(socket, 'close');
  assert.equal(rig.attempts.length, 0);
});

test('T16, I14: a revoked credential loses every connection, others keep theirs', async () => {
  await using rig = await TransportRig.start();
  const page = await rig.connected('/agent', 'ada');
  const machine = await rig.connected('/gateway', 'ada');
  const other = await rig.connected('/agent', 'bob');
  const ended = Promise.all([page, machine].map((socket) => new Promise((resolve) => socket.once('disconnect', resolve))));
  rig.transport.disconnectCredential('key of ada');
  assert.deepEqual(await ended, ['io server disconnect', 'io server disconnect']);
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
});

test('T16: a credential revoked in the middle of its handshake is refused', async () => {
  const { promise, resolve } = Promise.withResolvers<SignInResult>();
  await using rig = await TransportRig.start({ authenticate: () => promise });
  const refused = refusalOf(rig.client('/agent', 'ada'));
  while (rig.attempts.length === 0) await new Promise((done) => setImmediate(done));
  rig.transport.disconnectCredential('key');
  resolve(signedIn);
  assert.equal((await refused).code, 'unauthorized');
  assert.equal(rig.transport.connections().agent, 0);
});

test('T19: close tells clients, ends everything, and may be called twice', async () => {
  await using rig = await TransportRig.start();
  const page = await rig.connected('/agent', 'ada');
  const polling = await rig.connected('/agent', 'ada', { transports: ['polling'] });
  const machine = await rig.connected('/gateway', 'ada');
  const notices = [page, polling].map((socket) => new Promise((resolve) => socket.once('server:notice', resolve)));
  const ends = [page, polling, machine].map((socket) => new Promise((resolve) => socket.once('disconnect', resolve)));
  await Promise.all([rig.transport.close(), rig.transport.close()]);
  for (const notice of await Promise.all(notices)) assert.equal((notice as { code: string }).code, 'shutting_down');
  await Promise.all(ends);
  assert.deepEqual(rig.transport.connections(), { agent: 0, gateway: 0, open: 0 });
  assert.ok(rig.http.listening, 'the HTTP server stays its owner’s');
  const later = await fetch(rig.url('transport=polling'));
  assert.equal(later.status, 503);
  assert.equal(((await later.json()) as { code: string }).code, 'shutting_down');
});

test('T19: close does not wait for a peer that reads nothing', async () => {
  await using rig = await TransportRig.start({ limits: { closeGraceMs: 50 } });
  const socket = await rig.signedInWebSocket('/agent', 'ada');
  socket.pause();
  await rig.transport.close();
  assert.equal(rig.transport.connections().open, 0);
  socket.resume();
  await nextText(socket, (text) => text.includes('shutting_down'));
});

test('T20: a connection ends when its credential does, one without an end or with a far one goes on', async () => {
  const lastsMs: Record<string, number> = { soon: 200, far: 40 * 24 * 3_600_000 };
  const endOf = (token: string): Date | undefined => (lastsMs[token] === undefined ? undefined : new Date(Date.now() + lastsMs[token]));
  await using rig = await TransportRig.start({
    authenticate: async ({ token = '' }) => ({ ok: true, principal: { userId: token, credentialId: token, expiresAt: endOf(token) } }),
  });
  const far = await rig.connected('/agent', 'far');
  const never = await rig.connected('/gateway', 'never');
  const soon = rig.client('/agent', 'soon');
  const ended = new Promise((resolve) => soon.once('disconnect', resolve));
  soon.connect();
  assert.equal(await ended, 'io server disconnect');
  for (const socket of [far, never]) assert.equal(socket.connected, true);
});

test('T20: a credential that ends between its check and the welcome lets nobody stay', async () => {
  await using rig = await TransportRig.start({
    authenticate: async () => ({ ok: true, principal: { userId: 'ada', credentialId: 'key', expiresAt: new Date(Date.now() - 1) } }),
  });
  const socket = rig.client('/agent', 'ada');
  const ended = new Promise((resolve) => socket.once('disconnect', resolve));
  socket.connect();
  await ended;
});
