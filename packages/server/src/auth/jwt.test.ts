import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { type CryptoKey, exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import type { Auth } from './auth.ts';
import { authRig } from './auth-rig.ts';
import { createJwtVerifier } from './jwt.ts';

const AUDIENCE = 'tendon';

/** An identity provider on real HTTP: publishes one key. */
async function provider() {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: 'ES256', use: 'sig' };
  const state = { status: 200 };
  const server = createServer((_request, response) =>
    response.writeHead(state.status, { 'Content-Type': 'application/json' }).end(JSON.stringify({ keys: [jwk] })),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    issuer,
    privateKey,
    jwk,
    state,
    config: { issuer, audience: AUDIENCE, jwksUrl: `${issuer}/jwks`, signUp: true },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Claims extends JWTPayload {
  readonly kid?: string;
  readonly typ?: string;
}

function sign(issuer: string, key: CryptoKey | Uint8Array, claims: Claims & { alg?: string } = {}): Promise<string> {
  const { kid = 'k1', alg = 'ES256', typ, ...payload } = claims;
  const now = Math.floor(Date.now() / 1_000);
  return new SignJWT({ iss: issuer, aud: AUDIENCE, sub: 'ann', exp: now + 600, iat: now, ...payload })
    .setProtectedHeader({ alg, kid, ...(typ === undefined ? {} : { typ }) })
    .sign(key);
}

test('H11: only a JWT with everything right is accepted', async () => {
  await using idp = await provider();
  const verify = createJwtVerifier(idp.config);
  const now = Math.floor(Date.now() / 1_000);
  const stranger = await generateKeyPair('ES256');
  const good = await sign(idp.issuer, idp.privateKey);
  const rows: [string, string, boolean][] = [
    ['all right', good, true],
    ['one of several audiences', await sign(idp.issuer, idp.privateKey, { aud: ['other', AUDIENCE] }), true],
    ['another issuer', await sign('https://evil.example', idp.privateKey), false],
    ['another audience', await sign(idp.issuer, idp.privateKey, { aud: 'other' }), false],
    ['expired', await sign(idp.issuer, idp.privateKey, { exp: now - 60 }), false],
    ['not yet', await sign(idp.issuer, idp.privateKey, { nbf: now + 600 }), false],
    ['without expiry', await sign(idp.issuer, idp.privateKey, { exp: undefined }), false],
    ['without subject', await sign(idp.issuer, idp.privateKey, { sub: undefined }), false],
    ['another key', await sign(idp.issuer, stranger.privateKey), false],
    ['an unknown key id', await sign(idp.issuer, stranger.privateKey, { kid: 'k2' }), false],
    ['signed with the public key as a shared secret', await sign(idp.issuer, new TextEncoder().encode(JSON.stringify(idp.jwk)), { alg: 'HS256' }), false],
    ['unsigned', new UnsecuredJWT({ sub: 'ann' }).setIssuer(idp.issuer).setAudience(AUDIENCE).setExpirationTime('1h').encode(), false],
    [
      'changed claims',
      `${good.split('.')[0]}.${Buffer.from(JSON.stringify({ iss: idp.issuer, aud: AUDIENCE, sub: 'root', exp: now + 600 })).toString('base64url')}.${good.split('.')[2]}`,
      false,
    ],
    ['noise', 'a.b.c', false],
    ...(await Promise.all(
      [
        ...['at+jwt', 'AT+JWT', 'application/at+jwt', 'JWT', 'jwt'].map((typ) => [typ, true] as const),
        ...['logout+jwt', 'dpop+jwt', 'secevent+jwt', 'id+jwt', '', ' JWT'].map((typ) => [typ, false] as const),
      ].map(async ([typ, isAccepted]): Promise<[string, string, boolean]> => [`type ${typ}`, await sign(idp.issuer, idp.privateKey, { typ }), isAccepted]),
    )),
    ...(await Promise.all(
      ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'].flatMap((claim) =>
        ['at+jwt', undefined].map(async (typ): Promise<[string, string, boolean]> => {
          return [`${claim} in ${typ}`, await sign(idp.issuer, idp.privateKey, { [claim]: 'x', ...(typ && { typ }) }), false];
        }),
      ),
    )),
    ...(await Promise.all(
      [7, null, {}, ['read', 7]].map(async (scope): Promise<[string, string, boolean]> => {
        return [`scope ${JSON.stringify(scope)}`, await sign(idp.issuer, idp.privateKey, { scope }), false];
      }),
    )),
  ];
  for (const [title, token, isAccepted] of rows) assert.equal((await verify(token, new Date())).ok, isAccepted, title);
});

test('H11: what the scope names of ours holds alone, and one that names none of it gives nothing; a machine needs manage', async () => {
  await using idp = await provider();
  await using rig = await authRig({ jwt: idp.config });
  const enter = async (scope: unknown, namespace: '/agent' | '/gateway' = '/agent') => {
    const token = await sign(idp.issuer, idp.privateKey, scope === undefined ? {} : { scope });
    const decision = await rig.auth.authenticate({ token, headers: {}, address: '10.0.0.1', namespace });
    return decision.ok ? (decision.principal.scopes ?? 'all') : decision.code;
  };
  const rows: [unknown, unknown, unknown][] = [
    [undefined, 'all', 'all'],
    ['', 'unauthorized', 'unauthorized'],
    ['openid profile', 'unauthorized', 'unauthorized'],
    [[], 'unauthorized', 'unauthorized'],
    ['read', ['read'], 'unauthorized'],
    ['openid write  read', ['read', 'write'], 'unauthorized'],
    [['approve', 'email'], ['approve'], 'unauthorized'],
    ['read manage', ['read', 'manage'], ['read', 'manage']],
    ['READ reading tendon:read', 'unauthorized', 'unauthorized'],
  ];
  for (const [scope, agent, gateway] of rows) {
    assert.deepEqual(await enter(scope), agent, JSON.stringify(scope));
    assert.deepEqual(await enter(scope, '/gateway'), gateway, JSON.stringify(scope));
  }
});

test('H11: keys that cannot be fetched are a lost dependency, not a wrong token', async () => {
  await using idp = await provider();
  idp.state.status = 500;
  const verify = createJwtVerifier(idp.config);
  await assert.rejects(verify(await sign(idp.issuer, idp.privateKey), new Date()));
});

test('H11: each subject is a user of its own, the same at every sign-in and at the same time', async () => {
  await using idp = await provider();
  await using rig = await authRig({ jwt: idp.config });
  const enter = async (sub: string) => {
    const decision = await rig.auth.authenticate({
      token: await sign(idp.issuer, idp.privateKey, { sub, name: `The ${sub}` }),
      headers: {},
      address: '10.0.0.1',
      namespace: '/agent',
    });
    assert.ok(decision.ok);
    assert.equal(decision.principal.path, 'jwt');
    assert.ok(decision.principal.expiresAt instanceof Date);
    return decision.principal.userId;
  };
  const ann = await Promise.all([enter('ann'), enter('ann'), enter('ann'), enter('ann')]);
  assert.equal(new Set(ann).size, 1);
  assert.notEqual(await enter('bob'), ann[0]);
  assert.notEqual(ann[0], rig.auth.ownerId);
  const account = await rig.auth.people.account({ principal: { userId: String(ann[0]), path: 'jwt', credentialId: '' }, address: '' });
  assert.equal(account?.name, 'The ann');
});

test('H11: a name that would act on a page or in a terminal, or that the database would not take, is stored without that', async () => {
  await using idp = await provider();
  await using rig = await authRig({ jwt: idp.config });
  const nameOf = async (claims: Claims) => {
    const token = await sign(idp.issuer, idp.privateKey, claims);
    const decision = await rig.auth.authenticate({ token, headers: {}, address: '10.0.0.1', namespace: '/agent' });
    assert.ok(decision.ok);
    return (await rig.auth.people.account({ principal: decision.principal, address: '' }))?.name;
  };
  const long = 'x'.repeat(99);
  const rows: [claims: Claims, name: string][] = [
    [{ sub: 'one', name: 'Ann\u001b[2J\u0000\u202e\nOwner' }, 'Ann[2JOwner'],
    [{ sub: 'two', name: `${long}👋` }, `${long}\ufffd`],
    [{ sub: 'three', name: '\u0000\u2066 ' }, 'three'],
    [{ sub: 'four\u202e', name: '' }, 'four'],
    [{ sub: '\u2066' }, 'Somebody'],
  ];
  for (const [claims, name] of rows) assert.equal(await nameOf(claims), name);
});

test('H11: a subject that is not connected with an account here is nobody, unless the issuer’s people are to be ours', async () => {
  await using idp = await provider();
  await using rig = await authRig({ jwt: { ...idp.config, signUp: false } });
  const enter = async (node: Auth, sub: string) => {
    const decision = await node.authenticate({ token: await sign(idp.issuer, idp.privateKey, { sub }), headers: {}, address: '10.0.0.1', namespace: '/agent' });
    return decision.ok ? decision.principal.userId : decision.code;
  };
  const people = async () => (await rig.database.pool.query('select id from users')).rows.length;
  assert.deepEqual([await enter(rig.auth, 'ann'), await people()], ['unauthorized', 1], 'and no account is left behind');
  // As joining or connecting at the same issuer does it (A7, A8).
  await rig.database.pool.query(`insert into accounts (id, account_id, provider_id, user_id) values (gen_random_uuid(), 'olga', $1, $2)`, [
    idp.issuer,
    rig.auth.ownerId,
  ]);
  assert.equal(await enter(rig.auth, 'olga'), rig.auth.ownerId);
  const ann = await enter(await rig.another({ jwt: idp.config }), 'ann');
  assert.notEqual(ann, 'unauthorized');
  assert.equal(await enter(rig.auth, 'ann'), ann, 'who has an account comes in from then on');
  await rig.database.pool.query('update users set disabled_at = now() where id = $1', [ann]);
  for (const node of [rig.auth, await rig.another({ jwt: idp.config })]) assert.equal(await enter(node, 'ann'), 'unauthorized');
});

test('H9: without a configured issuer a JWT is an unknown key', async () => {
  await using idp = await provider();
  await using rig = await authRig();
  const decision = await rig.auth.authenticate({ token: await sign(idp.issuer, idp.privateKey), headers: {}, address: '10.0.0.1', namespace: '/agent' });
  assert.ok(!decision.ok && decision.code === 'unauthorized');
  assert.equal(rig.lines.at(-1)?.['path'], 'token');
});
