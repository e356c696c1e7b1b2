import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Delta } from '@tendon/protocol';
import { until, within } from '@tendon/testing';
import type WebSocket from 'ws';
import { ByteBudget } from './byte-budget.ts';
import { engineRig } from './engine-rig.ts';
import { Outbound } from './outbound.ts';
import { attaching, OTHER_SESSION, rawRequest, SESSION, TransportRig } from './transport-rig.ts';
import { takenMark } from './wire.ts';

const MEBIBYTE = 1_024 * 1_024;
const AMPLE = { ofPerson: 10_000 * MEBIBYTE, ofAll: 10_000 * MEBIBYTE };

function delta(sessionId: string, kibibytes = 64): Delta {
  return { sessionId, messageId: sessionId, part: 0, kind: 'text', offset: 0, text: 'x'.repeat(kibibytes * 1_024) };
}

/** Attached to these sessions, and reads nothing from here on. */
async function stoppedReader(rig: TransportRig, name: string, ...sessions: readonly string[]): Promise<WebSocket> {
  const socket = await rig.signedInWebSocket('/agent', name);
  for (const [id, sessionId] of sessions.entries()) await rawRequest(socket, '/agent', { id, body: `["session:attach",{"sessionId":"${sessionId}"}]` });
  socket.pause();
  return socket;
}

/** Has all who are attached to a session sent more and more, until somebody is cut. */
async function sendUntilCut(rig: TransportRig, sessionId: string, cuts: number): Promise<void> {
  for (let sent = 0; rig.logged('slow_consumer').length < cuts; sent += 1) {
    assert.ok(sent < 20_000, 'nobody is cut');
    rig.transport.fanout.toSession(sessionId, 'session:delta', delta(sessionId));
    if (sent % 8 === 0) await new Promise((done) => setImmediate(done));
  }
}

test('T26: when too much waits for all connections of a person the heaviest is cut, and nobody else’s', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { unsent: { ofPerson: 8 * MEBIBYTE, ofAll: 1_000 * MEBIBYTE } } });
  const other = await rig.connected('/agent', 'bob');
  for (let count = 0; count < 4; count += 1) await stoppedReader(rig, 'ada', SESSION);
  const heaviest = await stoppedReader(rig, 'ada', SESSION, OTHER_SESSION);
  for (let sent = 0; sent < 16; sent += 1) rig.transport.fanout.toSession(OTHER_SESSION, 'session:delta', delta(OTHER_SESSION));
  await sendUntilCut(rig, SESSION, 1);
  const [line] = rig.logged('slow_consumer');
  assert.equal(line?.['userId'], 'ada');
  assert.ok(Number(line?.['bytes']) < 8 * MEBIBYTE, `it was over no bound of its own: ${line?.['bytes']}`);
  assert.equal(rig.transport.fanout.hasAudience(OTHER_SESSION), false, 'another one than the heaviest was cut');
  assert.equal(rig.transport.connections().agent, 5);
  const gone = once(heaviest, 'close');
  heaviest.resume();
  await gone;
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
});

test('T26: when too much waits for everybody, the heaviest connection of the person with most is cut', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { unsent: { ofPerson: 1_000 * MEBIBYTE, ofAll: 12 * MEBIBYTE } } });
  await stoppedReader(rig, 'bob', SESSION);
  for (let count = 0; count < 4; count += 1) await stoppedReader(rig, 'ada', SESSION);
  await sendUntilCut(rig, SESSION, 3);
  assert.deepEqual(
    rig.logged('slow_consumer').map(({ userId }) => userId),
    ['ada', 'ada', 'ada'],
  );
});

test('T26: a burst within one tick is within the budget as well, and one who reads is not cut for what they have read', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { unsent: { ofPerson: 4 * MEBIBYTE, ofAll: 1_000 * MEBIBYTE } } });
  for (let count = 0; count < 6; count += 1) {
    const reader = await rig.connected('/agent', 'eve');
    const sessionId = randomUUID();
    await reader.emitWithAck('session:attach', { sessionId });
    for (let sent = 0; sent < 6; sent += 1) {
      const heard = once(reader as never, 'session:delta');
      rig.transport.fanout.toSession(sessionId, 'session:delta', delta(sessionId, 1_024));
      await heard;
    }
  }
  assert.equal(rig.logged('slow_consumer').length, 0);
  for (let count = 0; count < 3; count += 1) await stoppedReader(rig, 'ada', SESSION);
  for (let sent = 0; sent < 60; sent += 1) rig.transport.fanout.toSession(SESSION, 'session:delta', delta(SESSION));
  assert.equal(rig.logged('slow_consumer').length, 2, 'of three times 4 MiB one has room');
});

test('T14: answers of polls that are not taken count, on however many connections they are fetched', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { outboundBytes: 8 * MEBIBYTE, pingIntervalMs: 3_600_000 } });
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await (await fetch(rig.url(`transport=polling&sid=${sid}`))).text();
  await post(`42/agent,1["session:attach",{"sessionId":"${SESSION}"}]`);
  await (await fetch(rig.url(`transport=polling&sid=${sid}`))).text();
  let polls = 0;
  for (; rig.transport.fanout.hasAudience(SESSION) && polls < 20; polls += 1) {
    const poll = rig.tcp();
    const begun = once(poll, 'data');
    poll.write(`GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`);
    rig.transport.fanout.toSession(SESSION, 'session:delta', delta(SESSION, 7 * 1_024));
    await within('the answer to begin, or the connection to end', Promise.race([begun, once(poll, 'close')]), 10_000);
    poll.pause();
  }
  assert.ok(polls < 20, 'as many answers are kept as are fetched and not taken');
  assert.equal(rig.logged('slow_consumer').length, 1);
});

test('T14: who answers pings and takes nothing of what waits is cut', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { stalledMs: 1_500 } });
  const stopped = await stoppedReader(rig, 'ada', SESSION);
  const answering = setInterval(() => stopped.send('3'), 500);
  rig.transport.fanout.toSession(SESSION, 'session:delta', delta(SESSION, 20 * 1_024));
  await until({ what: 'it to be cut', pollMs: 20, deadlineMs: 20_000, check: () => rig.transport.connections().open === 0 || undefined });
  clearInterval(answering);
  assert.deepEqual(
    rig.logged('slow_consumer').map(({ userId }) => userId),
    ['ada'],
  );
});

test('T14: a polling client that answers pings and does not poll is cut', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { stalledMs: 1_500 } });
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  let isOver = false;
  const answering = (async () => {
    while (!isOver) await post('3').catch(() => undefined);
  })();
  await until({ what: 'it to be cut', pollMs: 20, deadlineMs: 20_000, check: () => rig.logged('slow_consumer')[0] });
  isOver = true;
  await answering;
  assert.equal(rig.transport.connections().open, 0);
});

/** One engine connection, its `Outbound`, and the client at its other end, which does not read. */
async function outboundRig() {
  const rig = await engineRig();
  const { client, connection } = rig;
  const cuts: number[] = [];
  const outbound = new Outbound(connection, {
    ...{ limitBytes: 1_000 * MEBIBYTE, stalledMs: 30_000, budget: new ByteBudget(AMPLE), onSlow: (bytes) => cuts.push(bytes) },
  });
  await once(client, 'message');
  client.pause();
  return { client, connection, outbound, cuts, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

test('T14: who takes a little of one large packet within every 30 s is not cut', async () => {
  await using rig = await outboundRig();
  const { client, connection, outbound, cuts } = rig;
  connection.send('x'.repeat(64 * MEBIBYTE));
  let nowMs = 0;
  for (let round = 0; round < 4; round += 1) {
    outbound.look(nowMs);
    const [before, waiting] = [takenMark(connection), outbound.waitingBytes];
    client.resume();
    await until({ what: 'something to be taken', pollMs: 1, check: () => takenMark(connection) !== before || undefined });
    client.pause();
    assert.equal(outbound.waitingBytes, waiting, 'of a write in the middle nothing else tells');
    nowMs += 29_999;
  }
  outbound.look(nowMs);
  assert.deepEqual(cuts, []);
  outbound.look(nowMs + 29_999);
  assert.deepEqual(cuts, []);
  outbound.look(nowMs + 30_000);
  assert.equal(cuts.length, 1);
});
