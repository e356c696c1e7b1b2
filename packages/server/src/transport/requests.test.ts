import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { AGENT_REQUESTS, LIMITS, success, validate } from '@tendon/protocol';
import type { Socket as ClientSocket } from 'socket.io-client';
import { DEFAULT_TRANSPORT_LIMITS } from './limits.ts';
import { attaching, nextText, rawRequest, SESSION, TransportRig } from './transport-rig.ts';

interface Refused {
  readonly ok: boolean;
  readonly error: { readonly code: string; readonly message: string; readonly details: unknown };
}

const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;

const MALFORMED: readonly [string, string, RegExp][] = [
  ['null', '["session:list",null]', /./],
  ['no payload', '["session:list"]', /one object, not 0/],
  ['two payloads', '["session:list",{},{}]', /one object, not 2/],
  ['an acknowledgement in the middle, which JSON turns into null', '["session:list",null,{}]', /one object, not 2/],
  ['an array', '["session:list",[]]', /./],
  ['a string', '["session:list","x"]', /./],
  ['a number', '["session:list",1]', /./],
  ['a wrong type inside', '["session:list",{"limit":"ten"}]', /^limit: /],
  ['a missing field', '["session:attach",{}]', /^sessionId: /],
  ['an id that is none', '["session:attach",{"sessionId":"1 or 1=1"}]', /^sessionId: /],
  ['deep nesting', `["session:list",${nested(40)}]`, /nested deeper/],
  ['very deep nesting', `["session:list",${nested(100_000)}]`, /nested deeper/],
  ['very many values', `["session:list",{"a":[${'0,'.repeat(200_000)}0]}]`, /more than \d+ values/],
  ['what only looks like a length', '["session:list",{"cursor":{"length":[{"toString":1}]}}]', /it cannot be read|^cursor: /],
  ['__proto__', '["session:list",{"__proto__":{"limit":1}}]', /not accepted/],
  ['an unknown event', '["session:steal",{}]', /no such event/],
  ['an event of another namespace', '["gateway:hello",{}]', /no such event/],
  ['an event named like an object’s own', '["__proto__",{}]', /no such event/],
  ['an event named constructor', '["constructor",{}]', /no such event/],
  ['an event named error', '["error",{}]', /no such event/],
  ['a numeric event', '[7,{}]', /no such event/],
];

test('T6: answers go to the request they belong to, however late', async () => {
  const gates = new Map<string, PromiseWithResolvers<void>>();
  const gate = (title: string): PromiseWithResolvers<void> =>
    gates.get(title) ?? gates.set(title, Promise.withResolvers<void>()).get(title) ?? Promise.withResolvers<void>();
  await using rig = await TransportRig.start({
    agent: {
      'session:create': async (_connection, payload) => {
        const { title } = payload as { title: string };
        await gate(title).promise;
        return success({ title });
      },
    },
  });
  const client = await rig.connected('/agent', 'ada');
  const first = client.emitWithAck('session:create', { title: 'first' });
  const second = client.emitWithAck('session:create', { title: 'second' });
  gate('second').resolve();
  assert.deepEqual(await second, { ok: true, data: { title: 'second' } });
  gate('first').resolve();
  assert.deepEqual(await first, { ok: true, data: { title: 'first' } });
});

test('T6: a request without an acknowledgement has no effect; live output needs none', async () => {
  await using rig = await TransportRig.start();
  const page = await rig.connected('/agent', 'ada');
  page.emit('session:create', { title: 'lost' });
  await page.emitWithAck('session:list', {});
  const machine = await rig.connected('/gateway', 'ada');
  machine.emit('tool:output', { callId: SESSION, offset: 0, text: 'hello' });
  machine.emit('tool:started', { callId: SESSION });
  await machine.emitWithAck('tool:started', { callId: SESSION });
  assert.deepEqual(
    rig.calls.map((call) => call.name),
    ['session:list', 'tool:output', 'tool:started'],
  );
});

test('T6: an answer of each request passes the wrapper unchanged and fits its schema', async () => {
  const data = { models: [{ id: 'demo', name: 'Demo', available: true }], default: 'demo' };
  await using rig = await TransportRig.start({ agent: { 'model:list': async () => success(data) } });
  const client = await rig.connected('/agent', 'ada');
  const answer = await client.emitWithAck('model:list', {});
  assert.deepEqual(answer, { ok: true, data });
  assert.ok(validate(AGENT_REQUESTS['model:list'].data, answer.data).ok);
});

for (const [what, body, reason] of MALFORMED) {
  test(`T7: ${what} is refused with a reason and touches nobody`, async () => {
    await using rig = await TransportRig.start();
    const other = await rig.connected('/agent', 'bob');
    const socket = await rig.signedInWebSocket('/agent', 'ada');
    const refused = (await rawRequest(socket, '/agent', { id: 7, body })) as Refused;
    assert.equal(refused.ok, false);
    assert.equal(refused.error.code, 'invalid_payload');
    assert.match(refused.error.message, reason);
    assert.ok(Array.isArray(refused.error.details));
    assert.equal(rig.calls.length, 0, 'no handler has run');
    assert.deepEqual(await rawRequest(socket, '/agent', { id: 8, body: '["session:list",{}]' }), { ok: true, data: {} });
    assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
  });
}

test('T7: an empty packet is refused; what is no packet ends its own connection only', async () => {
  await using rig = await TransportRig.start();
  const other = await rig.connected('/agent', 'bob');
  const socket = await rig.signedInWebSocket('/agent', 'ada');
  const answer = nextText(socket, (text) => text.startsWith('43/agent,5['));
  socket.send('42/agent,5');
  assert.match(await answer, /no such event/);
  for (const packet of ['42/agent,{"not":"an array"}', '42/agent,[', '49', 'x', '42/agent,["connect",{}]', '45999-/agent,["x"]', '42/nowhere,["x",{}]']) {
    const hostile = await rig.signedInWebSocket('/agent', 'eve');
    hostile.send(packet);
    await once(hostile, 'close');
  }
  for (const packet of ['4', '451-/agent,["x"', '40/nowhere,{}', '43/agent,9[]', '43/agent,', '44/agent,{}', `40/${'n'.repeat(50_000)},{}`]) {
    const odd = await rig.signedInWebSocket('/agent', 'eve');
    odd.send(packet);
    odd.close();
    await once(odd, 'close');
  }
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
});

test('T8: binary parts are refused without being kept, and the connection goes on', async () => {
  await using rig = await TransportRig.start();
  const client = await rig.connected('/agent', 'ada');
  const refused = await client.emitWithAck('session:create', { title: Buffer.alloc(1_000_000) });
  assert.equal(refused.error.code, 'invalid_payload');
  assert.match(refused.error.message, /binary/);
  assert.deepEqual(await client.emitWithAck('session:list', {}), { ok: true, data: {} });
  assert.equal(rig.calls.length, 1);
});

test('T8: a binary part that nobody announced, or that never comes, ends its own connection', async () => {
  await using rig = await TransportRig.start();
  const unannounced = await rig.signedInWebSocket('/agent', 'ada');
  unannounced.send(Buffer.from('x'));
  await once(unannounced, 'close');
  const missing = await rig.signedInWebSocket('/agent', 'ada');
  missing.send('451-/agent,3["session:list",{"_placeholder":true,"num":0}]');
  missing.send('42/agent,4["session:list",{}]');
  await once(missing, 'close');
});

test('T9: a payload of exactly 4 MiB is read, one byte more is too_large', async () => {
  await using rig = await TransportRig.start();
  const socket = await rig.signedInWebSocket('/agent', 'ada');
  const padded = (bytes: number): string => `["session:list",{"pad":"${'é'.repeat((bytes - 10) / 2)}"}]`;
  assert.equal(Buffer.byteLength('{"pad":""}'), 10);
  assert.deepEqual(await rawRequest(socket, '/agent', { id: 1, body: padded(LIMITS.packetBytes) }), { ok: true, data: {} });
  const over = padded(LIMITS.packetBytes).replace('"pad"', '"padd"');
  const refused = (await rawRequest(socket, '/agent', { id: 2, body: over })) as Refused;
  assert.equal(refused.error.code, 'too_large');
  assert.equal(rig.calls.length, 1);
  assert.deepEqual(await rawRequest(socket, '/agent', { id: 3, body: '["session:list",{}]' }), { ok: true, data: {} });
});

test('T9: over the hard cap the connection ends, WebSocket and polling alike, and others go on', async () => {
  await using rig = await TransportRig.start();
  const other = await rig.connected('/agent', 'bob');
  const socket = await rig.signedInWebSocket('/agent', 'ada');
  socket.send(`42/agent,1["session:list",{"pad":"${'x'.repeat(9 * 1024 * 1024)}"}]`);
  await once(socket, 'close');
  const opened = await (await fetch(rig.url('transport=polling'))).text();
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  const posted = await fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body: 'x'.repeat(9 * 1024 * 1024) });
  assert.equal(posted.status, 413);
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
});

test('T10: 200 requests at once pass, the next is rate_limited and says until when', async () => {
  let clock = 0;
  await using rig = await TransportRig.start({ now: () => clock });
  const client = await rig.connected('/agent', 'ada');
  const answers = await Promise.all(Array.from({ length: 201 }, () => client.emitWithAck('session:list', {})));
  assert.equal(answers.filter((answer) => answer.ok).length, 200);
  const refused = answers.at(-1) as Refused;
  assert.equal(refused.error.code, 'rate_limited');
  assert.deepEqual(refused.error.details, { retryAfterMs: 20 });
  clock += 20;
  assert.equal((await client.emitWithAck('session:list', {})).ok, true);
  const other = await rig.connected('/agent', 'bob');
  assert.equal((await other.emitWithAck('session:list', {})).ok, true, 'the meter is the connection’s own');
});

test('T10: live output has a meter by size, and what is over it is lost without a word', async () => {
  await using rig = await TransportRig.start({ now: () => 0, limits: { outputBurstBytes: 100_000, outputBytesPerSecond: 1_000 } });
  const machine = await rig.connected('/gateway', 'ada');
  for (let chunk = 0; chunk < 300; chunk += 1) machine.emit('tool:output', { callId: SESSION, offset: chunk * 1_000, text: 'x'.repeat(1_000) });
  assert.equal((await machine.emitWithAck('tool:started', { callId: SESSION })).ok, true, 'requests are not held up by output');
  assert.equal(rig.calls.filter((call) => call.name === 'tool:output').length, 49);
});

test('T11: a handler that throws answers internal with the id of its log line, and no stack', async () => {
  await using rig = await TransportRig.start({
    agent: {
      'session:list': () => Promise.reject(new Error('secret detail')),
      'gateway:list': () => {
        throw new Error('secret detail');
      },
      'rule:list': async () => success({ rules: 10n }),
    },
  });
  const client = await rig.connected('/agent', 'ada');
  for (const name of ['session:list', 'gateway:list', 'rule:list']) {
    const refused = (await client.emitWithAck(name, {})) as Refused;
    assert.equal(refused.error.code, 'internal');
    const { logId } = refused.error.details as { logId: string };
    assert.equal(rig.logged('handler_failed').at(-1)?.logId, logId);
    assert.doesNotMatch(JSON.stringify(refused), /secret|at .*\.ts|BigInt/);
  }
  assert.equal((await client.emitWithAck('model:list', {})).ok, true);
});

test('T24: a person has a few requests under way at once, from however many connections; the others wait in order, and others are answered', async () => {
  const gate = Promise.withResolvers<void>();
  await using rig = await TransportRig.start({
    agent: {
      'session:create': async () => {
        await gate.promise;
        return success({});
      },
    },
    limits: { requests: { ...DEFAULT_TRANSPORT_LIMITS.requests, waitMs: 60_000 } },
  });
  const [page, phone] = [await rig.connected('/agent', 'ada'), await rig.connected('/agent', 'ada')];
  const titles = Array.from({ length: 30 }, (_, index) => `title ${index}`);
  const answers = Promise.all(titles.map((title) => page.emitWithAck('session:create', { title })));
  const machine = await rig.connected('/gateway', 'ada');
  assert.equal((await machine.emitWithAck('tool:started', { callId: SESSION })).ok, true, 'what machines ask has places of its own');
  const late = phone.emitWithAck('session:list', {});
  const other = await rig.connected('/agent', 'bob');
  for (let round = 0; round < 10; round += 1) assert.equal((await other.emitWithAck('session:list', {})).ok, true);
  const ofAda = () => rig.calls.filter(({ name, connection }) => connection.userId === 'ada' && name !== 'tool:started');
  assert.equal(ofAda().length, DEFAULT_TRANSPORT_LIMITS.requests.ofHousehold);
  gate.resolve();
  assert.equal((await late).ok, true);
  assert.ok((await answers).every(({ ok }) => ok));
  assert.deepEqual(
    ofAda().flatMap(({ payload }) => (payload as { title?: string }).title ?? []),
    titles,
  );
});

test('T24: a stop and a decision wait for nothing that others of their person wait for, and for what their own connection sent before them', async () => {
  const gate = Promise.withResolvers<void>();
  const held = async () => {
    await gate.promise;
    return success({});
  };
  const requests = { ...DEFAULT_TRANSPORT_LIMITS.requests, waitMs: 60_000 };
  await using rig = await TransportRig.start({ agent: { 'session:create': held }, limits: { requests } });
  const [page, phone] = [await rig.connected('/agent', 'ada'), await rig.connected('/agent', 'ada')];
  const created = Promise.all(Array.from({ length: 10 }, () => page.emitWithAck('session:create', {})));
  while (rig.calls.length < requests.ofHousehold) await new Promise((done) => setImmediate(done));
  assert.equal((await phone.emitWithAck('agent:stop', { sessionId: SESSION })).ok, true);
  const stopped = page.emitWithAck('agent:stop', { sessionId: SESSION });
  const listed = phone.emitWithAck('session:list', {});
  assert.equal((await (await rig.connected('/agent', 'ada')).emitWithAck('agent:stop', { sessionId: SESSION })).ok, true);
  assert.equal(rig.calls.filter(({ name }) => name === 'agent:stop').length, 2);
  gate.resolve();
  assert.ok((await Promise.all([created, stopped, listed])).flat().every(({ ok }) => ok));
  assert.equal(rig.calls.filter(({ name }) => name === 'agent:stop').length, 3);
});

test('T24: a request that has waited for too long is rate_limited and says until when; its place was never lost', async () => {
  const gate = Promise.withResolvers<void>();
  const requests = { ...DEFAULT_TRANSPORT_LIMITS.requests, ofHousehold: 1, waitMs: 50 };
  const create = async () => {
    await gate.promise;
    return success({});
  };
  await using rig = await TransportRig.start({ agent: { 'session:create': create }, limits: { requests } });
  const client = await rig.connected('/agent', 'ada');
  const held = client.emitWithAck('session:create', {});
  const refused = (await client.emitWithAck('session:list', {})) as Refused;
  assert.deepEqual([refused.error.code, refused.error.details], ['rate_limited', { retryAfterMs: 2_000 }]);
  gate.resolve();
  assert.equal((await held).ok, true);
  assert.equal((await client.emitWithAck('session:list', {})).ok, true);
  assert.deepEqual(
    rig.calls.map(({ name }) => name),
    ['session:create', 'session:list'],
  );
});

test('T24: a connection that ends in the middle of a request, or a handler that throws, gives the place back', async () => {
  const gate = Promise.withResolvers<void>();
  const requests = { ...DEFAULT_TRANSPORT_LIMITS.requests, ofHousehold: 1, waitMs: 60_000 };
  const create = async () => {
    await gate.promise;
    throw new Error('broken');
  };
  await using rig = await TransportRig.start({ agent: { 'session:create': create }, limits: { requests } });
  const [gone, stays] = [await rig.connected('/agent', 'ada'), await rig.connected('/agent', 'ada')];
  gone.emit('session:create', {}, () => {});
  while (rig.calls.length === 0) await new Promise((done) => setImmediate(done));
  gone.disconnect();
  const waiting = stays.emitWithAck('session:list', {});
  gate.resolve();
  assert.equal((await waiting).ok, true);
});

test('H14, T24: what waits for a place is not begun once its credential has ended, nor when its client had gone before; what others wait for is', async () => {
  const gate = Promise.withResolvers<void>();
  const requests = { ...DEFAULT_TRANSPORT_LIMITS.requests, ofHousehold: 1, waitMs: 60_000 };
  const create = async () => {
    await gate.promise;
    return success({});
  };
  await using rig = await TransportRig.start({
    agent: { 'session:create': create },
    gateway: { 'tool:started': create },
    authenticate: async ({ token = '' }) => ({
      ok: true,
      principal: { userId: 'ada', credentialId: token, ...(token === 'ends by itself' && { expiresAt: new Date(Date.now() + 300) }) },
    }),
    limits: { requests },
  });
  const page = await rig.connected('/agent', 'good');
  const held = page.emitWithAck('session:create', {});
  const machine = await rig.connected('/gateway', 'good');
  const running = machine.emitWithAck('tool:started', { callId: SESSION });
  const [stolen, gone, expiring, thief] = [
    await rig.connected('/agent', 'stolen'),
    await rig.connected('/agent', 'stolen'),
    await rig.connected('/agent', 'ends by itself'),
    await rig.connected('/gateway', 'stolen'),
  ];
  for (const socket of [stolen, gone, expiring]) socket.emit('rule:list', {}, () => {});
  thief.emit('tool:result', { callId: SESSION, result: { status: 'succeeded', content: [] } }, () => {});
  const waiting = page.emitWithAck('session:list', {});
  const untilEnded = (socket: ClientSocket) => new Promise((resolve) => (socket.connected ? socket.once('disconnect', resolve) : resolve(undefined)));
  const ended = Promise.all([stolen, expiring, thief].map(untilEnded));
  // Taken one after the other of what it sent: an answer to the second says that the first has come.
  for (const socket of [stolen, gone, thief]) await socket.emitWithAck('no:such', {});
  gone.disconnect();
  rig.transport.disconnectCredential('stolen');
  await ended;
  gate.resolve();
  for (const answer of [held, running, waiting, page.emitWithAck('model:list', {}), machine.emitWithAck('tool:started', { callId: SESSION })])
    assert.equal((await answer).ok, true);
  assert.deepEqual(rig.calls.map(({ name }) => name).toSorted(), ['model:list', 'session:create', 'session:list', 'tool:started', 'tool:started']);
});

test('T12: requests of one connection start in the order they came', async () => {
  await using rig = await TransportRig.start({ limits: { eventBurst: 1_000 } });
  const client = await rig.connected('/agent', 'ada');
  const titles = Array.from({ length: 300 }, (_, index) => `title ${index}`);
  await Promise.all(titles.map((title) => client.emitWithAck('session:create', { title })));
  assert.deepEqual(
    rig.calls.map((call) => (call.payload as { title: string }).title),
    titles,
  );
});

test('T12: a handler sees who asks, and what it does after the client has gone is harmless', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await using rig = await TransportRig.start({
    agent: {
      'session:attach': async (connection, payload) => {
        await promise;
        return (await attaching?.['session:attach']?.(connection, payload)) ?? success({});
      },
    },
  });
  const client = await rig.connected('/agent', 'ada');
  client.emit('session:attach', { sessionId: SESSION }, () => {});
  while (rig.calls.length === 0) await new Promise((done) => setImmediate(done));
  const [call] = rig.calls;
  assert.deepEqual(
    { userId: call?.connection.userId, name: call && 'clientName' in call.connection && call.connection.clientName },
    { userId: 'ada', name: 'test client' },
  );
  client.disconnect();
  while (rig.transport.connections().agent > 0) await new Promise((done) => setImmediate(done));
  resolve();
  await new Promise((done) => setImmediate(done));
  assert.equal(rig.transport.fanout.hasAudience(SESSION), false);
});
