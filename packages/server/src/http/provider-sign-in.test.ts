import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IdentityProviderRig, identityProviderRig } from '@tendon/testing';
import { decodeJwt, decodeProtectedHeader, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { cookiePair } from '../auth/auth-rig.ts';
import type { Answer } from './http-rig.ts';
import { Browser, invite, json, PASSWORD, type PeopleRig, peopleRig, refusal } from './people-rig.ts';

interface Setting extends AsyncDisposable {
  readonly provider: IdentityProviderRig;
  readonly rig: PeopleRig;
}

async function setting(options: { readonly signUp?: boolean } = {}): Promise<Setting> {
  await using stack = new AsyncDisposableStack();
  const provider = stack.use(await identityProviderRig(options));
  const rig = stack.use(await peopleRig({ oidc: provider.config }));
  provider.serve(rig.origin);
  const kept = stack.move();
  return { provider, rig, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const visit = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };

/** Sets out for the provider. Where to, and what the browser carries. */
async function depart(browser: Browser, errand: object): Promise<{ url: string; luggage: string }> {
  const answer = await browser.post('/api/auth/provider', errand);
  assert.equal(answer.status, 200, answer.body.toString());
  const [line = ''] = answer.headers['set-cookie'] ?? [];
  assert.match(line, /^tendon-\d+\.provider=[^;]+; Path=\/api\/auth\/provider\/return; HttpOnly; SameSite=Lax; Max-Age=600$/);
  return { url: (json(answer) as unknown as { url: string }).url, luggage: cookiePair(line) };
}

/** The provider has sent the browser back. Strict cookies do not come along. */
async function arrive(rig: PeopleRig, back: URL, luggage: string | undefined): Promise<Answer & { readonly browser: Browser }> {
  const answer = await rig.ask('GET', `${back.pathname}${back.search}`, { ...visit, ...(luggage === undefined ? {} : { Cookie: luggage }) });
  const session = answer.headers['set-cookie']?.find((line) => line.includes('session_token='));
  return Object.assign(answer, { browser: new Browser(rig, session && cookiePair(session)) });
}

async function through({ provider, rig }: Setting, { browser, errand, subject }: { browser: Browser; errand: object; subject: string }) {
  const { url, luggage } = await depart(browser, errand);
  return arrive(rig, await provider.walk(url, subject), luggage);
}

async function account(browser: Browser): Promise<Record<string, unknown>> {
  return (json(await browser.get('/api/account')) as unknown as { account: Record<string, unknown> }).account;
}

test('A7: an invited person comes in by the provider, and from then on by it alone', async () => {
  await using place = await setting();
  const { rig } = place;
  const token = await invite(rig.owner, 'Ada');
  const joined = await through(place, { browser: rig.stranger(), errand: { errand: 'join', token }, subject: 'ada' });
  assert.equal(joined.status, 200);
  assert.match(joined.body.toString(), /http-equiv="refresh" content="0;url=\/"/);
  const first = await account(joined.browser);
  assert.deepEqual(
    [first['name'], first['role'], first['isConnected'], first['hasPassword'], first['provider']],
    ['The ada', 'member', true, false, 'Example Login'],
  );
  const again = await through(place, { browser: rig.stranger(), errand: { errand: 'sign_in' }, subject: 'ada' });
  assert.equal((await account(again.browser))['id'], first['id']);
  const used = await through(place, { browser: rig.stranger(), errand: { errand: 'join', token }, subject: 'bob' });
  assert.equal(used.status, 400);
  assert.match(used.body.toString(), /invitation no longer works/);
});

test('A7: whom the provider knows and we do not gets no account, unless the door is open', async () => {
  await using place = await setting();
  const refused = await through(place, { browser: place.rig.stranger(), errand: { errand: 'sign_in' }, subject: 'eve' });
  assert.equal(refused.status, 400);
  assert.match(refused.body.toString(), /no account here yet/);
  assert.ok(!String(refused.headers['set-cookie']).includes('session_token'));
  assert.equal((await place.rig.auth.database.pool.query('select 1 from users')).rows.length, 1);
  await using open = await setting({ signUp: true });
  const eve = await through(open, { browser: open.rig.stranger(), errand: { errand: 'sign_in' }, subject: 'eve' });
  assert.deepEqual([(await account(eve.browser))['role'], (await account(eve.browser))['name']], ['member', 'The eve']);
});

test('A7: what comes back in another browser, twice, late, altered or made up opens nothing', async () => {
  await using place = await setting({ signUp: true });
  const { provider, rig } = place;
  const { url, luggage } = await depart(rig.stranger(), { errand: 'sign_in' });
  const other = await depart(rig.stranger(), { errand: 'sign_in' });
  const back = await provider.walk(url, 'ada');
  const altered = (change: (parameters: URLSearchParams) => void) => {
    const copy = new URL(back);
    change(copy.searchParams);
    return copy;
  };
  const name = luggage.slice(0, luggage.indexOf('=') + 1);
  const rows: [string, URL, string | undefined][] = [
    ['without what the browser carries', back, undefined],
    ['with what another browser carries', back, other.luggage],
    ['with made-up luggage', back, `${name}eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`],
    ['with luggage twice', back, `${luggage}; ${other.luggage}`],
    ['with another state', altered((query) => query.set('state', 'other')), luggage],
    ['without state', altered((query) => query.delete('state')), luggage],
    ['with another code', altered((query) => query.set('code', 'other')), luggage],
    ['from another issuer', altered((query) => query.set('iss', 'https://evil.example')), luggage],
    ['with an error', altered((query) => query.set('error', '<script>alert(1)</script>')), luggage],
    ['with nothing', altered((query) => [...query.keys()].forEach((key) => void query.delete(key))), luggage],
  ];
  for (const [title, address, carried] of rows) {
    const answer = await arrive(rig, address, carried);
    assert.equal(answer.status, 400, title);
    assert.match(answer.body.toString(), /did not work/, title);
    assert.ok(!answer.body.toString().includes('script>alert'), title);
    assert.ok(!String(answer.headers['set-cookie']).includes('session_token'), title);
  }
  assert.equal((await arrive(rig, back, luggage)).status, 200, 'nothing of that has used it up');
  assert.equal((await arrive(rig, back, luggage)).status, 400, 'a code is good once');
});

test('A7: an identity that the provider has not signed, or has signed for something else, opens nothing', async () => {
  await using place = await setting({ signUp: true });
  const { provider, rig } = place;
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const stranger = await generateKeyPair('RS256');
  const forged = (token: string) => new SignJWT({ ...decodeJwt(token), sub: 'root' }).setProtectedHeader({ alg: 'RS256', ...decodeProtectedHeader(token) });
  const signed = (change: JWTPayload) => (token: string) => provider.sign({ ...decodeJwt(token), ...change });
  const rows: [string, (token: string) => string | Promise<string>, 200 | 400][] = [
    ['another subject under the signature', (token) => `${token.split('.')[0]}.${encoded({ ...decodeJwt(token), sub: 'root' })}.${token.split('.')[2]}`, 400],
    ['without a signature', (token) => `${encoded({ alg: 'none' })}.${encoded(decodeJwt(token))}.`, 400],
    ['with an empty signature', (token) => `${token.split('.').slice(0, 2).join('.')}.`, 400],
    ["signed with a key that is not the provider's", (token) => forged(token).sign(stranger.privateKey), 400],
    ['for another client', signed({ aud: 'another' }), 400],
    ['of another issuer', signed({ iss: 'https://evil.example' }), 400],
    ['for another sign-in', signed({ nonce: 'another' }), 400],
    ['for no sign-in at all', signed({ nonce: undefined }), 400],
    ['that has run out', signed({ exp: Math.floor(Date.now() / 1_000) - 600 }), 400],
    ['of nobody', signed({ sub: undefined }), 400],
    ['signed anew as it was', signed({}), 200],
  ];
  for (const [title, change, status] of rows) {
    const { url, luggage } = await depart(rig.stranger(), { errand: 'sign_in' });
    const back = await provider.walk(url, 'ada');
    provider.alterIdentities(change);
    const answer = await arrive(rig, back, luggage);
    assert.equal(answer.status, status, title);
    assert.equal(String(answer.headers['set-cookie']).includes('session_token'), status === 200, title);
  }
});

test('A7: a provider that gives itself out as another one is not asked', async () => {
  await using stack = new AsyncDisposableStack();
  const provider = stack.use(await identityProviderRig({ host: 'localhost' }));
  // It answers there as well, and names itself otherwise.
  const issuer = provider.issuer.replace('localhost', '127.0.0.1');
  const rig = stack.use(await peopleRig({ oidc: { ...provider.config, issuer } }));
  provider.serve(rig.origin);
  assert.equal((await rig.stranger().post('/api/auth/provider', { errand: 'sign_in' })).status, 503);
});

test('A8: a person connects an identity, signs in with it, and cannot lose their only way in', async () => {
  await using place = await setting();
  const { rig } = place;
  const ada = await rig.member('Ada');
  const connected = await through(place, { browser: ada, errand: { errand: 'connect' }, subject: 'ada' });
  assert.match(connected.body.toString(), /content="0;url=\/account"/);
  assert.equal((await account(ada))['isConnected'], true);
  const again = await through(place, { browser: rig.stranger(), errand: { errand: 'sign_in' }, subject: 'ada' });
  assert.equal((await account(again.browser))['id'], ada.id);
  const bob = await rig.member('Bob');
  const taken = await through(place, { browser: bob, errand: { errand: 'connect' }, subject: 'ada' });
  assert.match(taken.body.toString(), /belongs to another account/);
  assert.equal((await account(bob))['isConnected'], false);
  assert.equal((await ada.delete('/api/account/provider')).status, 200);
  assert.equal((await account(ada))['isConnected'], false);
  const token = await invite(rig.owner, 'Carl');
  const carl = await through(place, { browser: rig.stranger(), errand: { errand: 'join', token }, subject: 'carl' });
  assert.equal(refusal(await carl.browser.delete('/api/account/provider')).code, 'conflict');
  assert.equal((await account(carl.browser))['isConnected'], true);
});

test('A8: connecting ends with the browser session that began it', async () => {
  await using place = await setting();
  const { provider, rig } = place;
  const ada = await rig.member('Ada');
  const { url, luggage } = await depart(ada, { errand: 'connect' });
  const back = await provider.walk(url, 'ada');
  await ada.post('/api/auth/sign-out');
  assert.equal((await arrive(rig, back, luggage)).status, 400);
  assert.equal(refusal(await rig.stranger().post('/api/auth/provider', { errand: 'connect' })).code, 'unauthorized');
  const back2 = await rig.stranger().post('/api/auth/sign-in', { email: ada.email, password: PASSWORD });
  assert.equal(back2.status, 200);
});

test('A10: a person who is kept out does not come in by the provider either', async () => {
  await using place = await setting({ signUp: true });
  const { rig } = place;
  const ada = await through(place, { browser: rig.stranger(), errand: { errand: 'sign_in' }, subject: 'ada' });
  await rig.owner.post(`/api/people/${(await account(ada.browser))['id']}`, { isKeptOut: true });
  const refused = await through(place, { browser: rig.stranger(), errand: { errand: 'sign_in' }, subject: 'ada' });
  assert.equal(refused.status, 400);
  assert.equal((await ada.browser.get('/api/me')).status, 401);
});

test('A7: a provider that is away is told, and asked again by the next one', async () => {
  await using stack = new AsyncDisposableStack();
  const provider = stack.use(await identityProviderRig());
  const rig = stack.use(await peopleRig({ oidc: provider.config }));
  const away = await rig.stranger().post('/api/auth/provider', { errand: 'sign_in' });
  assert.deepEqual(refusal(away), { status: 503, code: 'unavailable', message: 'Example Login cannot be reached. Try again in a moment.' });
  provider.serve(rig.origin);
  await depart(rig.stranger(), { errand: 'sign_in' });
  await using without = await peopleRig();
  assert.equal((await without.stranger().post('/api/auth/provider', { errand: 'sign_in' })).status, 404);
  assert.equal((await without.ask('GET', '/api/auth/provider/return?code=x&state=y', visit)).status, 400);
});

test('A7: a page at another of our addresses is told where to start', async () => {
  await using place = await setting();
  const answer = await place.rig.post(
    '/api/auth/provider',
    { Host: `localhost:${place.rig.port}`, Origin: `http://localhost:${place.rig.port}` },
    '{"errand":"sign_in"}',
  );
  assert.equal(refusal(answer).code, 'conflict');
  assert.ok(refusal(answer).message.includes(place.rig.origin));
});
