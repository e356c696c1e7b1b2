import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { test } from 'node:test';
import { until, within } from '@tendon/testing';
import { CredentialPace } from './credential-pace.ts';
import { httpRig } from './http-rig.ts';

/* The whole HTTP server while more ask than are let in. */

const ONE_ONLY = { burst: 1, perSecond: 0.001, mostOfAddress: 2 };

test('H30, H3: too many requests are refused before any credential is looked at, with Retry-After and the security headers', async () => {
  const rig = await httpRig({}, {}, { limits: ONE_ONLY });
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

test('H31: a credential that asks too often is told to wait and is not looked up; another one is answered', async () => {
  const clock = { ms: 0 };
  await using rig = await httpRig({}, {}, { pace: new CredentialPace(() => clock.ms) });
  const askWith = (key: string) => rig.ask('GET', '/api/me', { Authorization: `Bearer ${key}` });
  const newKey = async () => (await rig.auth.auth.createKey({ userId: rig.auth.auth.ownerId, name: 'a script' })).key;
  const [mine, other] = [await newKey(), await newKey()];
  const answers = await Promise.all(Array.from({ length: 405 }, () => askWith(mine)));
  const statuses = Map.groupBy(answers, ({ status }) => status);
  assert.deepEqual([statuses.get(200)?.length, statuses.get(429)?.length], [400, 5]);
  assert.equal(statuses.get(429)?.[0]?.headers['retry-after'], '1');
  assert.equal(rig.auth.lines.filter(({ event }) => event === 'auth').length, 400);
  assert.equal((await askWith(other)).status, 200);
  clock.ms += 10;
  assert.deepEqual([(await askWith(mine)).status, (await askWith(mine)).status], [200, 429]);
});

test('H31: a session has its pace whatever stands around its cookie and however it is written; what a proxy adds for everybody is no credential', async () => {
  const pace = new CredentialPace(() => 0);
  await using rig = await httpRig({}, {}, { pace });
  const link = new URL(await rig.auth.auth.signInLink());
  const { headers } = await rig.ask('GET', `${link.pathname}${link.search}`);
  const [name = '', value = ''] = String(headers['set-cookie']?.[0]).split(';', 1)[0]?.split(/=(.*)/, 2) ?? [];
  // `ab…` as `%61b…`, then `a%62…`: the same to whoever reads it.
  const written = (turn: number): string => {
    const at = turn % 20;
    return `turn=${turn}; ${name}=${value.slice(0, at)}%${value.charCodeAt(at).toString(16)}${value.slice(at + 1)}`;
  };
  const ask = (turn: number) => rig.ask('GET', '/api/me', { Origin: rig.origin, Authorization: `Basic ${turn}`, Cookie: written(turn) });
  assert.equal((await ask(0)).status, 200);
  for (let turn = 1; turn < 400; turn += 1) assert.ok(pace.take({ token: undefined, cookie: written(turn) }).ok);
  assert.equal((await ask(400)).status, 429);
  for (let turn = 0; turn < 400; turn += 1) pace.take({ token: undefined, cookie: 'route=1' });
  assert.equal((await rig.ask('GET', '/api/me', { Origin: rig.origin, Authorization: 'Basic c2hhcmVk', Cookie: 'route=1' })).status, 401);
});

test('H31: a signed token has one pace however the end of its signature is written', () => {
  const pace = new CredentialPace(() => 0);
  const signature = Buffer.from('a signature of some bytes').toString('base64url');
  const ends = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].map((end) => `${signature.slice(0, -1)}${end}`);
  const same = ends.filter((end) => Buffer.from(end, 'base64url').equals(Buffer.from(signature, 'base64url')));
  assert.ok(same.length > 1);
  for (let turn = 0; turn < 400; turn += 1) assert.ok(pace.take({ token: `head.claims.${same[turn % same.length]}`, cookie: undefined }).ok);
  for (const end of same) assert.equal(pace.take({ token: `head.claims.${end}`, cookie: undefined }).ok, false);
  assert.ok(pace.take({ token: `head.others.${signature}`, cookie: undefined }).ok);
});
