import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import type { PoolClient } from 'pg';
import { Pairings, type PollAnswer } from '../auth/pairings.ts';
import { SessionTokens } from '../auth/session-tokens.ts';
import { beforeCommit, untilHeldUp, whileLocked } from './held-up.test-kit.ts';
import type { Answer } from './http-rig.ts';
import { type Browser, invite, isIn, json, PASSWORD, type PeopleRig, peopleRig, refusal, signIn } from './people-rig.ts';

/* Links and invitations end with what gave the right to make them, and with whom they let in, and do not come alive again. */

const NEW = 'another horse entirely';

const change = (rig: PeopleRig, id: string, body: object) => rig.owner.post(`/api/people/${id}`, body);

/** The address of a new sign-in link. */
async function linkFor(maker: Browser, id: string): Promise<URL> {
  const answer = await maker.post(`/api/people/${id}/sign-in-link`);
  assert.equal(answer.status, 201, answer.body.toString());
  return new URL((json(answer) as unknown as { url: string }).url);
}

const open = (rig: PeopleRig, { pathname, search }: URL): Promise<Answer> => rig.ask('GET', `${pathname}${search}`);

async function join(rig: PeopleRig, token: string): Promise<number> {
  const body = { token, name: 'Guest', email: `${token.slice(0, 8).toLowerCase()}@example.org`, password: PASSWORD };
  return (await rig.stranger().post('/api/auth/join', body)).status;
}

/** Eve, who is an owner, with a link for Carl, who is one too, and an invitation. */
async function secondOwner(rig: PeopleRig) {
  const [eve, carl] = [await rig.member('Eve'), await rig.member('Carl')];
  for (const { id } of [eve, carl]) await change(rig, id, { role: 'owner' });
  return { eve, carl, link: await linkFor(eve, carl.id), token: await invite(eve, 'Guest', 'owner') };
}

test('A10: a link for one who is kept out is dead, also when they are let in again', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const links = [await linkFor(rig.owner, ada.id), await linkFor(rig.owner, ada.id)] as const;
  await change(rig, ada.id, { isKeptOut: true });
  assert.equal((await open(rig, links[0])).status, 401);
  await change(rig, ada.id, { isKeptOut: false });
  assert.equal((await open(rig, links[1])).status, 401);
  assert.equal((await open(rig, await linkFor(rig.owner, ada.id))).status, 303, 'a new one is good');
});

test('A6, A10: keeping an owner out ends the links and invitations that they made, for good', async () => {
  await using rig = await peopleRig();
  const { eve, link, token } = await secondOwner(rig);
  await change(rig, eve.id, { isKeptOut: true });
  const { invitations } = json(await rig.owner.get('/api/invitations')) as unknown as { invitations: object[] };
  assert.deepEqual(invitations, []);
  await change(rig, eve.id, { isKeptOut: false });
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [401, 404]);
});

test('A6, A10: an owner who becomes a member takes the links and invitations that they made with them, also when they become one again', async () => {
  await using rig = await peopleRig();
  const { eve, carl, link, token } = await secondOwner(rig);
  await change(rig, eve.id, { role: 'member' });
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [401, 404]);
  await change(rig, eve.id, { role: 'owner' });
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [401, 404]);
  const others = await linkFor(rig.owner, carl.id);
  await change(rig, eve.id, { role: 'member' });
  assert.equal((await open(rig, others)).status, 303, 'what another owner made stays');
});

test('A6, A10: what was left open before by one who was kept out or no owner any more does not come alive with them', async () => {
  await using rig = await peopleRig();
  const { eve, link, token } = await secondOwner(rig);
  const { pool } = rig.auth.database;
  // As an earlier version left it, or one that was ended in the middle.
  await pool.query(`update users set disabled_at = now(), role = 'member' where id = $1`, [eve.id]);
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [401, 404]);
  await pool.query('update users set disabled_at = null where id = $1', [eve.id]);
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [401, 404]);
  await change(rig, eve.id, { role: 'owner' });
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [401, 404]);
});

test('A4: a new password ends the links of its person, and of nobody else', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const [hers, his] = [await linkFor(rig.owner, ada.id), await linkFor(rig.owner, bob.id)];
  assert.equal((await ada.post('/api/account/password', { current: PASSWORD, password: NEW })).status, 200);
  assert.deepEqual([(await open(rig, hers)).status, (await open(rig, his)).status], [401, 303]);
  const terminal = new URL(await rig.auth.auth.signInLink());
  await rig.owner.post('/api/account', { name: 'Olga', email: 'olga@example.org' });
  assert.equal((await rig.owner.post('/api/account/password', { password: NEW })).status, 200);
  assert.equal((await open(rig, terminal)).status, 401, 'the one of the terminal as well');
});

test('A4: a link that is used while the password is changed opens nothing', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const link = await linkFor(rig.owner, ada.id);
  const { pool } = rig.auth.database;
  let answer: Promise<Answer> | undefined;
  // A session names its person, so it waits for their row; the link has been used up by then.
  await whileLocked(pool, `select 1 from users where id = '${ada.id}' for update`, async () => {
    answer = open(rig, link);
    await untilHeldUp(pool);
    // As a change does it, without the entry of the log, which names the person as well.
    await pool.query('delete from sign_in_links where user_id = $1', [ada.id]);
    await pool.query('delete from auth_sessions where user_id = $1', [ada.id]);
  });
  assert.equal((await answer)?.status, 401);
  assert.deepEqual((await pool.query('select id from auth_sessions where user_id = $1', [ada.id])).rows, []);
});

test('A10: a link or an invitation that is made at the very moment in which its maker or its person is kept out is none', async () => {
  await using rig = await peopleRig();
  const { eve, carl } = await secondOwner(rig);
  const { pool } = rig.auth.database;
  const keepOut = (id: string) => (client: { query(text: string, values: unknown[]): Promise<unknown> }) =>
    client.query('update users set disabled_at = now() where id = $1', [id]);
  const attempts = [
    { out: carl, make: () => eve.post(`/api/people/${carl.id}/sign-in-link`) },
    { out: eve, make: () => eve.post(`/api/people/${carl.id}/sign-in-link`) },
    { out: eve, make: () => eve.post('/api/invitations', { name: 'Guest', role: 'owner' }) },
  ];
  await pool.query('delete from sign_in_links');
  await pool.query('delete from invitations');
  for (const { out, make } of attempts) {
    let answer: Promise<Answer> | undefined;
    await beforeCommit(pool, keepOut(out.id), async () => {
      answer = make();
      await untilHeldUp(pool);
    });
    assert.ok(answer);
    assert.ok(['conflict', 'forbidden'].includes(refusal(await answer).code));
    await pool.query('update users set disabled_at = null');
  }
  for (const table of ['sign_in_links', 'invitations']) assert.deepEqual((await pool.query(`select 1 from ${table}`)).rows, []);
});

test('A6: what somebody made by an invitation or a link stays when its maker is kept out later', async () => {
  await using rig = await peopleRig();
  const { eve, carl, link, token } = await secondOwner(rig);
  assert.deepEqual([(await open(rig, link)).status, await join(rig, token)], [303, 200]);
  await change(rig, eve.id, { isKeptOut: true });
  const again = rig.stranger();
  await signIn(again, carl.email);
  assert.equal(await isIn(again), true);
});

interface Waiting {
  readonly userCode: string;
  readonly deviceCode: string;
}

/** A terminal that this person has let in, and that has not asked since. */
async function letIn(rig: PeopleRig, person: Browser): Promise<Waiting> {
  const started = json(await rig.post('/api/pair', {}, JSON.stringify({ kind: 'terminal', name: 'laptop' }))) as unknown as Waiting;
  assert.equal((await person.post(`/api/pair/${started.userCode}`, { decision: 'approve' })).status, 200);
  return started;
}

const ask = (rig: PeopleRig, { deviceCode }: Waiting) => rig.post('/api/pair/key', {}, JSON.stringify({ deviceCode }));
const liveKeys = async (rig: PeopleRig, userId: string) =>
  (await rig.auth.database.pool.query('select id from api_keys where user_id = $1 and revoked_at is null', [userId])).rows;

test('A10, H27: the key of a machine that asks at the very moment in which its person is kept out is over as well', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { pool } = rig.auth.database;
  const waiting = await letIn(rig, ada);
  let polled: PollAnswer | undefined;
  let keptOut: Promise<Answer> | undefined;
  const poll = async (client: PoolClient) => {
    polled = await new Pairings(client, randomBytes).poll(waiting.deviceCode, rig.auth.clock.now);
  };
  await beforeCommit(pool, poll, async () => {
    keptOut = change(rig, ada.id, { isKeptOut: true });
    await untilHeldUp(pool);
  });
  assert.equal((await keptOut)?.status, 200);
  assert.ok(polled?.code === 'approved');
  assert.deepEqual(await liveKeys(rig, ada.id), []);
  assert.equal((await rig.ask('GET', '/api/me', { Authorization: `Bearer ${polled.key}` })).status, 401);
});

test('A10, H27: a machine that asks a moment after gets no key', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { pool } = rig.auth.database;
  const waiting = await letIn(rig, ada);
  let answer: Promise<Answer> | undefined;
  await beforeCommit(
    pool,
    (client) => client.query('update users set disabled_at = now() where id = $1', [ada.id]),
    async () => {
      answer = ask(rig, waiting);
      await untilHeldUp(pool);
    },
  );
  assert.ok(answer);
  assert.equal(refusal(await answer).code, 'authorization_pending');
  assert.deepEqual(await liveKeys(rig, ada.id), []);
});

test('H27: an approval that was given with a JWT, by an earlier version, is none', async () => {
  await using rig = await peopleRig();
  const waiting = await letIn(rig, rig.owner);
  await rig.auth.database.pool.query(`update pairings set decided_with = 'jwt:' || user_id`);
  assert.equal(refusal(await ask(rig, waiting)).code, 'authorization_pending');
});

test('A10: who is kept out in the database alone comes in by no key and no session token, and what is open is ended', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { pool } = rig.auth.database;
  const { key, id } = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { key: string; id: string };
  const { rows } = await pool.query<{ id: string }>('select id from auth_sessions where user_id = $1', [ada.id]);
  const sessionId = rows[0]?.id ?? '';
  const tokens = new SessionTokens(pool, randomBytes);
  const token = String(await tokens.create({ userId: ada.id, sessionId, origin: rig.origin }, rig.auth.clock.now));
  await pool.query('update users set disabled_at = now() where id = $1', [ada.id]);
  assert.equal((await rig.ask('GET', '/api/me', { Authorization: `Bearer ${key}` })).status, 401);
  assert.equal(await tokens.redeem(token, rig.origin, rig.auth.clock.now), undefined);
  const told: string[] = [];
  rig.auth.auth.onRevoked(({ credentialId }) => told.push(credentialId));
  const watch = rig.auth.auth.watchEnded(() => [id, sessionId]);
  await watch.look();
  await watch.close();
  assert.deepEqual(told.toSorted(), [id, sessionId].toSorted());
});
