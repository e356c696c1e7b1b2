import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cookiePair } from '../auth/auth-rig.ts';
import { type Answer, type HttpRig, httpRig } from './http-rig.ts';

interface ShownDevice {
  readonly id: string;
  readonly userAgent: string;
  readonly address: string;
  readonly signedInAt: string;
  readonly lastUsedAt: string;
  readonly lastMoment: string;
  readonly expiresAt: string;
  readonly isCurrent: boolean;
}

const DAY = 24 * 3_600_000;

let rig: HttpRig;
before(async () => {
  rig = await httpRig();
});
after(() => rig[Symbol.asyncDispose]());

/** The headers of a browser that has just signed in. */
async function signIn(userAgent: string): Promise<Record<string, string>> {
  const link = new URL(await rig.auth.auth.signInLink());
  const answer = await rig.ask('GET', `${link.pathname}${link.search}`, { 'User-Agent': userAgent });
  return { Cookie: cookiePair(String(answer.headers['set-cookie']?.[0])), 'Sec-Fetch-Site': 'same-origin' };
}

function json<T>(answer: Answer): T {
  return JSON.parse(answer.body.toString()) as T;
}

async function devicesOf(headers: Record<string, string>): Promise<readonly ShownDevice[]> {
  return json<{ devices: ShownDevice[] }>(await rig.ask('GET', '/api/devices', headers)).devices;
}

test('H23: each signed-in browser is listed with what it said of itself, and the one that asks is marked', async () => {
  const laptop = await signIn('Laptop/1');
  const phone = await signIn('<script>Phone/1');
  const seen = await devicesOf(phone);
  const own = seen.filter(({ userAgent }) => /Laptop|Phone/.test(userAgent));
  assert.deepEqual(own.map(({ userAgent, address, isCurrent }) => [userAgent, address, isCurrent]).toSorted(), [
    ['<script>Phone/1', '127.0.0.1', true],
    ['Laptop/1', '127.0.0.1', false],
  ]);
  for (const { signedInAt, lastUsedAt, expiresAt } of own) {
    assert.ok(Math.abs(Date.parse(signedInAt) - Date.now()) < 60_000 && signedInAt <= lastUsedAt);
    assert.ok(Date.parse(expiresAt) - Date.now() > 29 * DAY);
  }
  assert.equal((await devicesOf(laptop)).find(({ isCurrent }) => isCurrent)?.userAgent, 'Laptop/1');
  const text = (await rig.ask('GET', '/api/devices', phone)).body.toString();
  const cookie = decodeURIComponent(phone['Cookie']?.split('=')[1] ?? '');
  assert.ok(cookie.length > 40 && !text.includes(cookie) && !text.includes(String(cookie.split('.')[0])), 'the answer shows a credential');
});

test('H14, H23, P13: one that is signed out is announced, refused, and gone from the list', async () => {
  const [here, there] = [await signIn('Here/1'), await signIn('There/1')];
  const gone = (await devicesOf(here)).find(({ userAgent }) => userAgent === 'There/1');
  const told: string[] = [];
  const forget = rig.auth.auth.onRevoked(({ credentialId }) => told.push(credentialId));
  assert.equal((await rig.ask('DELETE', `/api/devices/${gone?.id.toUpperCase()}`, here)).status, 200);
  forget();
  assert.deepEqual(told, [gone?.id]);
  assert.equal((await rig.ask('GET', '/api/me', there)).status, 401);
  assert.ok(!(await devicesOf(here)).some(({ id }) => id === gone?.id));
  assert.equal((await rig.ask('DELETE', `/api/devices/${gone?.id}`, here)).status, 404, 'a second time there is nothing to sign out');
  for (const id of ['1', '0192a7c0-0000-7000-8000-000000000001', "' or 1=1"])
    assert.equal((await rig.ask('DELETE', `/api/devices/${encodeURIComponent(id)}`, here)).status, 404);
});

test('H23: all others are signed out at once, the one that asks stays', async () => {
  const [here, there] = [await signIn('Here/2'), await signIn('There/2')];
  const count = (await devicesOf(here)).length;
  const answer = await rig.ask('POST', '/api/devices/sign-out-others', here);
  assert.deepEqual([answer.status, json(answer)], [200, { ended: count - 1 }]);
  assert.deepEqual(
    (await devicesOf(here)).map(({ userAgent }) => userAgent),
    ['Here/2'],
  );
  assert.equal((await rig.ask('GET', '/api/me', there)).status, 401);
});

test('H10, H23: without a page of ours behind it a cookie lists and ends nothing', async () => {
  const here = await signIn('Here/3');
  const id = (await devicesOf(here)).find(({ isCurrent }) => isCurrent)?.id;
  const sites: Record<string, string>[] = [{}, { 'Sec-Fetch-Site': 'none' }, { 'Sec-Fetch-Site': 'cross-site' }, { Origin: 'https://evil.example' }];
  for (const site of sites) {
    const headers = { Cookie: here['Cookie'] ?? '', ...site };
    for (const [method, path] of [
      ['GET', '/api/devices'],
      ['DELETE', `/api/devices/${id}`],
      ['POST', '/api/devices/sign-out-others'],
    ] as const)
      assert.equal((await rig.ask(method, path, headers)).status, 403);
  }
  assert.equal((await rig.ask('GET', '/api/me', here)).status, 200);
});

test('H24: 90 days after its sign-in a session ends, however much it is used', async () => {
  const here = await signIn('Here/5');
  const own = async () => (await devicesOf(here)).find(({ isCurrent }) => isCurrent);
  const { pool } = rig.auth.database;
  const id = (await own())?.id ?? '';
  const age = (days: number, endsInDays: number) =>
    pool.query(`update auth_sessions set created_at = now() - $2 * interval '1 day', expires_at = now() + $3 * interval '1 day' where id = $1`, [
      id,
      days,
      endsInDays,
    ]);
  await age(80, 5);
  assert.match(String((await rig.ask('GET', '/api/me', here)).headers['set-cookie']), /session_token=/);
  const device = await own();
  assert.equal(device?.expiresAt, device?.lastMoment, 'it moved on to its last moment and not further');
  assert.ok(Math.abs(Date.parse(String(device?.lastMoment)) - Date.now() - 10 * 24 * 3_600_000) < 3_600_000);
  assert.equal((await rig.ask('GET', '/api/me', here)).headers['set-cookie'], undefined, 'there is nothing left to move');
  const ended: string[] = [];
  const stop = rig.auth.auth.onRevoked(({ credentialId }) => void ended.push(credentialId));
  const watch = rig.auth.auth.watchEnded(() => [id]);
  await watch.look();
  assert.deepEqual(ended, []);
  // Whatever its row says: one that an older Tendon has moved on.
  await age(91, 20);
  await watch.look();
  assert.deepEqual(ended, [id], 'its connections are told');
  assert.equal((await rig.ask('GET', '/api/me', here)).status, 401);
  assert.equal((await rig.ask('GET', '/api/devices', here)).status, 401);
  await watch.close();
  stop();
});

test('H24: the end of a session that is used moves on, at most once a day', async () => {
  const here = await signIn('Here/4');
  const own = async () => (await devicesOf(here)).find(({ isCurrent }) => isCurrent);
  const first = await own();
  assert.equal((await rig.ask('GET', '/api/me', here)).headers['set-cookie'], undefined);
  assert.equal((await own())?.expiresAt, first?.expiresAt);
  await rig.auth.database.pool.query(`update auth_sessions set expires_at = expires_at - interval '2 days' where id = $1`, [first?.id]);
  assert.match(String((await rig.ask('GET', '/api/me', here)).headers['set-cookie']), /session_token=.*Max-Age=2592000/);
  assert.ok(Date.parse((await own())?.expiresAt ?? '') >= Date.parse(first?.expiresAt ?? ''));
});
