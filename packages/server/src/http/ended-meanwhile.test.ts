import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { until } from '@tendon/testing';
import { untilHeldUp, whileLocked } from './held-up.test-kit.ts';
import { type Browser, json, type PeopleRig, peopleRig } from './people-rig.ts';

/* A request takes its time: its body may come in pieces, its person's places may be taken. What let it in may have ended by then. */

interface Held {
  /** The rest of it; the status of the answer. */
  goOn(): Promise<number>;
}

const untilUnderWay = (rig: PeopleRig, count: number): Promise<unknown> =>
  until({ what: `${count} to be under way`, check: () => rig.underWay.count === count || undefined, pollMs: 5, deadlineMs: 20_000 });

/** A request of which all but the last byte has come. */
async function inPieces(rig: PeopleRig, path: string, { headers, body }: { headers: Record<string, string>; body: object }): Promise<Held> {
  const text = JSON.stringify(body);
  const request: ClientRequest = httpRequest({
    ...{ host: '127.0.0.1', port: rig.port, method: 'POST', path, agent: false },
    headers: { ...headers, 'Content-Type': 'application/json', 'Content-Length': text.length },
  });
  request.write(text.slice(0, -1));
  await untilUnderWay(rig, 1);
  return {
    async goOn() {
      const answer = once(request, 'response') as Promise<[IncomingMessage]>;
      request.end(text.slice(-1));
      const [response] = await answer;
      response.resume();
      return response.statusCode ?? 0;
    },
  };
}

const asBrowser = (rig: PeopleRig, { cookie }: Browser) => ({ Cookie: String(cookie), Origin: rig.origin });

async function everything(rig: PeopleRig): Promise<unknown> {
  const found: unknown[] = [];
  for (const table of ['users', 'accounts', 'invitations', 'sign_in_links', 'api_keys where revoked_at is null'])
    found.push((await rig.auth.database.pool.query(`select to_jsonb(t) - 'last_used_at' as row from (select * from ${table}) t order by t::text`)).rows);
  return found;
}

const REQUESTS = (id: string) => [
  { path: '/api/keys', body: { name: 'for later' } },
  { path: '/api/invitations', body: { name: 'Mallory', role: 'owner' } },
  { path: `/api/people/${id}`, body: { role: 'owner' } },
  { path: '/api/account', body: { name: 'Mallory' } },
];

test('H14: a request whose browser is signed out, or whose key is revoked, before all of its body has come does nothing', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  for (const { path, body } of REQUESTS(ada.id)) {
    const { key, id } = json(await rig.owner.post('/api/keys', { name: 'script' })) as unknown as { key: string; id: string };
    const held = await inPieces(rig, path, { headers: { Authorization: `Bearer ${key}` }, body });
    assert.equal((await rig.owner.delete(`/api/keys/${id}`)).status, 200);
    const before = await everything(rig);
    assert.equal(await held.goOn(), 401, `${path} with a key`);
    assert.deepEqual(await everything(rig), before);
  }
  for (const { path, body } of REQUESTS(ada.id)) {
    const link = new URL(await rig.auth.auth.signInLink());
    const opened = await rig.ask('GET', `${link.pathname}${link.search}`);
    const thief = { Cookie: String(opened.headers['set-cookie']?.[0]?.split(';')[0]), Origin: rig.origin };
    const held = await inPieces(rig, path, { headers: thief, body });
    assert.equal((await rig.owner.post('/api/devices/sign-out-others')).status, 200);
    const before = await everything(rig);
    assert.equal(await held.goOn(), 401, `${path} with a cookie`);
    assert.deepEqual(await everything(rig), before);
  }
});

test('A10, H14: an owner who is kept out while a request of theirs comes in makes nobody else an owner and lets nobody in', async () => {
  await using rig = await peopleRig();
  const [eve, mallory] = [await rig.member('Eve'), await rig.member('Mallory')];
  await rig.owner.post(`/api/people/${eve.id}`, { role: 'owner' });
  await rig.owner.post(`/api/people/${mallory.id}`, { isKeptOut: true });
  for (const body of [{ role: 'owner' }, { isKeptOut: false }]) {
    const held = await inPieces(rig, `/api/people/${mallory.id}`, { headers: asBrowser(rig, eve), body });
    await rig.owner.post(`/api/people/${eve.id}`, { isKeptOut: true });
    const before = await everything(rig);
    assert.equal(await held.goOn(), 401);
    assert.deepEqual(await everything(rig), before);
    await rig.owner.post(`/api/people/${eve.id}`, { isKeptOut: false });
    await eve.post('/api/auth/sign-in', { email: eve.email, password: 'correct horse battery' });
  }
});

test('A10: an owner who is kept out is none, whatever has let a request of theirs in', async () => {
  await using rig = await peopleRig();
  const eve = await rig.member('Eve');
  await rig.owner.post(`/api/people/${eve.id}`, { role: 'owner' });
  const asker = { principal: { userId: eve.id, credentialId: 'disabled', path: 'cookie' }, address: '127.0.0.1' } as const;
  assert.equal(await rig.auth.auth.people.isOwner(asker), true);
  await rig.owner.post(`/api/people/${eve.id}`, { isKeptOut: true });
  assert.equal(await rig.auth.auth.people.isOwner(asker), false);
});

test('H14, H33: a request that waits for a place of its person does nothing when its browser is signed out meanwhile', async () => {
  await using rig = await peopleRig({}, {}, { people: { ofHousehold: 1, waitMs: 60_000 } });
  const ada = await rig.member('Ada');
  const { id } = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { id: string };
  const { pool } = rig.auth.database;
  const accepted = (): number => rig.auth.lines.filter(({ event, outcome, path }) => event === 'auth' && outcome === 'accepted' && path === 'cookie').length;
  const before = accepted();
  let asked: Promise<readonly number[]> | undefined;
  await whileLocked(pool, `select 1 from users where id = '${ada.id}' for update`, async () => {
    const first = ada.post('/api/account', { name: 'Ada L' });
    await untilHeldUp(pool);
    const others = [ada.post('/api/keys', { name: 'for later' }), ada.delete(`/api/keys/${id}`), ada.get('/api/keys')];
    await untilUnderWay(rig, 4);
    await until({ what: 'all to be known', check: () => accepted() === before + 4 || undefined, pollMs: 5, deadlineMs: 20_000 });
    await pool.query('delete from auth_sessions where user_id = $1', [ada.id]);
    asked = Promise.all([first, ...others].map(async (answer) => (await answer).status));
  });
  assert.deepEqual(await asked, [200, 401, 401, 401]);
  assert.deepEqual((await pool.query('select name, revoked_at from api_keys where user_id = $1', [ada.id])).rows, [{ name: 'script', revoked_at: null }]);
});
