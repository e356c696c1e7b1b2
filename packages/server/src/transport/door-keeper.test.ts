import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import type { CrowdRefusal, DoorVerdict, Entrance, UnderWay } from './options.ts';
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

/** Keeps everybody waiting until it is told what to do with them. */
function heldEntrance() {
  const visits: Parameters<Entrance['admit']>[1][] = [];
  const wake = new EventTarget();
  const entrance: Entrance = {
    admit: (_request, visit) => {
      visits.push(visit);
      wake.dispatchEvent(new Event('change'));
    },
  };
  const next = async () => {
    while (visits.length === 0) await once(wake, 'change');
    return visits.shift() as (typeof visits)[number];
  };
  return { entrance, next };
}

const CROWDED: CrowdRefusal = { status: 429, message: 'Too many wait.', retryAfterS: 2 };

test('H29: polls, posts and upgrades wait for their turn as every other request does', async () => {
  const { entrance, next } = heldEntrance();
  await using rig = await TransportRig.start({ entrance });
  const opening = fetch(rig.url('transport=polling'));
  const first = await next();
  assert.equal(rig.transport.connections().open, 0);
  first.letIn();
  const { sid } = JSON.parse((await (await opening).text()).slice(1)) as { sid: string };
  const posting = fetch(rig.url(`transport=polling&sid=${sid}`), {
    method: 'POST',
    body: '40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}',
  });
  const post = await next();
  assert.equal(rig.attempts.length, 0);
  post.letIn();
  assert.equal((await posting).status, 200);
  const upgrading = rig.webSocket();
  const upgrade = await next();
  assert.equal(rig.transport.connections().open, 1);
  upgrade.letIn();
  await upgrading;
  assert.equal(rig.transport.connections().open, 2);
});

test('H32: what is posted has a place before it is read; polls and WebSockets, which last, need none', async () => {
  const { entrance, next } = heldEntrance();
  const underWay: UnderWay = { begin: async (request, _response, errand) => entrance.admit(request, errand) };
  await using rig = await TransportRig.start({ underWay });
  const { sid } = JSON.parse((await (await fetch(rig.url('transport=polling'))).text()).slice(1)) as { sid: string };
  const post = () => {
    const body = '40/agent,{"protocol":1,"token":"ada","client":{"name":"x","version":"1"}}';
    return fetch(rig.url(`transport=polling&sid=${sid}`), { method: 'POST', body });
  };
  const refused = post();
  (await next()).refuse(CROWDED);
  assert.deepEqual([(await refused).status, (await refused).headers.get('retry-after')], [429, '2']);
  const posting = post();
  const waiting = await next();
  await rig.webSocket();
  const poll = fetch(rig.url(`transport=polling&sid=${sid}`));
  assert.equal(rig.attempts.length, 0);
  waiting.letIn();
  assert.equal((await posting).status, 200);
  assert.match(await (await poll).text(), /^40\/agent,/);
});

test('H30: polls and upgrades for which there is no place get their refusal with Retry-After', async () => {
  const { entrance, next } = heldEntrance();
  await using rig = await TransportRig.start({ entrance });
  const polling = fetch(rig.url('transport=polling'));
  (await next()).refuse(CROWDED);
  const refused = await polling;
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [429, '2']);
  assert.deepEqual(await refused.json(), { code: 'rate_limited', message: 'Too many wait.' });
  const upgrading = rawResponse(rig, upgradeRequest('transport=websocket'));
  (await next()).refuse(CROWDED);
  assert.match(await upgrading, /^HTTP\/1\.1 429 Too Many Requests\r\n(?:.+\r\n)*Retry-After: 2\r\n/);
  assert.equal(rig.transport.connections().open, 0);
});

test('T19: what waited while the transport closed is refused when its turn comes', async () => {
  const { entrance, next } = heldEntrance();
  await using rig = await TransportRig.start({ entrance });
  const polling = fetch(rig.url('transport=polling'));
  const waiting = await next();
  await rig.transport.close();
  waiting.letIn();
  assert.equal((await polling).status, 503);
});

test('T2, T19: while the transport closes nobody begins a session by naming one beside', async () => {
  await using rig = await TransportRig.start({ limits: { closeGraceMs: 60_000 } });
  const reader = await rig.signedInWebSocket('/agent', 'ada');
  reader.pause();
  const closing = rig.transport.close();
  for (const query of ['sid=none&sid=', '%73id=']) assert.equal((await fetch(rig.url(`transport=polling&${query}`))).status, 503);
  reader.terminate();
  await closing;
});
