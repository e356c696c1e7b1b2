import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket as NetSocket } from 'node:net';
import { test } from 'node:test';
import type { Delta } from '@tendon/protocol';
import { within } from '@tendon/testing';
import type { AgentConnection } from '../runner/ports.ts';
import { attaching, rawRequest, SESSION, TransportRig } from './transport-rig.ts';

const MEBIBYTE = 1024 * 1024;

function largeDelta(offset: number): Delta {
  return { sessionId: SESSION, messageId: SESSION, part: 0, kind: 'text', offset, text: 'x'.repeat(64 * 1024) };
}

const attachBody = `["session:attach",{"sessionId":"${SESSION}"}]`;

test('T14, H34: a reader that stops is cut with its queue, in bounded memory, while others go on', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const other = await rig.connected('/agent', 'bob');
  const stopped = await rig.signedInWebSocket('/agent', 'ada');
  await rawRequest(stopped, '/agent', { id: 1, body: attachBody });
  stopped.pause();
  let emitted = 0;
  let peak = 0;
  for (; rig.transport.fanout.hasAudience(SESSION) && emitted < 4_000; emitted += 1) {
    rig.transport.fanout.toSession(SESSION, 'session:delta', largeDelta(emitted));
    if (emitted % 8 === 0) await new Promise((done) => setImmediate(done));
    peak = Math.max(peak, process.memoryUsage().external + process.memoryUsage().heapUsed);
  }
  assert.ok(emitted < 4_000, `cut after ${emitted} deltas of 64 KiB`);
  const [line] = rig.logged('slow_consumer');
  assert.equal(line?.userId, 'ada');
  assert.deepEqual(
    rig.refusals.cut().find(({ value }) => value > 0),
    { labels: { code: 'slow_consumer' }, value: 1 },
  );
  assert.ok(Number(line?.bytes) < 9 * MEBIBYTE, `waiting ${line?.bytes}`);
  assert.ok(peak < 400 * MEBIBYTE, `peak ${peak}`);
  assert.deepEqual(await other.emitWithAck('session:list', {}), { ok: true, data: {} });
  assert.deepEqual(rig.transport.connections(), { agent: 1, gateway: 0, open: 1 });
});

test('T14: a burst within one tick is bounded as well', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { outboundBytes: MEBIBYTE } });
  const stopped = await rig.signedInWebSocket('/agent', 'ada');
  await rawRequest(stopped, '/agent', { id: 1, body: attachBody });
  stopped.pause();
  for (let offset = 0; offset < 1_000; offset += 1) rig.transport.fanout.toSession(SESSION, 'session:delta', largeDelta(offset));
  assert.equal(rig.transport.fanout.hasAudience(SESSION), false);
  assert.equal(rig.logged('slow_consumer').length, 1);
});

test('T14: one packet over the bound goes out to a reader that reads', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { outboundBytes: MEBIBYTE } });
  const client = await rig.connected('/agent', 'ada');
  await client.emitWithAck('session:attach', { sessionId: SESSION });
  const heard = new Promise<Delta>((resolve) => client.once('session:delta', resolve));
  rig.transport.fanout.toSession(SESSION, 'session:delta', { ...largeDelta(0), text: 'x'.repeat(3 * MEBIBYTE) });
  assert.equal((await heard).text.length, 3 * MEBIBYTE);
  assert.equal(rig.logged('slow_consumer').length, 0);
});

test('T14: a polling client that stops polling is cut by the same bound', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { outboundBytes: MEBIBYTE } });
  const opened = await (await fetch(rig.url('transport=polling'))).text();
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await (await fetch(rig.url(`transport=polling&sid=${sid}`))).text();
  await post(`42/agent,1${attachBody}`);
  while (!rig.transport.fanout.hasAudience(SESSION)) await new Promise((done) => setImmediate(done));
  let emitted = 0;
  for (; rig.transport.fanout.hasAudience(SESSION) && emitted < 100; emitted += 1)
    rig.transport.fanout.toSession(SESSION, 'session:delta', largeDelta(emitted));
  assert.ok(emitted < 25, `cut after ${emitted}`);
  assert.equal(rig.transport.connections().open, 0);
});

test('T14: the answer of a poll of which nothing is taken is given up', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {}, limits: { stalledResponseMs: 200, pingIntervalMs: 3_600_000 } });
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const post = (body: string): Promise<Response> => fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  await post('40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}');
  await (await fetch(rig.url(`transport=polling&sid=${sid}`))).text();
  await post(`42/agent,1${attachBody}`);
  while (!rig.transport.fanout.hasAudience(SESSION)) await new Promise((done) => setImmediate(done));
  // More than the buffers of a TCP connection hold.
  rig.transport.fanout.toSession(SESSION, 'session:delta', { ...largeDelta(0), text: 'x'.repeat(24 * MEBIBYTE) });
  const served = once(rig.http, 'connection');
  const poll = rig.tcp();
  const [serverSocket] = (await served) as [NetSocket];
  let taken = 0;
  poll.on('data', (chunk) => {
    taken += chunk.length;
  });
  poll.once('data', () => poll.pause());
  poll.write(`GET /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await within('the end of the connection whose poll is not taken', once(serverSocket, 'close'));
  const ended = once(poll, 'close');
  poll.resume();
  await ended;
  assert.ok(taken > 0 && taken < 24 * MEBIBYTE, `${taken} bytes`);
});

test('T22: of what only the newest counts of, nothing piles up for a reader that stops, who is not cut and has the last one when it reads on', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const reader = await rig.signedInWebSocket('/agent', 'ada');
  await rawRequest(reader, '/agent', { id: 1, body: attachBody });
  const connection = rig.calls[0]?.connection as AgentConnection;
  const seen: string[] = [];
  const last = new Promise<void>((resolve) => {
    reader.on('message', (data) => {
      const title = /"title":"(\d+)"/.exec(String(data))?.[1];
      if (title !== undefined) seen.push(title);
      if (title === '199') resolve();
    });
  });
  reader.pause();
  for (let number = 0; number < 200; number += 1) {
    const picture = { sessionId: SESSION, at: '2026-11-22T10:00:00.000Z', url: '', title: String(number), width: 1, height: 1, image: 'x'.repeat(500_000) };
    connection.showNewest(SESSION, 'browser:frame', picture);
    await new Promise((done) => setImmediate(done));
  }
  assert.equal(rig.logged('slow_consumer').length, 0);
  reader.resume();
  await last;
  assert.ok(seen.length < 50, `${seen.length} of 200 were sent to a reader that did not read`);
  assert.deepEqual(
    seen,
    seen.toSorted((one, other) => Number(one) - Number(other)),
  );
});

test('T22: a polling client is shown the newest with its next poll, and whoever has gone is shown nothing', async () => {
  await using rig = await TransportRig.start({ agent: attaching ?? {} });
  const client = await rig.connected('/agent', 'ada', { transports: ['polling'] });
  await client.emitWithAck('session:attach', { sessionId: SESSION });
  const connection = rig.calls[0]?.connection as AgentConnection;
  const state = (name: 'away' | 'silent') => ({ sessionId: SESSION, at: '2026-11-22T10:00:00.000Z', state: name });
  const heard = new Promise((resolve) => client.on('browser:state', (notice: { state: string }) => notice.state === 'silent' && resolve(notice)));
  for (let index = 0; index < 20; index += 1) connection.showNewest(SESSION, 'browser:state', state('away'));
  connection.showNewest(SESSION, 'browser:state', state('silent'));
  await heard;
  const ended = new Promise<void>((resolve) => connection.onEnd(resolve));
  client.disconnect();
  await ended;
  connection.showNewest(SESSION, 'browser:state', state('away'));
  await new Promise<void>((resolve) => connection.onEnd(resolve));
});

test('T15: a half-open peer is noticed by its missing pong', async () => {
  // It answers no ping, and has to sign in before that ends its connection, on a busy machine too.
  await using rig = await TransportRig.start({ limits: { pingIntervalMs: 50, pingTimeoutMs: 1_500 } });
  const silent = await rig.signedInWebSocket('/agent', 'ada');
  await once(silent, 'close');
  assert.equal(rig.logged('disconnected')[0]?.reason, 'ping timeout');
});

test('T15: a peer whose pong is stuck behind its own upload stays', async () => {
  await using rig = await TransportRig.start({ limits: { pingIntervalMs: 100, pingTimeoutMs: 1_500 } });
  const silent = await rig.signedInWebSocket('/agent', 'ada');
  // The start of a long frame, then bytes of it one by one: no pong can come before its end.
  const body = `42/agent,1["session:list",{"pad":"${'x'.repeat(60)}"}]`;
  const frame = Buffer.concat([Buffer.from([0x81, 0x80 | body.length, 0, 0, 0, 0]), Buffer.from(body)]);
  const { _socket: tcp } = silent as unknown as { _socket: { write(bytes: Buffer): void } };
  let sent = 0;
  const answered = once(silent, 'message', { signal: AbortSignal.timeout(15_000) });
  const dribble = setInterval(() => {
    tcp.write(frame.subarray(sent, sent + 4));
    sent += 4;
    if (sent >= frame.length) clearInterval(dribble);
  }, 120);
  await answered;
  while (rig.calls.length === 0 && rig.transport.connections().open === 1) await new Promise((done) => setTimeout(done, 20));
  clearInterval(dribble);
  assert.equal(rig.calls.length, 1, 'the upload that took longer than the ping timeout was read');
});
