import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { base32 } from '@better-auth/utils/base32';
import type { Pool } from 'pg';
import { cookiePair } from '../auth/auth-rig.ts';
import { codeAt } from '../auth/one-time-code.ts';
import { SecondFactors } from '../auth/second-factors.ts';
import { Keyring } from '../secrets/keyring.ts';
import { untilHeldUp, whileLocked } from './held-up.test-kit.ts';
import { Browser, json, PASSWORD, type PeopleRig, peopleRig, refusal, signIn } from './people-rig.ts';

/* Sign-ins that something overtakes between two of their steps. A lock of the database holds them up there. */

const NEW = 'another horse entirely';
const FACTOR = '/api/account/second-factor';
const poolOf = (rig: PeopleRig): Pool => rig.auth.database.pool;

async function countOf(rig: PeopleRig, table: 'auth_sessions' | 'second_steps', userId: string): Promise<number> {
  const { rows } = await poolOf(rig).query<{ count: number }>(`select count(*)::int from ${table} where user_id = $1`, [userId]);
  return rows[0]?.count ?? -1;
}

/** Sets a second factor up. What its app shows so many periods later. */
async function setUp(rig: PeopleRig, person: Browser): Promise<(later: number) => Promise<string>> {
  const { secret } = json(await person.post(FACTOR, { password: PASSWORD })) as unknown as { secret: string };
  const shows = (later: number) => codeAt(base32.decode(secret), new Date(rig.auth.clock.now.getTime() + later * 30_000));
  assert.equal((await person.post(`${FACTOR}/confirm`, { code: await shows(0) })).status, 200);
  return shows;
}

for (const hasFactor of [false, true])
  test(`A4, A23: a sign-in whose password is changed while it is checked opens nothing, ${hasFactor ? 'with' : 'without'} a second factor`, async () => {
    await using rig = await peopleRig();
    const ada = await rig.member('Ada');
    if (hasFactor) await setUp(rig, ada);
    const stranger = rig.stranger();
    let answer: ReturnType<typeof signIn> | undefined;
    // Asked for after the password was found to be right.
    await whileLocked(poolOf(rig), 'lock table second_factors', async () => {
      answer = signIn(stranger, ada.email);
      await untilHeldUp(poolOf(rig));
      assert.equal((await ada.post('/api/account/password', { current: PASSWORD, password: NEW })).status, 200);
    });
    assert.ok(answer);
    const wrong = await signIn(rig.stranger(), ada.email);
    assert.deepEqual([refusal(await answer), stranger.cookie, stranger.step], [refusal(wrong), undefined, undefined]);
    assert.deepEqual([await countOf(rig, 'auth_sessions', ada.id), await countOf(rig, 'second_steps', ada.id)], [1, 0]);
    assert.equal((await ada.get('/api/me')).status, 200, 'who changed it stays in');
  });

for (const hasPassword of [false, true])
  test(`A4: a password that is ${hasPassword ? 'changed' : 'set'} by a browser that is signed out meanwhile stays as it was`, async () => {
    await using rig = await peopleRig();
    const { pool } = rig.auth.database;
    const ada = await rig.member('Ada');
    if (!hasPassword) await pool.query('delete from accounts where user_id = $1', [ada.id]);
    const passwords = async () => (await pool.query('select password from accounts where user_id = $1', [ada.id])).rows;
    const before = await passwords();
    let answer: ReturnType<Browser['post']> | undefined;
    await whileLocked(poolOf(rig), 'lock table accounts in exclusive mode', async () => {
      answer = ada.post('/api/account/password', { ...(hasPassword && { current: PASSWORD }), password: NEW });
      await untilHeldUp(poolOf(rig));
      await pool.query('delete from auth_sessions where user_id = $1', [ada.id]);
    });
    assert.ok(answer);
    assert.equal(refusal(await answer).code, hasPassword ? 'forbidden' : 'conflict');
    assert.deepEqual(await passwords(), before);
  });

test('A23: a second step whose password is changed while its session is opened opens nothing', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const shows = await setUp(rig, ada);
  const stranger = rig.stranger();
  assert.deepEqual(json(await signIn(stranger, ada.email)), { secondStep: true });
  let answer: ReturnType<Browser['post']> | undefined;
  // A session names its person: it waits for the row of theirs.
  await whileLocked(poolOf(rig), `select 1 from users where id = '${ada.id}' for update`, async () => {
    const code = await shows(1);
    answer = stranger.post('/api/auth/second-step', { code });
    await untilHeldUp(poolOf(rig));
    // As a change does it, without the entry of the log, which names the person as well.
    await poolOf(rig).query(`update accounts set password = 'another' where user_id = $1`, [ada.id]);
    await poolOf(rig).query('delete from second_steps where user_id = $1', [ada.id]);
    await poolOf(rig).query('delete from auth_sessions where user_id = $1', [ada.id]);
  });
  assert.equal((await answer)?.status, 401);
  assert.deepEqual([stranger.cookie, await countOf(rig, 'auth_sessions', ada.id)], [undefined, 0]);
});

test('A4: strangers who try the old password without pause while it is changed are all out afterwards', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  let isChanged = false;
  const tryOn = async (lane: number): Promise<void> => {
    for (let round = 0; !isChanged; round += 1)
      await rig.auth.auth.signIn.byPassword({ email: ada.email, password: PASSWORD }, { headers: {}, address: `10.${lane}.${round}.1` });
  };
  const strangers = [1, 2, 3].map(tryOn);
  assert.equal((await ada.post('/api/account/password', { current: PASSWORD, password: NEW })).status, 200);
  isChanged = true;
  await Promise.all(strangers);
  assert.equal(await countOf(rig, 'auth_sessions', ada.id), 1);
});

/** Another browser of the first owner, signed in by a link. */
async function byLink(rig: PeopleRig): Promise<Browser> {
  const link = new URL(await rig.auth.auth.signInLink());
  const answer = await rig.ask('GET', `${link.pathname}${link.search}`);
  return new Browser(rig, cookiePair(String(answer.headers['set-cookie']?.[0])));
}

const OTHER = 'a third horse of somebody';
const change = (browser: Browser, password: string, current?: string) => browser.post('/api/account/password', { current, password });

test('A4: of two changes that found the same password right only the first is stored; the other is refused as with a wrong one', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const thief = rig.stranger();
  assert.equal((await signIn(thief, ada.email)).status, 200);
  const pool = poolOf(rig);
  const answers: ReturnType<typeof change>[] = [];
  // Both have found it right, and wait to store theirs: the owner of the account first.
  await whileLocked(pool, `select 1 from accounts where user_id = '${ada.id}' for update`, async () => {
    answers.push(change(ada, NEW, PASSWORD));
    await untilHeldUp(pool);
    answers.push(change(thief, OTHER, PASSWORD));
    await untilHeldUp(pool, 2);
  });
  const [first, second] = await Promise.all(answers);
  assert.ok(first && second);
  assert.deepEqual(json(first), { ended: 1 });
  assert.deepEqual(refusal(second), { status: 403, code: 'forbidden', message: 'The current password is wrong.' });
  assert.deepEqual([(await ada.get('/api/me')).status, (await thief.get('/api/me')).status], [200, 401]);
  const tries = [NEW, OTHER, PASSWORD].map((password) => rig.stranger().post('/api/auth/sign-in', { email: ada.email, password }));
  assert.deepEqual(
    (await Promise.all(tries)).map(({ status }) => status),
    [200, 401, 401],
  );
});

/** The first owner with an address, and with another browser. */
async function withStolenBrowser(rig: PeopleRig): Promise<Browser> {
  assert.equal((await rig.owner.post('/api/account', { name: 'Olga', email: 'olga@example.org' })).status, 200);
  return byLink(rig);
}

async function statuses(answers: readonly ReturnType<Browser['get']>[]): Promise<readonly number[]> {
  return (await Promise.all(answers)).map(({ status }) => status);
}

const tryPasswords = (rig: PeopleRig, passwords: readonly string[]) =>
  statuses(passwords.map((password) => rig.stranger().post('/api/auth/sign-in', { email: 'olga@example.org', password })));

test('A4: of two first passwords one is stored, and whoever gave the other is out', async () => {
  await using rig = await peopleRig();
  const stolen = await withStolenBrowser(rig);
  const answers: ReturnType<typeof change>[] = [];
  await whileLocked(poolOf(rig), 'lock table accounts in share mode', async () => {
    answers.push(change(rig.owner, NEW), change(stolen, OTHER));
    await untilHeldUp(poolOf(rig), 2);
  });
  const [owners, others] = await statuses(answers);
  const isOwners = owners === 200;
  assert.deepEqual([owners, others], isOwners ? [200, 409] : [409, 200]);
  assert.deepEqual(await tryPasswords(rig, [NEW, OTHER]), isOwners ? [200, 401] : [401, 200]);
  assert.equal((await (isOwners ? stolen : rig.owner).get('/api/me')).status, 401);
});

test('A4: whoever may leave the old password out changes nothing after another change', async () => {
  await using rig = await peopleRig();
  await withStolenBrowser(rig);
  assert.equal((await change(rig.owner, PASSWORD)).status, 200);
  const stolen = await byLink(rig);
  const pool = poolOf(rig);
  const { rows } = await pool.query<{ id: string }>('select id from auth_sessions order by created_at desc, id desc limit 1');
  const answers: ReturnType<typeof change>[] = [];
  // The new password is about to be stored, and the stolen session to end: nobody may see the one without the other.
  await whileLocked(pool, `select 1 from auth_sessions where id = '${rows[0]?.id}' for update`, async () => {
    answers.push(change(rig.owner, NEW));
    await untilHeldUp(pool);
    answers.push(change(stolen, OTHER));
    await Promise.race([untilHeldUp(pool, 2), answers[1]]);
  });
  assert.deepEqual(await statuses(answers), [200, 409]);
  assert.deepEqual(await tryPasswords(rig, [NEW, OTHER, PASSWORD]), [200, 401, 401]);
});

test('A23: a person owes at most ten codes at once, and the newest step is among them', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const shows = await setUp(rig, ada);
  const browsers = [];
  for (let index = 0; index < 13; index += 1) {
    const answer = await rig.auth.auth.signIn.byPassword({ email: ada.email, password: PASSWORD }, { headers: {}, address: `10.1.${index}.1` });
    assert.equal(!answer.ok && answer.code, 'second_step');
    browsers.push(!answer.ok && answer.code === 'second_step' ? answer.token : '');
  }
  assert.equal(await countOf(rig, 'second_steps', ada.id), 10);
  const opened = await rig.auth.auth.signIn.bySecondStep(browsers.at(-1), await shows(1), { headers: {}, address: '10.2.0.1' });
  assert.ok(opened.ok);
});

test('A22: a second factor that is begun while none is removed keeps its secret', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const pool = poolOf(rig);
  const parts = { keyring: new Keyring(randomBytes(32), []), random: randomBytes, log: rig.auth.log, now: () => rig.auth.clock.now };
  const plain = new SecondFactors({ pool, ...parts });
  let begun: ReturnType<SecondFactors['begin']> | undefined;
  const between = async (): Promise<void> => {
    begun = plain.begin(ada.id, ada.email);
    await Promise.race([begun, untilHeldUp(pool)]);
  };
  const remover = new SecondFactors({ pool: heldUpBefore(pool, /delete from secrets/, between), ...parts });
  assert.equal(await remover.remove(ada.id), false);
  const secret = (await begun)?.secret ?? '';
  const code = await codeAt(base32.decode(secret), rig.auth.clock.now);
  assert.equal((await plain.confirm(ada.id, code))?.length, 10);
});

/** A pool that does `work` before a statement of this kind. */
function heldUpBefore(pool: Pool, statement: RegExp, work: () => Promise<void>): Pool {
  const connect = async () => {
    const client = await pool.connect();
    const query = async (text: string, values?: unknown[]) => {
      if (statement.test(text)) await work();
      return client.query(text, values);
    };
    return { query, release: () => client.release() };
  };
  return { connect } as unknown as Pool;
}
