import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Browser, invite, json, PASSWORD, type PeopleRig, peopleRig, refusal } from './people-rig.ts';

interface Listed {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly disabledAt?: string;
  readonly isYou: boolean;
  readonly isFirst: boolean;
}

async function people(browser: Browser): Promise<readonly Listed[]> {
  return (json(await browser.get('/api/people')) as unknown as { people: Listed[] }).people;
}

const NOBODY = '0192a7c0-0000-7000-8000-000000000001';

/** Everything that an owner alone may do. */
function ownersRequests(browser: Browser, { id, invitationId }: { id: string; invitationId: string }) {
  return [
    () => browser.get('/api/people'),
    () => browser.get('/api/invitations'),
    () => browser.get('/api/audit?of=all'),
    () => browser.post('/api/invitations', { name: 'Eve', role: 'owner' }),
    () => browser.delete(`/api/invitations/${invitationId}`),
    () => browser.post(`/api/people/${id}`, { role: 'owner' }),
    () => browser.post(`/api/people/${id}`, { isKeptOut: true }),
    () => browser.post(`/api/people/${id}`, { isKeptOut: false }),
    () => browser.post(`/api/people/${id}/sign-in-link`),
  ];
}

async function everything(rig: PeopleRig): Promise<unknown> {
  const found: unknown[] = [];
  for (const table of ['users', 'accounts', 'invitations', 'sign_in_links', 'api_keys'])
    found.push((await rig.auth.database.pool.query(`select to_jsonb(t) - 'last_used_at' as row from ${table} t order by t::text`)).rows);
  return found;
}

test('A9: what is an owner’s is forbidden to a member, whomever it is about, and nothing changes', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  await invite(rig.owner, 'Carl');
  const { invitations } = json(await rig.owner.get('/api/invitations')) as unknown as { invitations: { id: string }[] };
  const before = await everything(rig);
  for (const id of [ada.id, bob.id, rig.auth.auth.ownerId, NOBODY]) {
    for (const request of ownersRequests(ada, { id, invitationId: invitations[0]?.id ?? '' })) assert.deepEqual(refusal(await request()).code, 'forbidden');
  }
  for (const request of ownersRequests(rig.stranger(), { id: ada.id, invitationId: invitations[0]?.id ?? '' })) assert.equal((await request()).status, 401);
  assert.deepEqual(await everything(rig), before);
});

test('A9: an owner sees everybody, makes owners of members and members of owners', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  assert.deepEqual(
    (await people(rig.owner)).map(({ name, role, isYou, isFirst }) => ({ name, role, isYou, isFirst })),
    [
      { name: 'Owner', role: 'owner', isYou: true, isFirst: true },
      { name: 'Ada', role: 'member', isYou: false, isFirst: false },
    ],
  );
  assert.equal((await rig.owner.post(`/api/people/${ada.id}`, { role: 'owner' })).status, 200);
  assert.equal((await people(ada)).length, 2, 'it holds at once');
  assert.equal((await rig.owner.post(`/api/people/${ada.id}`, { role: 'member' })).status, 200);
  assert.equal((await ada.get('/api/people')).status, 403);
  for (const id of [NOBODY, 'nonsense']) assert.equal((await rig.owner.post(`/api/people/${id}`, { role: 'owner' })).status, 404);
  for (const body of [{}, { role: 'admin' }, { role: 'owner', isKeptOut: true }, { isKeptOut: 'yes' }])
    assert.equal((await rig.owner.post(`/api/people/${ada.id}`, body)).status, 400);
});

test('A5, P13: the first owner stays one, and nobody changes themselves, however their id is written', async () => {
  await using rig = await peopleRig();
  const olga = await rig.member('Olga');
  await rig.owner.post(`/api/people/${olga.id}`, { role: 'owner' });
  const before = await everything(rig);
  for (const [browser, id] of [
    [olga, rig.auth.auth.ownerId],
    [olga, rig.auth.auth.ownerId.toUpperCase()],
    [olga, olga.id],
    [olga, olga.id.toUpperCase()],
    [rig.owner, rig.auth.auth.ownerId],
  ] as const) {
    for (const body of [{ role: 'member' }, { isKeptOut: true }]) assert.equal(refusal(await browser.post(`/api/people/${id}`, body)).code, 'conflict');
    assert.equal(refusal(await browser.post(`/api/people/${id}/sign-in-link`)).code, 'conflict');
  }
  assert.deepEqual(await everything(rig), before);
});

test('A10: keeping a person out ends browsers, keys and links, and is announced for each; letting in revives none', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { key } = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { key: string };
  const { url } = json(await rig.owner.post(`/api/people/${ada.id}/sign-in-link`)) as unknown as { url: string };
  const told: string[] = [];
  rig.auth.auth.onRevoked(({ credentialId }) => told.push(credentialId));
  assert.equal((await rig.owner.post(`/api/people/${ada.id}`, { isKeptOut: true })).status, 200);
  assert.equal(told.length, 3, 'a browser session, a key, and what a JWT would be');
  const bearer = { Authorization: `Bearer ${key}` };
  const cannot = async () => {
    assert.equal((await ada.get('/api/me')).status, 401);
    assert.equal((await rig.ask('GET', '/api/me', bearer)).status, 401);
  };
  await cannot();
  const link = new URL(url);
  assert.equal((await rig.ask('GET', `${link.pathname}${link.search}`)).status, 401);
  assert.equal(refusal(await rig.owner.post(`/api/people/${ada.id}/sign-in-link`)).code, 'conflict');
  assert.notEqual((await people(rig.owner)).find(({ id }) => id === ada.id)?.disabledAt, undefined);
  assert.equal((await rig.owner.post(`/api/people/${ada.id}`, { isKeptOut: false })).status, 200);
  await cannot();
  assert.equal((await rig.stranger().post('/api/auth/sign-in', { email: ada.email, password: PASSWORD })).status, 200);
});

test('A10: whoever signs in at the very moment is out as well', async () => {
  await using rig = await peopleRig();
  for (let round = 0; round < 5; round += 1) {
    const ada = await rig.member(`Ada${round}`);
    const browsers = Array.from({ length: 4 }, () => rig.stranger());
    await Promise.all([
      ...browsers.map((browser) => browser.post('/api/auth/sign-in', { email: ada.email, password: PASSWORD })),
      rig.owner.post(`/api/people/${ada.id}`, { isKeptOut: true }),
    ]);
    for (const browser of [ada, ...browsers]) assert.equal((await browser.get('/api/me')).status, 401);
    const { rows } = await rig.auth.database.pool.query('select id from auth_sessions where user_id = $1', [ada.id]);
    assert.deepEqual(rows, []);
  }
});

test('A10: a key that is made at the very moment is over as well', async () => {
  await using rig = await peopleRig();
  for (let round = 0; round < 10; round += 1) {
    const ada = await rig.member(`Ada${round}`);
    await Promise.all([
      ...Array.from({ length: 6 }, () => ada.post('/api/keys', { name: 'script' })),
      rig.owner.post(`/api/people/${ada.id}`, { isKeptOut: true }),
      ...Array.from({ length: 6 }, () => ada.post('/api/keys', { name: 'script' })),
    ]);
    const { rows } = await rig.auth.database.pool.query('select id from api_keys where user_id = $1 and revoked_at is null', [ada.id]);
    assert.deepEqual(rows, []);
  }
});

test('A9: a link for one who cannot come in works once, for a day, and a new password needs no old one', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { url } = json(await rig.owner.post(`/api/people/${ada.id}/sign-in-link`)) as unknown as { url: string };
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 23 * 3_600_000);
  const link = new URL(url);
  const answer = await rig.ask('GET', `${link.pathname}${link.search}`);
  assert.equal(answer.status, 303);
  assert.equal((await rig.ask('GET', `${link.pathname}${link.search}`)).status, 401);
});

interface Entry {
  readonly id: string;
  readonly action: string;
  readonly about?: string;
  readonly address: string;
  readonly person: { readonly name: string };
  readonly aboutPerson?: { readonly name: string };
}

async function entries(browser: Browser, query = ''): Promise<{ entries: readonly Entry[]; hasMore: boolean }> {
  return json(await browser.get(`/api/audit${query}`)) as unknown as { entries: Entry[]; hasMore: boolean };
}

test('A12: what is done is kept with who, what and from where; each sees their own, an owner all', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  await ada.post('/api/auth/sign-in', { email: ada.email, password: 'wrong horse battery' });
  await rig.auth.noted();
  const made = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { key: string; id: string };
  await ada.delete(`/api/keys/${made.id}`);
  await rig.owner.post(`/api/people/${ada.id}`, { role: 'owner' });
  await rig.owner.post(`/api/people/${ada.id}`, { role: 'member' });
  const hers = await entries(ada);
  assert.deepEqual(
    hers.entries.map(({ action, person, aboutPerson, about }) => [action, person.name, aboutPerson?.name, about]),
    [
      ['role_changed', 'Owner', 'Ada', 'member'],
      ['role_changed', 'Owner', 'Ada', 'owner'],
      ['key_revoked', 'Ada', undefined, made.id],
      ['key_created', 'Ada', undefined, 'script'],
      ['sign_in_refused', 'Ada', undefined, undefined],
      ['signed_in', 'Ada', undefined, 'invitation'],
      ['invitation_accepted', 'Ada', undefined, undefined],
    ],
  );
  for (const entry of hers.entries) assert.equal(entry.address, '127.0.0.1');
  assert.deepEqual(
    (await entries(bob)).entries.map(({ action }) => action),
    ['signed_in', 'invitation_accepted'],
  );
  const all = await entries(rig.owner, '?of=all');
  assert.ok(all.entries.length > hers.entries.length);
  assert.ok(!JSON.stringify(all).includes(made.key));
});

test('A12: the log is read page by page, refuses what it does not know, and forgets after 400 days', async () => {
  await using rig = await peopleRig();
  for (let count = 0; count < 5; count += 1) await rig.owner.post('/api/keys', { name: `key ${count}` });
  const first = await entries(rig.owner, '?limit=3');
  assert.deepEqual([first.entries.length, first.hasMore], [3, true]);
  const rest = await entries(rig.owner, `?before=${first.entries.at(-1)?.id}`);
  assert.deepEqual([rest.entries.length, rest.hasMore], [3, false]);
  for (const query of ['?limit=0', '?limit=101', '?limit=x', '?before=x', '?of=others'])
    assert.equal((await rig.owner.get(`/api/audit${query}`)).status, 400, query);
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 399 * 24 * 3_600_000);
  assert.equal(await rig.auth.auth.audit.prune(), 0);
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 2 * 24 * 3_600_000);
  assert.equal(await rig.auth.auth.audit.prune(), 6);
});

test('A11: over HTTP a key with scopes is good for these alone, and makes none that is good for more', async () => {
  await using rig = await peopleRig();
  const make = async (scopes?: readonly string[]) =>
    (json(await rig.owner.post('/api/keys', { name: 'key', ...(scopes && { scopes }) })) as unknown as { key: string }).key;
  const ask = (key: string, method: string, path: string) => rig.ask(method, path, { Authorization: `Bearer ${key}` });
  const reader = await make(['read']);
  assert.equal((await ask(reader, 'GET', '/api/me')).status, 200);
  for (const path of ['/api/keys', '/api/devices', '/api/account', '/api/people', '/api/invitations', '/api/audit'])
    assert.equal(refusal(await ask(reader, 'GET', path)).code, 'forbidden', path);
  assert.equal(refusal(await ask(await make(['write', 'approve']), 'GET', '/api/me')).code, 'forbidden');
  const manager = await make(['manage']);
  const post = (body: object) => rig.post('/api/keys', { Authorization: `Bearer ${manager}` }, JSON.stringify(body));
  assert.equal((await post({ name: 'less', scopes: ['manage'] })).status, 201);
  for (const body of [{ name: 'all' }, { name: 'more', scopes: ['manage', 'approve'] }, { name: 'machine', gatewayId: NOBODY }])
    assert.equal(refusal(await post(body)).code, 'forbidden');
  for (const scopes of [[], ['everything'], 'read']) assert.equal((await rig.owner.post('/api/keys', { name: 'key', scopes })).status, 400);
  assert.equal((await rig.owner.post('/api/keys', { name: 'key', scopes: ['manage'], gatewayId: NOBODY })).status, 400);
  const { keys } = json(await rig.owner.get('/api/keys')) as unknown as { keys: { scopes?: string[] }[] };
  assert.deepEqual(keys.map(({ scopes }) => scopes?.join('+')).toSorted(), ['manage', 'manage', 'read', 'write+approve']);
});
