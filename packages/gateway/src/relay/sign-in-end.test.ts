import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mock, test } from 'node:test';
import { AGENT_NAMESPACE, SOCKET_PATH } from '@tendon/protocol';
import { relayRig } from '@tendon/testing';
import { Server } from 'socket.io';
import { LocalApprovals } from '../policy/local-approvals.ts';

const DAY_MS = 24 * 3_600_000;

test('L2: a page ends within a minute of its sign-in, after 30 days, and that of a later sign-in goes on', async () => {
  // How often is looked stands still; the sockets' own clocks go on.
  mock.timers.enable({ apis: ['setInterval'] });
  const server = createServer();
  const io = new Server(server, { path: SOCKET_PATH, serveClient: false });
  // Answers whatever is asked, so that a page can be seen to go on.
  io.of(AGENT_NAMESPACE).on('connection', (socket) => {
    socket.onAny((_name, _payload, acknowledge) => acknowledge({ ok: true, data: { stopped: false } }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const serverUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let now = 0;
  const front = await relayRig({ serverUrl, key: 'a key', approvals: new LocalApprovals('a machine'), now: () => now });
  const page = async () => {
    const browser = await front.signIn();
    return front.page({ browser, token: (await front.token(browser)) ?? assert.fail('no token') });
  };
  const early = await page();
  now = DAY_MS;
  const late = await page();
  const goesOn = () => late.ask('agent:stop', { sessionId: '0199c0de-0000-7000-8000-000000000001' });
  now = 30 * DAY_MS - 1;
  mock.timers.tick(60_000);
  await goesOn();
  assert.equal(early.isConnected, true);
  now = 30 * DAY_MS;
  mock.timers.tick(59_999);
  await goesOn();
  assert.equal(early.isConnected, true);
  mock.timers.tick(1);
  await early.ended;
  await goesOn();
  await front[Symbol.asyncDispose]();
  await io.close();
  mock.timers.reset();
});
