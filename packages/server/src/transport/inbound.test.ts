import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket as NetSocket } from 'node:net';
import { test } from 'node:test';
import { until } from '@tendon/testing';
import WebSocket from 'ws';
import { unfinishedBytes } from './arrivals.ts';
import { type BudgetLimits, ByteBudget } from './byte-budget.ts';
import { engineRig } from './engine-rig.ts';
import { Inbound } from './inbound.ts';
import { nextText, TransportRig } from './transport-rig.ts';

const KIBIBYTE = 1_024;
const MEBIBYTE = 1_024 * KIBIBYTE;
const AMPLE: BudgetLimits = { ofPerson: 10_000 * MEBIBYTE, ofAll: 10_000 * MEBIBYTE };
const UNFINISHED = { newcomerMessageBytes: 128 * KIBIBYTE, messageMs: 120_000, budget: AMPLE };
/** None of these clients can answer a ping before its message is finished. */
const PATIENT = { pingIntervalMs: 3_600_000 };

/** One frame, masked with zeros, which leaves its bytes as they are. */
function frameOf(firstByte: number, text: string): Buffer {
  const head = Buffer.alloc(14);
  head.set([firstByte, 0x80 | 127]);
  head.writeBigUInt64BE(BigInt(text.length), 2);
  return Buffer.concat([head, Buffer.from(text)]);
}

function tcpOf(socket: WebSocket): NetSocket {
  return (socket as unknown as { readonly _socket: NetSocket })._socket;
}

/** A request of this size. Its last byte is sent by what is given back. */
function beginRequest(socket: WebSocket, bytes: number): () => Promise<string> {
  const frame = frameOf(0x81, `42/agent,1["session:list",{"pad":"${'x'.repeat(bytes)}"}]`);
  tcpOf(socket).write(frame.subarray(0, -1));
  return () => {
    const answer = nextText(socket, (text) => text.startsWith('43/agent,1['));
    tcpOf(socket).write(frame.subarray(-1));
    return answer;
  };
}

async function untilUnfinished(rig: TransportRig, bytes: number): Promise<void> {
  await until({ what: `${bytes} bytes to have come`, pollMs: 5, check: () => rig.transport.unfinishedBytes() >= bytes || undefined });
}

test('T27: when too much has come of the unfinished messages of a person the heaviest is cut; others finish theirs', async () => {
  await using rig = await TransportRig.start({ limits: { ...PATIENT, unfinished: { ...UNFINISHED, budget: { ...AMPLE, ofPerson: 4 * MEBIBYTE } } } });
  const other = await rig.connected('/agent', 'bob');
  const [light, heavy, last] = [
    await rig.signedInWebSocket('/agent', 'ada'),
    await rig.signedInWebSocket('/agent', 'ada'),
    await rig.signedInWebSocket('/agent', 'ada'),
  ];
  const finish = beginRequest(light, MEBIBYTE);
  beginRequest(heavy, 2 * MEBIBYTE);
  await untilUnfinished(rig, 3 * MEBIBYTE);
  assert.equal(rig.logged('unfinished_message').length, 0);
  const gone = once(heavy, 'close');
  const finishLast = beginRequest(last, 1.5 * MEBIBYTE);
  await gone;
  const lines = rig.logged('unfinished_message');
  assert.deepEqual(
    lines.map(({ userId }) => userId),
    ['ada'],
  );
  assert.ok(Number(lines[0]?.['bytes']) >= 2 * MEBIBYTE && Number(lines[0]?.['bytes']) < 3 * MEBIBYTE, `${lines[0]?.['bytes']} bytes`);
  assert.deepEqual(
    rig.refusals.cut().filter(({ value }) => value > 0),
    [{ labels: { code: 'unfinished_message' }, value: 1 }],
  );
  for (const answer of [await finish(), await finishLast()]) assert.match(answer, /"ok":true/);
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
  assert.equal(rig.transport.unfinishedBytes(), 0);
});

test('T27: when too much has come of all unfinished messages, the heaviest of the person with most is cut', async () => {
  await using rig = await TransportRig.start({ limits: { ...PATIENT, unfinished: { ...UNFINISHED, budget: { ...AMPLE, ofAll: 5 * MEBIBYTE } } } });
  const [bob, ...ada] = [
    await rig.signedInWebSocket('/agent', 'bob'),
    await rig.signedInWebSocket('/agent', 'ada'),
    await rig.signedInWebSocket('/agent', 'ada'),
  ];
  const finish = beginRequest(bob, 2 * MEBIBYTE);
  const gone = Promise.race(ada.map((socket) => once(socket, 'close')));
  for (const socket of ada) beginRequest(socket, 1.75 * MEBIBYTE);
  await gone;
  assert.match(await finish(), /"ok":true/);
  assert.deepEqual(
    rig.logged('unfinished_message').map(({ userId }) => userId),
    ['ada'],
  );
});

test('T27: the body of a post counts as it comes', async () => {
  await using rig = await TransportRig.start({ limits: { ...PATIENT, unfinished: { ...UNFINISHED, budget: { ...AMPLE, ofPerson: 2 * MEBIBYTE } } } });
  const { sid, post } = await pollingSession(rig);
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  const poster = rig.tcp();
  poster.write(`POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: ${3 * MEBIBYTE}\r\n\r\n`);
  poster.write('x'.repeat(MEBIBYTE));
  await untilUnfinished(rig, MEBIBYTE);
  assert.equal(rig.logged('unfinished_message').length, 0);
  const gone = new Promise((resolve) => poster.once('close', resolve));
  poster.write('x'.repeat(1.5 * MEBIBYTE));
  await gone;
  assert.equal(rig.logged('unfinished_message')[0]?.['userId'], 'ada');
  assert.deepEqual([rig.transport.connections().open, rig.transport.unfinishedBytes()], [0, 0]);
});

test('T27: a message of more than 128 KiB ends a WebSocket that has not signed in, before it is read', async () => {
  await using rig = await TransportRig.start({ limits: PATIENT });
  const socket = await rig.webSocket();
  const closed = once(socket, 'close');
  tcpOf(socket).write(frameOf(0x81, 'x'.repeat(128 * KIBIBYTE + 1)).subarray(0, 14));
  assert.equal((await closed)[0], 1009);
  const signedIn = await rig.signedInWebSocket('/agent', 'ada');
  assert.match(await beginRequest(signedIn, 3 * MEBIBYTE)(), /"ok":true/);
});

test('T27: nor is a body of more than 128 KiB read of who has not signed in', async () => {
  await using rig = await TransportRig.start({ limits: PATIENT });
  const { post } = await pollingSession(rig);
  const large = `42/agent,1["session:list",{"pad":"${'x'.repeat(128 * KIBIBYTE)}"}]`;
  assert.equal((await post(large)).status, 413);
  assert.equal((await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}')).status, 200);
  await until({ what: 'it to be signed in', pollMs: 5, check: () => rig.transport.connections().agent === 1 || undefined });
  assert.equal((await post(large)).status, 200);
});

test('T27: a WebSocket in the middle of its upgrade may send as little, and after it as much as any', async () => {
  await using rig = await TransportRig.start({ limits: PATIENT });
  const client = await rig.connected('/agent', 'ada', { transports: ['polling'] });
  const socket = new WebSocket(`ws://127.0.0.1:${rig.port}/socket.io/?EIO=4&transport=websocket&sid=${client.io.engine.id}`);
  await once(socket, 'open');
  const closed = once(socket, 'close');
  tcpOf(socket).write(frameOf(0x81, 'x'.repeat(128 * KIBIBYTE + 1)).subarray(0, 14));
  assert.equal((await closed)[0], 1009);
  assert.deepEqual(await client.emitWithAck('session:list', {}), { ok: true, data: {} });
  const upgrading = rig.client('/agent', 'bob', { transports: ['polling', 'websocket'] });
  const upgraded = new Promise<void>((resolve) => upgrading.io.once('open', () => upgrading.io.engine.once('upgrade', () => resolve())));
  upgrading.connect();
  await Promise.all([upgraded, new Promise<void>((resolve) => upgrading.once('connect', resolve))]);
  assert.deepEqual(await upgrading.emitWithAck('session:list', { pad: 'x'.repeat(3 * MEBIBYTE) }), { ok: true, data: {} });
});

async function pollingSession(rig: TransportRig) {
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  return { sid, post: (body: string) => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body }) };
}

/** One engine connection with its `Inbound`, which nobody asks to look, and the bare socket at its other end. */
async function inboundRig(budget = AMPLE) {
  const rig = await engineRig({ maxHttpBufferSize: 8 * MEBIBYTE });
  const { client, connection } = rig;
  const cuts: number[] = [];
  const inbound = new Inbound(connection, {
    ...{ limits: UNFINISHED, messageBytes: 8 * MEBIBYTE, budget: new ByteBudget(budget), onCut: (bytes: number) => cuts.push(bytes) },
  });
  inbound.admit();
  await once(client, 'message');
  const tcp = tcpOf(client).setNoDelay();
  const untilThere = (check: () => boolean): Promise<true> => until({ what: 'it to have come', pollMs: 1, check: () => check() || undefined });
  return { tcp, connection, inbound, cuts, untilThere, [Symbol.asyncDispose]: () => rig[Symbol.asyncDispose]() };
}

test('T27: what ws keeps of an unfinished message is seen: of a frame, of fragments, and nothing when it is finished', async () => {
  await using rig = await inboundRig();
  const { tcp, connection, untilThere } = rig;
  const held = (): number => unfinishedBytes(connection);
  assert.equal(held(), 0);
  tcp.write(frameOf(0x01, '4'.repeat(100 * KIBIBYTE)));
  await untilThere(() => held() >= 100 * KIBIBYTE);
  const frame = frameOf(0x80, '4'.repeat(100 * KIBIBYTE));
  tcp.write(frame.subarray(0, -1));
  await untilThere(() => held() >= 200 * KIBIBYTE);
  assert.ok(held() < 400 * KIBIBYTE, `${held()} bytes`);
  const packet = once(connection, 'packet');
  tcp.write(frame.subarray(-1));
  await packet;
  assert.equal(held(), 0);
});

test('T27: what comes a byte at a time counts with what that takes', async () => {
  await using rig = await inboundRig();
  const { tcp, connection, untilThere } = rig;
  tcp.write(frameOf(0x81, 'x'.repeat(1_000)).subarray(0, 14));
  for (let sent = 1; sent <= 50; sent += 1) {
    const before = unfinishedBytes(connection);
    tcp.write('x');
    await untilThere(() => unfinishedBytes(connection) > before);
  }
  assert.ok(unfinishedBytes(connection) > 50 * 300, `${unfinishedBytes(connection)} bytes`);
});

test('T27: a fragment of one byte counts with all that came with it, which it keeps', async () => {
  await using rig = await inboundRig();
  const { tcp, connection } = rig;
  const socket = (connection.transport as unknown as { readonly socket: WebSocket }).socket;
  const ping = Buffer.concat([Buffer.from([0x89, 0x80 | 125]), Buffer.alloc(4 + 125)]);
  const pings = Buffer.concat(Array.from({ length: 250 }, () => ping));
  for (let sent = 0; sent < 50; sent += 1) {
    const seen = once(socket, 'ping');
    tcp.write(Buffer.concat([pings, frameOf(sent === 0 ? 0x01 : 0x00, '4')]));
    await seen;
  }
  assert.ok(unfinishedBytes(connection) > 50 * 4 * KIBIBYTE, `${unfinishedBytes(connection)} bytes`);
});

test('T27: it is noticed as it comes', async () => {
  await using rig = await inboundRig({ ...AMPLE, ofPerson: MEBIBYTE });
  const { tcp, cuts, untilThere } = rig;
  tcp.write(frameOf(0x81, 'x'.repeat(4 * MEBIBYTE)).subarray(0, -1));
  await untilThere(() => cuts.length > 0);
  assert.equal(cuts.length, 1);
  assert.ok((cuts[0] ?? 0) < 1.5 * MEBIBYTE, `cut at ${cuts[0]}`);
});

test('T27: a message may take 120 s; many, one after the other, as long as they like', async () => {
  await using rig = await inboundRig();
  const { tcp, connection, inbound, cuts, untilThere } = rig;
  const frame = frameOf(0x81, '4'.repeat(1_000));
  const isBegun = (): boolean => unfinishedBytes(connection) > 0;
  tcp.write(frame.subarray(0, 100));
  await untilThere(isBegun);
  inbound.look(0);
  inbound.look(119_999);
  assert.deepEqual(cuts, []);
  const packet = once(connection, 'packet');
  tcp.write(Buffer.concat([frame.subarray(100), frame.subarray(0, 100)]));
  await packet;
  await untilThere(isBegun);
  inbound.look(120_000);
  inbound.look(239_999);
  assert.deepEqual(cuts, []);
  inbound.look(240_000);
  assert.equal(cuts.length, 1);
});

test('T27: a connection whose message takes too long is cut', async () => {
  await using rig = await TransportRig.start({ limits: { ...PATIENT, unfinished: { ...UNFINISHED, messageMs: 500 } } });
  const socket = await rig.signedInWebSocket('/agent', 'ada');
  beginRequest(socket, 1_000);
  await once(socket, 'close');
  assert.equal(rig.logged('unfinished_message')[0]?.['userId'], 'ada');
});
