import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until, within } from '@tendon/testing';
import { httpRig } from './http-rig.ts';

/* The whole HTTP server while more ask than are let in. */

const ONE_ONLY = { burst: 1, perSecond: 0.001, mostOfAddress: 2 };

test('H30, H3: too many requests are refused before any credential is looked at, with Retry-After and the security headers', async () => {
  const rig = await httpRig({}, {}, ONE_ONLY);
  const health = await rig.ask('GET', '/healthz');
  assert.equal(health.status, 200);
  const waiting = [1, 2].map(() => connect(rig.port, '127.0.0.1').on('error', () => undefined));
  for (const socket of waiting) socket.write(`GET /api/me HTTP/1.1\r\nHost: 127.0.0.1:${rig.port}\r\nAuthorization: Bearer tnd_wrong\r\n\r\n`);
  await until({ what: 'both to wait', check: () => rig.entrance.waiting === 2 || undefined, pollMs: 5, deadlineMs: 20_000 });
  const refused = await rig.ask('GET', '/api/me', { Authorization: 'Bearer tnd_wrong' });
  assert.deepEqual([refused.status, refused.headers['retry-after'], refused.headers.connection], [429, '2', 'close']);
  assert.deepEqual(JSON.parse(String(refused.body)), {
    error: { code: 'rate_limited', message: 'Too many requests of your address wait. Try again in a moment.' },
  });
  assert.match(String(refused.headers['content-security-policy']), /default-src 'none'/);
  const head = await rig.ask('HEAD', '/');
  assert.deepEqual([head.status, head.body.length], [429, 0]);
  const foreign = await rig.ask('GET', '/', { Host: 'evil.example' });
  assert.equal(foreign.status, 421, 'the door comes first');
  assert.deepEqual(
    rig.auth.lines.filter(({ event }) => event === 'auth'),
    [],
  );
  const ends = waiting.map((socket) => once(socket.resume(), 'close'));
  await within('a server to close that keeps people waiting', Promise.resolve(rig[Symbol.asyncDispose]()), 20_000);
  await Promise.all(ends);
});
