import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Auth } from './auth.ts';
import { type AuthRig, authRig, cookiePair } from './auth-rig.ts';
import { ensureOwner } from './owner.ts';
import type { Attempt, Decision } from './principal.ts';

const ORIGIN = 'http://127.0.0.1:7420';
const CLIENT = { name: 'test', version: '1' };
const GATEWAY = '0192a7c0-0000-7000-8000-000000000001';

function attempt(more: Partial<Attempt>): Attempt {
  return { headers: {}, address: '127.0.0.1', namespace: '/agent', client: CLIENT, ...more };
}

function codeOf(decision: Decision): string {
  return decision.ok ? 'ok' : decision.code;
}

function tokenOf(link: string): string {
  return String(new URL(link).searchParams.get('token'));
}

async function signIn(rig: AuthRig, address = '127.0.0.1'): Promise<string> {
  const redeemed = await rig.auth.signIn.byLink(tokenOf(await rig.auth.signInLink()), { headers: {}, address });
  assert.ok(redeemed.ok);
  return cookiePair(String(redeemed.setCookies[0]));
}

test('H4: of 100 parallel uses of a link exactly one signs in', async () => {
  await using rig = await authRig();
  await rig.auth.warm();
  for (let round = 0; round < 3; round += 1) {
    const token = tokenOf(await rig.auth.signInLink());
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, index) => rig.auth.signIn.byLink(token, { headers: {}, address: `10.${round}.0.${index}` })),
    );
    assert.equal(results.filter((result) => result.ok).length, 1);
  }
  const { rows } = await rig.database.pool.query('select count(*)::int as count from auth_sessions');
  assert.equal(rows[0].count, 3);
});

test('H4: a link ends after 15 minutes, and only its hash is stored', async () => {
  await using rig = await authRig();
  const link = await rig.auth.signInLink();
  assert.match(link, /^http:\/\/127\.0\.0\.1:7420\/sign-in\?token=[A-Za-z0-9_-]{43}$/);
  const stored = JSON.stringify((await rig.database.pool.query('select * from sign_in_links')).rows);
  assert.ok(!stored.includes(tokenOf(link)));
  rig.clock.now = new Date(rig.clock.now.getTime() + 15 * 60_000);
  assert.deepEqual(await rig.auth.signIn.byLink(tokenOf(link), { headers: {}, address: '10.0.0.1' }), { ok: false, code: 'unauthorized' });
  const second = await rig.auth.signInLink();
  rig.clock.now = new Date(rig.clock.now.getTime() + 15 * 60_000 - 1);
  assert.equal((await rig.auth.signIn.byLink(tokenOf(second), { headers: {}, address: '10.0.0.1' })).ok, true);
});

test('H6: the cookie is HttpOnly, Strict, named after the port, and Secure behind https', async () => {
  await using rig = await authRig();
  const redeemed = await rig.auth.signIn.byLink(tokenOf(await rig.auth.signInLink()), { headers: {}, address: '10.0.0.1' });
  assert.ok(redeemed.ok);
  assert.equal(redeemed.setCookies.length, 1);
  const [line = ''] = redeemed.setCookies;
  assert.match(line, /^tendon-7420\.session_token=/);
  for (const attribute of [/HttpOnly/i, /SameSite=Strict/i, /Path=\//i, /Max-Age=2592000/i]) assert.match(line, attribute);
  assert.doesNotMatch(line, /Secure/i);
  await using secure = await authRig({ publicUrl: 'https://tendon.example' });
  const safe = await secure.auth.signIn.byLink(tokenOf(await secure.auth.signInLink()), { headers: {}, address: '10.0.0.1' });
  assert.ok(safe.ok);
  assert.match(String(safe.setCookies[0]), /^__Secure-tendon-443\.session_token=.*Secure/i);
});

test('H7: a key is created, used, listed and revoked', async () => {
  await using rig = await authRig();
  const { key, row } = await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'script' });
  assert.match(key, /^tnd_[A-Za-z0-9_-]{43}$/);
  const accepted = await rig.auth.authenticate(attempt({ token: key }));
  assert.deepEqual(accepted, {
    ok: true,
    principal: { userId: rig.auth.ownerId, path: 'token', credentialId: row.id, kind: 'user', gatewayId: undefined, scopes: undefined, expiresAt: undefined },
  });
  const stored = JSON.stringify((await rig.database.pool.query('select * from api_keys')).rows);
  assert.ok(!stored.includes(key) && !stored.includes(key.slice(8)));
  assert.deepEqual(
    (await rig.auth.listKeys(rig.auth.ownerId)).map((listed) => listed.prefix),
    [key.slice(0, 8)],
  );
  assert.equal(await rig.auth.revokeKey(GATEWAY, row.id), false);
  assert.equal(await rig.auth.revokeKey(rig.auth.ownerId, row.id), true);
  assert.equal(await rig.auth.revokeKey(rig.auth.ownerId, row.id), false);
  assert.equal(codeOf(await rig.auth.authenticate(attempt({ token: key }))), 'unauthorized');
});

test('H7: a key that is good is listed, however many were made and revoked after it', async () => {
  await using own = await authRig();
  const { auth, database, clock } = own;
  const make = (name: string, expiresAt?: Date) => auth.createKey({ userId: auth.ownerId, name, expiresAt });
  const [{ row: hidden }, { row: soon }] = [await make('a door to come back by'), await make('over soon', new Date(clock.now.getTime() + 60_000))];
  await database.pool.query(
    `insert into api_keys (id, user_id, name, kind, hash, prefix, created_at, revoked_at)
     select gen_random_uuid(), $1, 'heap', 'user', 'heap ' || number, 'tnd_heap', $2, $2 from generate_series(1, 1000) as number`,
    [auth.ownerId, new Date(clock.now.getTime() + 1_000)],
  );
  const first = async () => (await auth.listKeys(auth.ownerId)).slice(0, 2).map(({ id, name }) => (name === 'heap' ? name : id));
  assert.deepEqual(await first(), [soon.id, hidden.id]);
  clock.now = new Date(clock.now.getTime() + 120_000);
  assert.deepEqual(await first(), [hidden.id, 'heap']);
});

test('H7: a key ends by itself, and its use is noted once a minute', async () => {
  await using rig = await authRig();
  const start = rig.clock.now.getTime();
  const { key, row } = await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'short', expiresAt: new Date(start + 600_000) });
  const uses: (number | undefined)[] = [];
  for (const afterMs of [0, 30_000, 59_000, 61_000, 599_999, 600_000]) {
    rig.clock.now = new Date(start + afterMs);
    const decision = await rig.auth.authenticate(attempt({ token: key }));
    assert.equal(decision.ok, afterMs < 600_000);
    await rig.noted();
    uses.push((await rig.auth.listKeys(rig.auth.ownerId)).find((listed) => listed.id === row.id)?.lastUsedAt?.getTime());
  }
  assert.deepEqual(
    uses.map((time) => (time ?? 0) - start),
    [0, 0, 0, 61_000, 599_999, 599_999],
  );
});

test("H8: a gateway's key opens /gateway only and carries its machine", async () => {
  await using rig = await authRig();
  const { key } = await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'machine', gatewayId: GATEWAY });
  const decision = await rig.auth.authenticate(attempt({ token: key, namespace: '/gateway' }));
  assert.ok(decision.ok);
  assert.deepEqual([decision.principal.kind, decision.principal.gatewayId], ['gateway', GATEWAY]);
  assert.equal(codeOf(await rig.auth.authenticate(attempt({ token: key, namespace: '/agent' }))), 'unauthorized');
  assert.equal(codeOf(await rig.auth.authenticate(attempt({ token: key, namespace: 'http' }))), 'unauthorized');
});

test('H9: the first credential that is there decides', async () => {
  await using rig = await authRig({ ownerKey: 'owner-key-owner-key-owner-key-owner-key' });
  const cookie = await signIn(rig);
  const headers = { cookie, origin: ORIGIN };
  const paths = async (more: Partial<Attempt>) => {
    const decision = await rig.auth.authenticate(attempt(more));
    return decision.ok ? decision.principal.path : decision.code;
  };
  assert.equal(await paths({ token: 'owner-key-owner-key-owner-key-owner-key', headers }), 'token');
  assert.equal(await paths({ token: 'wrong', headers }), 'unauthorized');
  assert.equal(await paths({ headers }), 'cookie');
  assert.equal(await paths({ token: '', headers }), 'cookie');
  assert.equal(await paths({}), 'unauthorized');
  const open = await rig.another({ auth: 'disabled' });
  const decision = await open.authenticate(attempt({ token: 'wrong' }));
  assert.ok(decision.ok && decision.principal.path === 'disabled' && decision.principal.userId === rig.auth.ownerId);
});

test('H10: a cookie needs a page of ours, and does not open /gateway', async () => {
  await using rig = await authRig();
  const cookie = await signIn(rig);
  const rows: [Attempt['headers'], Attempt['namespace'], string][] = [
    [{ cookie, origin: ORIGIN }, '/agent', 'ok'],
    [{ cookie, origin: 'http://localhost:7420' }, '/agent', 'ok'],
    [{ cookie, 'sec-fetch-site': 'same-origin', host: '127.0.0.1:7420' }, '/agent', 'ok'],
    [{ cookie, 'sec-fetch-site': 'same-origin', host: 'evil.com:7420' }, '/agent', 'forbidden_origin'],
    [{ cookie }, '/agent', 'forbidden_origin'],
    [{ cookie, 'x-requested-with': 'tendon', host: '127.0.0.1:7420' }, 'http', 'ok'],
    [{ cookie, 'x-requested-with': 'tendon', host: 'evil.com:7420' }, 'http', 'forbidden_origin'],
    [{ cookie, 'x-requested-with': 'tendon', host: '127.0.0.1:7420', 'sec-fetch-site': 'cross-site' }, 'http', 'forbidden_origin'],
    [{ cookie, 'x-requested-with': 'tendon', host: '127.0.0.1:7420', origin: 'null' }, 'http', 'forbidden_origin'],
    [{ cookie, 'sec-fetch-site': 'none' }, '/agent', 'forbidden_origin'],
    [{ cookie, 'sec-fetch-site': 'cross-site' }, 'http', 'forbidden_origin'],
    [{ cookie, origin: 'https://evil.com' }, '/agent', 'forbidden_origin'],
    [{ cookie, origin: 'https://evil.com', 'sec-fetch-site': 'same-origin' }, '/agent', 'forbidden_origin'],
    [{ cookie, origin: 'null' }, '/agent', 'forbidden_origin'],
    [{ cookie, origin: ORIGIN }, '/gateway', 'unauthorized'],
    [{ cookie: `${cookie}x`, origin: ORIGIN }, '/agent', 'unauthorized'],
    [{ cookie: `${cookie.split('=')[0]}=`, origin: ORIGIN }, '/agent', 'unauthorized'],
    [{ cookie: `${cookie.split('.').slice(0, 2).join('.')}.AAAA`, origin: ORIGIN }, '/agent', 'unauthorized'],
    [{ cookie: 'other=1', origin: ORIGIN }, '/agent', 'unauthorized'],
  ];
  for (const [headers, namespace, expected] of rows)
    assert.equal(codeOf(await rig.auth.authenticate(attempt({ headers, namespace }))), expected, JSON.stringify({ headers, namespace }));
});

test('H12: 500 parallel wrong keys from loopback: 300 are looked at, then even the right one waits', async () => {
  await using rig = await authRig({ ownerKey: 'owner-key-owner-key-owner-key-owner-key' });
  const decisions = await Promise.all(Array.from({ length: 500 }, (_, index) => rig.auth.authenticate(attempt({ token: `wrong-${index}` }))));
  assert.equal(decisions.filter((decision) => codeOf(decision) === 'unauthorized').length, 300);
  assert.equal(decisions.filter((decision) => codeOf(decision) === 'rate_limited').length, 200);
  const right = attempt({ token: 'owner-key-owner-key-owner-key-owner-key' });
  const refused = await rig.auth.authenticate(right);
  assert.ok(!refused.ok && refused.code === 'rate_limited');
  assert.ok((refused.retryAfterMs ?? 0) > 0 && (refused.retryAfterMs ?? 0) <= 3_000);
  assert.equal((await rig.auth.authenticate({ ...right, address: '::1' })).ok, true);
  rig.clock.now = new Date(rig.clock.now.getTime() + Number(refused.retryAfterMs));
  for (let index = 0; index < 50; index += 1) assert.equal((await rig.auth.authenticate(right)).ok, true);
});

test('H12: wrong links are limited too', async () => {
  await using rig = await authRig();
  const results = await Promise.all(Array.from({ length: 60 }, (_, index) => rig.auth.signIn.byLink(`wrong-${index}`, { headers: {}, address: '127.0.0.1' })));
  assert.equal(results.filter((result) => !result.ok && result.code === 'rate_limited').length, 40);
});

test('H13, I15: each attempt makes one line with the facts and without the credential', async () => {
  await using rig = await authRig({ ownerKey: 'owner-key-owner-key-owner-key-owner-key' });
  const cookie = await signIn(rig);
  const { key } = await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'x', gatewayId: GATEWAY });
  const rows: [Attempt, string, string][] = [
    [attempt({ token: 'owner-key-owner-key-owner-key-owner-key' }), 'token', 'accepted'],
    [attempt({ token: key, namespace: '/gateway' }), 'token', 'accepted'],
    [attempt({ token: key }), 'token', 'refused'],
    [attempt({ token: 'canary-canary\n\u001b[2J' }), 'token', 'refused'],
    [attempt({ headers: { cookie, origin: ORIGIN } }), 'cookie', 'accepted'],
    [attempt({ headers: { cookie } }), 'cookie', 'refused'],
    [attempt({ client: { name: 'evil\nname', version: '1' } }), 'none', 'refused'],
  ];
  for (const [request, path, outcome] of rows) {
    rig.lines.length = 0;
    await rig.auth.authenticate(request);
    assert.equal(rig.lines.length, 1);
    const [line = {}] = rig.lines;
    assert.deepEqual(
      [line['event'], line['path'], line['outcome'], line['address'], line['namespace']],
      ['auth', path, outcome, '127.0.0.1', request.namespace],
    );
    assert.equal(line['client'], `${request.client?.name}/1`);
    assert.equal(line['user'], outcome === 'accepted' ? rig.auth.ownerId : undefined);
  }
  const value = decodeURIComponent(String(cookie.split('=')[1]));
  for (const secret of [key, value, value.split('.')[0], 'canary-canary', 'owner-key-owner', Buffer.from(key).toString('base64')])
    assert.ok(!rig.rawLines.join('').includes(String(secret)));
});

test('H14: a revoked key and a sign-out are announced with the credential of their connections', async () => {
  await using rig = await authRig();
  const told: unknown[] = [];
  const stop = rig.auth.onRevoked((revoked) => told.push(revoked));
  const { row } = await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'x' });
  await rig.auth.revokeKey(rig.auth.ownerId, row.id);
  const headers = { cookie: await signIn(rig), origin: ORIGIN };
  const before = await rig.auth.authenticate(attempt({ headers }));
  assert.ok(before.ok);
  const setCookies = await rig.auth.signOut(headers, '10.0.0.1');
  assert.match(setCookies.join('\n'), /session_token=;.*Max-Age=0/i);
  assert.deepEqual(told, [{ credentialId: row.id }, { credentialId: before.principal.credentialId }]);
  assert.equal(codeOf(await rig.auth.authenticate(attempt({ headers }))), 'unauthorized');
  stop();
  await rig.auth.revokeKey(rig.auth.ownerId, (await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'y' })).row.id);
  assert.equal(told.length, 2);
});

test('H14, I14: what ended at another node, or in the database itself, is found out by asking', async () => {
  await using rig = await authRig();
  const told: string[] = [];
  rig.auth.onRevoked(({ credentialId }) => told.push(credentialId));
  const userId = rig.auth.ownerId;
  const [kept, revoked, deleted, expiring] = await Promise.all(
    ['kept', 'revoked', 'deleted', 'expiring'].map(async (name) => {
      const expiresAt = name === 'expiring' ? new Date(rig.clock.now.getTime() + 60_000) : undefined;
      return (await rig.auth.createKey({ userId, name, expiresAt })).row.id;
    }),
  );
  const signedIn = await rig.auth.authenticate(attempt({ headers: { cookie: await signIn(rig), origin: ORIGIN } }));
  const other = await rig.auth.authenticate(attempt({ headers: { cookie: await signIn(rig), origin: ORIGIN } }));
  assert.ok(signedIn.ok && other.ok);
  const inUse = [kept, revoked, deleted, expiring, signedIn.principal.credentialId, other.principal.credentialId, 'disabled', `jwt:${userId}`].map(String);
  const watch = rig.auth.watchEnded(() => inUse);
  await watch.look();
  assert.deepEqual(told, []);

  const node = await rig.another();
  await node.revokeKey(userId, String(revoked));
  await rig.database.pool.query('delete from api_keys where id = $1', [deleted]);
  await node.devices.end(userId, other.principal.credentialId);
  rig.clock.now = new Date(rig.clock.now.getTime() + 60_000);
  await watch.look();
  assert.deepEqual(told.toSorted(), [revoked, deleted, expiring, other.principal.credentialId].map(String).toSorted());
  await watch.close();
});

test('H15: ten nodes that start at once make one owner', async () => {
  await using rig = await authRig();
  await rig.database.pool.query('delete from users');
  const ids = await Promise.all(Array.from({ length: 10 }, () => ensureOwner(rig.database.pool)));
  assert.equal(new Set(ids).size, 1);
  const { rows } = await rig.database.pool.query(`select id from users where role = 'owner'`);
  assert.deepEqual(rows, [{ id: ids[0] }]);
});

test('H15: the owner key is taken over once and stays revoked', async () => {
  const ownerKey = 'owner-key-owner-key-owner-key-owner-key';
  await using rig = await authRig({ ownerKey });
  await rig.another();
  const keys = await rig.auth.listKeys(rig.auth.ownerId);
  assert.equal(keys.length, 1);
  await rig.auth.revokeKey(rig.auth.ownerId, String(keys[0]?.id));
  const next = await rig.another();
  assert.equal(codeOf(await next.authenticate(attempt({ token: ownerKey }))), 'unauthorized');
});

test('H15: another value of the owner key ends the earlier one everywhere, and so does its absence; neither comes back', async () => {
  const [first, second, third] = ['a', 'b', 'c'].map((letter) => letter.repeat(40));
  await using rig = await authRig({ ownerKey: first });
  const good = async (node: Auth, token = ''): Promise<string> => codeOf(await node.authenticate(attempt({ token })));
  const made = await rig.auth.createKey({ userId: rig.auth.ownerId, name: 'TENDON_OWNER_KEY' });
  const standing = await rig.auth.authenticate(attempt({ token: first }));
  assert.ok(standing.ok);
  const ended: string[] = [];
  rig.auth.onRevoked(({ credentialId }) => ended.push(credentialId));
  const watch = rig.auth.watchEnded(() => [standing.principal.credentialId, made.row.id]);
  const warnings = () => rig.lines.filter(({ level, msg }) => level === 'warn' && String(msg).includes('TENDON_OWNER_KEY')).map(({ msg }) => msg);

  const next = await rig.another({ ownerKey: second });
  await watch.look();
  await watch.close();
  assert.deepEqual(ended, [standing.principal.credentialId]);
  for (const node of [rig.auth, next])
    assert.deepEqual([await good(node, first), await good(node, second), await good(node, made.key)], ['unauthorized', 'ok', 'ok']);
  assert.deepEqual(warnings(), ['what TENDON_OWNER_KEY said before is revoked: it has another value now']);

  // As an earlier version stored it, which kept no note of what it took over.
  await rig.database.pool.query('update api_keys set is_imported = false');
  const last = await rig.another({ ownerKey: third });
  assert.deepEqual([await good(last, second), await good(last, third), await good(last, made.key)], ['unauthorized', 'ok', 'ok']);
  const without = await rig.another({ ownerKey: undefined });
  assert.deepEqual([await good(without, third), await good(without, made.key)], ['unauthorized', 'ok']);
  const back = await rig.another({ ownerKey: third });
  assert.equal(await good(back, third), 'unauthorized');
  assert.deepEqual(warnings().slice(2), [
    'what TENDON_OWNER_KEY said before is revoked: the variable is gone',
    'TENDON_OWNER_KEY says a key that was revoked, and lets nobody in: give it a new value',
  ]);
});

test('H19: a lost database refuses to be tried again, and does not throw', async () => {
  const rig = await authRig();
  await rig[Symbol.asyncDispose]();
  assert.equal(codeOf(await rig.auth.authenticate(attempt({ token: 'some-key' }))), 'shutting_down');
});
