import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { DoorVerdict } from './options.ts';
import { TransportRig } from './transport-rig.ts';

const CLOSED: DoorVerdict = { ok: false, status: 403, code: 'forbidden_origin', message: 'not from there' };

function upgradeRequest(query: string): string {
  return [
    `GET /socket.io/?EIO=4&${query} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    '',
    '',
  ].join('\r\n');
}

async function rawResponse(rig: TransportRig, request: string): Promise<string> {
  const socket = rig.tcp();
  let received = '';
  socket.on('data', (chunk) => {
    received += String(chunk);
  });
  socket.end(request);
  await once(socket, 'close');
  return received;
}

test('T2: every poll, post and upgrade passes the door, not only the first request', async () => {
  let verdict: DoorVerdict = { ok: true };
  await using rig = await TransportRig.start({ door: () => verdict });
  const opened = await (await fetch(rig.url('transport=polling'))).text();
  const { sid } = JSON.parse(opened.slice(1)) as { sid: string };
  verdict = CLOSED;
  for (const method of ['GET', 'POST']) {
    const refused = await fetch(rig.url(`transport=polling&sid=${sid}`), { method, ...(method === 'POST' && { body: '40/agent,{}' }) });
    assert.equal(refused.status, 403);
    assert.deepEqual(await refused.json(), { code: 'forbidden_origin', message: 'not from there' });
  }
  const upgrade = await rawResponse(rig, upgradeRequest(`transport=websocket&sid=${sid}`));
  assert.match(upgrade, /^HTTP\/1\.1 403 Forbidden\r\n/);
  assert.match(upgrade, /"forbidden_origin"/);
  assert.equal((await fetch(rig.url('transport=polling'))).status, 403);
  assert.match(await rawResponse(rig, upgradeRequest('transport=websocket')), /^HTTP\/1\.1 403 /);
  assert.equal(rig.attempts.length, 0);
});

test('T2: a door check that throws lets nobody in and ends nothing', async () => {
  let isBroken = true;
  await using rig = await TransportRig.start({
    door: () => {
      if (isBroken) throw new Error('secret');
      return { ok: true };
    },
  });
  const refused = await fetch(rig.url('transport=polling'));
  assert.equal(refused.status, 500);
  assert.doesNotMatch(await refused.text(), /secret/);
  isBroken = false;
  await rig.connected('/agent', 'ada');
});

test('T2: odd requests under the path are refused and end nothing', async () => {
  await using rig = await TransportRig.start();
  const queries = [
    '',
    'transport=__proto__',
    'transport=polling&sid=__proto__',
    'transport=polling&sid=constructor',
    'transport=websocket',
    'transport=webtransport',
    'transport=polling&EIO=3&sid=%00',
  ];
  for (const query of queries) {
    const response = await fetch(rig.url(query));
    assert.equal(response.status, 400, query);
    await response.text();
  }
  assert.equal((await fetch(rig.url('transport=polling'), { method: 'DELETE' })).status, 400);
  assert.match(await rawResponse(rig, upgradeRequest('transport=polling')), /^HTTP\/1\.1 (101|400) /);
  assert.match(await rawResponse(rig, 'GET /socket.io/?EIO=3&transport=polling HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
  assert.match(await rawResponse(rig, 'GET /socket.io/socket.io.js HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400 /);
  await rig.connected('/agent', 'ada');
});

test('T2: no cookie, no CORS header and no compression come from the transport', async () => {
  await using rig = await TransportRig.start();
  const response = await fetch(rig.url('transport=polling'), { headers: { origin: 'http://evil.example' } });
  await response.text();
  assert.equal(response.headers.get('set-cookie'), null);
  assert.equal(response.headers.get('access-control-allow-origin'), null);
  const upgraded = await rawResponse(
    rig,
    upgradeRequest('transport=websocket').replace('\r\n\r\n', '\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n'),
  );
  assert.match(upgraded, /^HTTP\/1\.1 101 /);
  assert.doesNotMatch(upgraded, /permessage-deflate/);
});
