import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isIn, json, PASSWORD, peopleRig, refusal, signIn } from './people-rig.ts';

test('A4: a new password takes the old one and signs out the other browsers', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const other = rig.stranger();
  await signIn(other, ada.email, PASSWORD);
  const change = (body: object) => ada.post('/api/account/password', body);
  assert.equal(refusal(await change({ password: 'another horse battery' })).code, 'forbidden');
  assert.equal(refusal(await change({ current: 'wrong horse battery', password: 'another horse battery' })).code, 'forbidden');
  assert.equal(refusal(await change({ current: PASSWORD, password: 'short' })).code, 'invalid_payload');
  assert.equal(await isIn(other), true);
  assert.deepEqual(json(await change({ current: PASSWORD, password: 'another horse battery' })), { ended: 1 });
  assert.deepEqual([await isIn(ada), await isIn(other)], [true, false]);
  assert.equal((await signIn(other, ada.email, PASSWORD)).status, 401);
  assert.equal((await signIn(other, ada.email, 'another horse battery')).status, 200);
});

test('A4: guesses at the current password are limited', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const statuses: number[] = [];
  for (let guess = 0; guess < 32; guess += 1)
    statuses.push((await ada.post('/api/account/password', { current: `wrong ${guess}`, password: 'another horse battery' })).status);
  assert.deepEqual([statuses[0], statuses.at(-1)], [403, 429]);
});

test('A4: whoever came in by a link sets a password without the old one, for a quarter of an hour', async () => {
  await using rig = await peopleRig();
  const change = (password: string) => rig.owner.post('/api/account/password', { password });
  assert.equal(refusal(await change(PASSWORD)).code, 'conflict', 'an address first');
  assert.equal((await rig.owner.post('/api/account', { name: 'Olga', email: 'olga@example.org' })).status, 200);
  assert.equal((await change(PASSWORD)).status, 200);
  assert.equal((await change('another horse battery')).status, 200);
  await rig.auth.database.pool.query(`update auth_sessions set created_at = created_at - interval '16 minutes'`);
  assert.equal(refusal(await change(PASSWORD)).code, 'forbidden');
});

test('A3: a new password that would be guessed first is refused at its field; one that is stored from before stays good', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const answer = await ada.post('/api/account/password', { current: PASSWORD, password: '1qaz2wsx3edc' });
  const { error } = json(answer) as unknown as { error: { message: string; details: object } };
  assert.deepEqual([answer.status, error.details], [400, [{ path: 'password', reason: error.message }]]);
  assert.equal((await signIn(rig.stranger(), ada.email, PASSWORD)).status, 200, 'the old one stays');
  const { hashPassword } = await import('better-auth/crypto');
  await rig.auth.database.pool.query('update accounts set password = $1 where user_id = $2', [await hashPassword('football1234'), ada.id]);
  assert.equal((await signIn(rig.stranger(), ada.email, 'football1234')).status, 200);
});

test('A11: a key changes the name of its person, and not the address that they sign in with', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { key } = json(await ada.post('/api/keys', { name: 'script' })) as unknown as { key: string };
  const describe = (body: object) => rig.post('/api/account', { Authorization: `Bearer ${key}` }, JSON.stringify(body));
  assert.equal((await describe({ name: 'Ada L.' })).status, 200);
  assert.equal((await describe({ name: 'Ada Lovelace', email: ada.email })).status, 200, 'the address is the same');
  assert.equal(refusal(await describe({ name: 'Eve', email: 'eve@example.org' })).code, 'forbidden');
  const { account } = json(await ada.get('/api/account')) as unknown as { account: { name: string; email: string } };
  assert.deepEqual([account.name, account.email], ['Ada Lovelace', ada.email]);
});
