import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Keyring } from '../secrets/keyring.ts';
import { SecretStore } from '../secrets/secret-store.ts';
import { type Browser, json, type PeopleRig, peopleRig, refusal } from './people-rig.ts';

interface Listed {
  readonly provider: string;
  readonly variables: readonly string[];
  readonly isFromEnvironment: boolean;
  readonly stored?: { readonly setAt: string; readonly setBy: string; readonly lastCharacters?: string; readonly url?: string; readonly fault?: string };
}

const KEY = 'sk-canary-canary-canary-wxyz';
const URL_ = 'http://127.0.0.1:8000/v1';

async function listed(browser: Browser, provider: string): Promise<Listed | undefined> {
  const answer = await browser.get('/api/providers');
  assert.equal(answer.status, 200);
  assert.ok(!answer.body.toString().includes('canary'), 'a key goes out');
  return (json(answer) as unknown as { providers: Listed[] }).providers.find((one) => one.provider === provider);
}

const rows = async (rig: PeopleRig) => (await rig.auth.database.pool.query(`select s::text as row from secrets s order by 1`)).rows;

/** Everything that an owner alone may do. */
const requests = (browser: Browser) => [
  () => browser.get('/api/providers'),
  () => browser.get('/api/secrets'),
  () => browser.post('/api/providers/openai', { key: KEY }),
  () => browser.post('/api/providers/compatible', { url: URL_ }),
  () => browser.delete('/api/providers/openai'),
];

test('A19: a key is set, told by its end, replaced and removed; models have it at once, and each step is in the audit log', async () => {
  await using rig = await peopleRig();
  assert.deepEqual(await listed(rig.owner, 'openai'), { provider: 'openai', variables: ['OPENAI_API_KEY'], isFromEnvironment: false });
  const answer = await rig.owner.post('/api/providers/openai', { key: `  ${KEY}\n` });
  assert.deepEqual([answer.status, json(answer)], [200, { ok: true }]);
  assert.deepEqual(rig.providers(), { openaiKey: KEY });
  const stored = (await listed(rig.owner, 'openai'))?.stored;
  assert.deepEqual([stored?.lastCharacters, stored?.setBy, stored?.fault], ['wxyz', 'Owner', undefined]);
  assert.equal(new Date(String(stored?.setAt)).getTime(), rig.auth.clock.now.getTime());
  await rig.owner.post('/api/providers/openai', { key: 'another-canary' });
  assert.equal((await listed(rig.owner, 'openai'))?.stored?.lastCharacters, '', 'of a short key nothing is shown');
  assert.deepEqual(rig.providers(), { openaiKey: 'another-canary' });
  assert.equal((await rig.owner.delete('/api/providers/openai')).status, 200);
  assert.deepEqual(rig.providers(), {});
  assert.deepEqual(refusal(await rig.owner.delete('/api/providers/openai')).code, 'not_found');
  const { entries } = json(await rig.owner.get('/api/audit')) as unknown as { entries: { action: string; about: string }[] };
  assert.deepEqual(
    entries.filter(({ action }) => action.startsWith('provider_key')).map(({ action, about }) => `${action} ${about}`),
    ['provider_key_removed openai', 'provider_key_set openai', 'provider_key_set openai'],
  );
  assert.ok(!rig.auth.rawLines.join('').includes('canary'), 'a key is in the log');
});

test('A19: members and strangers neither see nor change anything', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  await rig.owner.post('/api/providers/openai', { key: KEY });
  const before = await rows(rig);
  for (const request of requests(ada)) assert.deepEqual(refusal(await request()), { status: 403, code: 'forbidden', message: 'Only an owner can do that.' });
  for (const request of requests(rig.stranger())) assert.equal((await request()).status, 401);
  assert.deepEqual(await rows(rig), before);
});

test('A11, A19: an owner’s key without `manage` is not good for it', async () => {
  await using rig = await peopleRig();
  const { key } = json(await rig.owner.post('/api/keys', { name: 'script', scopes: ['read', 'write', 'approve'] })) as unknown as { key: string };
  for (const [method, path] of [
    ['GET', '/api/providers'],
    ['GET', '/api/secrets'],
    ['POST', '/api/providers/openai'],
    ['DELETE', '/api/providers/openai'],
  ] as const)
    assert.equal((await rig.ask(method, path, { Authorization: `Bearer ${key}` })).status, 403, path);
});

test('A19: another site’s page changes nothing with the owner’s cookie', async () => {
  await using rig = await peopleRig();
  const cookie = { Cookie: String(rig.owner.cookie), 'Content-Type': 'text/plain' };
  const elsewhere: readonly Record<string, string>[] = [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }, {}];
  for (const headers of elsewhere) assert.equal((await rig.post('/api/providers/openai', { ...cookie, ...headers }, JSON.stringify({ key: KEY }))).status, 403);
  assert.deepEqual(await rows(rig), []);
});

const WRONG: readonly [string, object][] = [
  ['openai', {}],
  ['openai', { key: '' }],
  ['openai', { key: 'abc' }],
  ['openai', { key: 'with space inside' }],
  ['openai', { key: 'two\r\nX-Header: lines' }],
  ['openai', { key: 'schlüssel-schlüssel' }],
  ['openai', { key: 'x'.repeat(4_097) }],
  ['openai', { key: 7 }],
  ['openai', { key: KEY, url: URL_ }],
  ['compatible', { key: KEY }],
  ['compatible', { url: 'nonsense' }],
  ['compatible', { url: 'file:///etc/passwd' }],
  ['compatible', { url: 'http://user:password@127.0.0.1/v1' }],
  ['compatible', { url: 'http://127.0.0.1/v1?key=secret' }],
  ['compatible', { url: 'http://127.0.0.1/v1#fragment' }],
];

test('A19: what is no key and no address is refused with what to give, without repeating it, and nothing changes', async () => {
  await using rig = await peopleRig();
  for (const [provider, body] of WRONG) {
    const answer = await rig.owner.post(`/api/providers/${provider}`, body);
    assert.equal(answer.status, 400, JSON.stringify(body).slice(0, 100));
    assert.doesNotMatch(answer.body.toString(), /canary|password@|secret/);
  }
  for (const provider of ['ollama', 'constructor', '__proto__', 'openai%2f'])
    assert.equal((await rig.owner.post(`/api/providers/${provider}`, { key: KEY })).status, 404, provider);
  assert.deepEqual(await rows(rig), []);
});

test('A19: what the environment sets decides, is told, and cannot be changed; what was stored before can still be removed', async () => {
  await using rig = await peopleRig({}, { openaiKey: 'from-the-environment' });
  await rig.secrets.store.put({ scope: 'server', name: 'provider/openai' }, JSON.stringify({ key: KEY }), { by: rig.auth.auth.ownerId, at: new Date() });
  const state = await listed(rig.owner, 'openai');
  assert.deepEqual([state?.isFromEnvironment, state?.stored?.lastCharacters], [true, 'wxyz']);
  assert.deepEqual(rig.providers(), { openaiKey: 'from-the-environment' });
  assert.equal(refusal(await rig.owner.post('/api/providers/openai', { key: KEY })).code, 'conflict');
  assert.equal((await rig.owner.delete('/api/providers/openai')).status, 200);
  assert.deepEqual(rig.providers(), { openaiKey: 'from-the-environment' });
});

test('A20: key and address of a compatible server come and go as one; half of it from the environment takes none of what is stored', async () => {
  await using rig = await peopleRig();
  await rig.owner.post('/api/providers/compatible', { url: `${URL_}/`, key: KEY });
  assert.deepEqual(rig.providers(), { compatibleUrl: URL_, compatibleKey: KEY });
  assert.equal((await listed(rig.owner, 'compatible'))?.stored?.url, URL_);
  await rig.owner.post('/api/providers/compatible', { url: 'http://127.0.0.1:9000/v1' });
  assert.deepEqual(rig.providers(), { compatibleUrl: 'http://127.0.0.1:9000/v1', compatibleKey: undefined }, 'the key does not go to the new address');
  for (const environment of [{ compatibleUrl: 'http://127.0.0.1:1/v1' }, { compatibleKey: 'environment-key' }]) {
    await using other = await peopleRig({}, environment);
    await other.secrets.store.put({ scope: 'server', name: 'provider/compatible' }, JSON.stringify({ url: URL_, key: KEY }), {
      by: other.auth.auth.ownerId,
      at: new Date(),
    });
    await other.secrets.providerKeys.look();
    assert.deepEqual(other.providers(), environment);
  }
});

test('A17, A19: a key that does not open is told with what to do, holds no other up, and is replaced', async () => {
  await using rig = await peopleRig();
  const { pool } = rig.auth.database;
  const lost = new SecretStore(pool, new Keyring(randomBytes(32)));
  await lost.put({ scope: 'server', name: 'provider/openai' }, JSON.stringify({ key: KEY }), { by: rig.auth.auth.ownerId, at: new Date() });
  await rig.owner.post('/api/providers/anthropic', { key: KEY });
  await rig.owner.post('/api/providers/google', { key: KEY });
  await pool.query(`update secrets set sealed = (select sealed from secrets where name = 'provider/anthropic') where name = 'provider/google'`);
  assert.match(String((await listed(rig.owner, 'openai'))?.stored?.fault), new RegExp(`secret key ${lost.keyring.currentId}.*TENDON_SECRET_KEY_PREVIOUS`));
  assert.match(String((await listed(rig.owner, 'google'))?.stored?.fault), /was changed in the database.*Enter it anew/);
  assert.deepEqual(rig.providers(), { anthropicKey: KEY });
  const sealing = json(await rig.owner.get('/api/secrets')) as unknown as { current: string; keys: { id: string; rows: number; isHere: boolean }[] };
  assert.equal(sealing.current, rig.secrets.store.keyring.currentId);
  assert.deepEqual(
    sealing.keys.toSorted((a, b) => a.rows - b.rows),
    [
      { id: lost.keyring.currentId, rows: 1, isHere: false },
      { id: sealing.current, rows: 2, isHere: true },
    ],
  );
  await rig.owner.post('/api/providers/openai', { key: KEY });
  assert.deepEqual([(await listed(rig.owner, 'openai'))?.stored?.fault, rig.providers()], [undefined, { openaiKey: KEY, anthropicKey: KEY }]);
});

test('A19: changes are limited per person, and told when to go on', async () => {
  await using rig = await peopleRig();
  for (let index = 0; index < 20; index += 1) assert.equal((await rig.owner.post('/api/providers/openai', { key: `${KEY}${index}` })).status, 200);
  const answer = await rig.owner.post('/api/providers/openai', { key: KEY });
  assert.equal(answer.status, 429);
  assert.match(String(answer.headers['retry-after']), /^\d+$/);
});

test('A21: with another secret key no browser is signed in any more; keys and passwords are good as before', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { key } = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { key: string };
  const attempt = { headers: { cookie: ada.cookie, origin: rig.origin, host: new URL(rig.origin).host }, address: '127.0.0.1', namespace: 'http' } as const;
  assert.equal((await rig.auth.auth.authenticate(attempt)).ok, true);
  const rotated = await rig.auth.another({}, randomBytes(32));
  assert.equal((await rotated.authenticate(attempt)).ok, false);
  assert.equal((await rotated.authenticate({ ...attempt, headers: {}, token: key })).ok, true);
  const signedIn = await rotated.signIn.byPassword({ email: ada.email, password: 'correct horse battery' }, { headers: attempt.headers, address: '127.0.0.1' });
  assert.equal(signedIn.ok, true);
});
