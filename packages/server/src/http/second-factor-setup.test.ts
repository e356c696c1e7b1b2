import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { SecondFactors } from '../auth/second-factors.ts';
import { Keyring } from '../secrets/keyring.ts';
import { SecretStore } from '../secrets/secret-store.ts';
import { isIn, json, PASSWORD, peopleRig, refusal, signIn } from './people-rig.ts';
import { App, FACTOR, give, halfIn, setUp, WRONG_CODE, wait } from './second-factor-rig.ts';

test('A22: it is off, begins with the password, and asks for nothing until a code of it was given; browsers that are in stay in', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const look = async () => json(await ada.get(FACTOR));
  assert.deepEqual(await look(), { isOn: false, recoveryCodesLeft: 0 });
  assert.equal(refusal(await ada.post(FACTOR, { password: 'wrong horse battery' })).message, 'The current password is wrong.');
  const begun = json(await ada.post(FACTOR, { password: PASSWORD })) as unknown as { secret: string; uri: string };
  assert.match(begun.secret, /^[A-Z2-7]{32}$/);
  assert.equal(begun.uri, `otpauth://totp/Tendon:ada%40example.org?secret=${begun.secret}&issuer=Tendon&digits=6&period=30`);
  assert.deepEqual(await look(), { isOn: false, recoveryCodesLeft: 0 });
  assert.deepEqual(json(await signIn(rig.stranger(), ada.email)), { ok: true }, 'it is not confirmed');
  const again = json(await ada.post(FACTOR, { password: PASSWORD })) as unknown as { secret: string };
  const [old, app] = [new App(rig, begun.secret), new App(rig, again.secret)];
  assert.equal(refusal(await ada.post(`${FACTOR}/confirm`, { code: await old.shows() })).code, 'forbidden', 'another secret by now');
  const { recoveryCodes } = json(await ada.post(`${FACTOR}/confirm`, { code: await app.shows() })) as unknown as { recoveryCodes: string[] };
  assert.equal(new Set(recoveryCodes).size, 10);
  for (const code of recoveryCodes) assert.match(code, /^([A-HJ-NP-Z2-9]{4}-){5}[A-HJ-NP-Z2-9]{4}$/);
  assert.deepEqual(await look(), { isOn: true, recoveryCodesLeft: 10 });
  assert.ok(await isIn(ada), 'the browser that set it up');
  assert.equal(refusal(await ada.post(FACTOR, { password: PASSWORD })).code, 'conflict');
  assert.equal(refusal(await ada.post(`${FACTOR}/confirm`, { code: await app.shows(1) })).code, 'forbidden');
});

test('A22: the setup is over after half an hour, and who has no password is told to set one', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { secret } = json(await ada.post(FACTOR, { password: PASSWORD })) as unknown as { secret: string };
  wait(rig, 30 * 60_000);
  assert.equal(refusal(await ada.post(`${FACTOR}/confirm`, { code: await new App(rig, secret).shows() })).code, 'forbidden');
  assert.equal(refusal(await rig.owner.post(FACTOR, { password: PASSWORD })).message, 'Set a password first: the code is asked for after it.');
});

test('A22: links, keys and pairing ask for no code', async () => {
  await using rig = await peopleRig();
  await rig.owner.post('/api/account', { name: 'Olga', email: 'olga@example.org' });
  await rig.owner.post('/api/account/password', { password: PASSWORD });
  await setUp(rig, rig.owner);
  const link = new URL(await rig.auth.auth.signInLink());
  assert.equal((await rig.ask('GET', `${link.pathname}${link.search}`)).status, 303);
  const { key } = json(await rig.owner.post('/api/keys', { name: 'script' })) as unknown as { key: string };
  assert.equal((await rig.ask('GET', '/api/me', { Authorization: `Bearer ${key}` })).status, 200);
});

test('A22: the secret is encrypted and bound to its person, recovery codes are hashed, and none of it is in a log', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const { app, secret, recoveryCodes } = await setUp(rig, ada);
  const other = await setUp(rig, bob);
  const { pool } = rig.auth.database;
  const stored = JSON.stringify([
    (await pool.query('select * from second_factors')).rows,
    (await pool.query<{ sealed: Buffer }>('select sealed from secrets')).rows.map(({ sealed }) => sealed.toString('latin1')),
    (await pool.query('select * from recovery_codes')).rows,
  ]);
  const typed = await app.shows();
  await give(await halfIn(rig, ada), typed);
  for (const text of [secret, ...recoveryCodes, Buffer.from(app.secret).toString('hex')]) {
    assert.ok(!stored.includes(text));
    assert.ok(!rig.auth.rawLines.join('').includes(text));
  }
  assert.ok(!rig.auth.rawLines.join('').includes(`"${typed}"`));
  // Who can write into the database and nothing else cannot put their own secret into another's row.
  await pool.query('update secrets set sealed = (select sealed from secrets where name = $1::text) where name = $2::text', [bob.id, ada.id]);
  assert.deepEqual(refusal(await give(await halfIn(rig, ada), await other.app.shows(1))), WRONG_CODE);
});

test('A16, A22: a second factor outlives a rotation of the secret key, and is gone with its secret when it is switched off', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { pool } = rig.auth.database;
  const [old, next] = [randomBytes(32), randomBytes(32)];
  const at = (keyring: Keyring) => new SecondFactors({ pool, keyring, random: randomBytes, log: rig.auth.log, now: () => rig.auth.clock.now });
  const before = at(new Keyring(old));
  const begun = await before.begin(ada.id, ada.email);
  assert.ok(begun);
  const app = new App(rig, begun.secret);
  assert.ok(await before.confirm(ada.id, await app.shows()));
  assert.equal((await new SecretStore(pool, new Keyring(next, [old])).reseal()).resealed, 1);
  wait(rig, 60_000);
  assert.equal(await before.use(ada.id, await app.shows()), undefined, 'the old key opens it no longer');
  const after = at(new Keyring(next));
  assert.equal(await after.use(ada.id, await app.shows()), 'code');
  assert.equal(await after.remove(ada.id), true);
  assert.equal((await pool.query('select from secrets')).rowCount, 0);
});
