import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Browser, isIn, json, PASSWORD, peopleRig, refusal, signIn } from './people-rig.ts';
import { actions, FACTOR, give, halfIn, setUp, WRONG_CODE, wait } from './second-factor-rig.ts';

test('A24: of one code in parallel exactly one wins, in steps of its own and in one step', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app, recoveryCodes } = await setUp(rig, ada);
  const wins = async (browsers: readonly Browser[], codes: readonly string[]) => {
    const answers = await Promise.all(browsers.map((browser, index) => give(browser, codes[index % codes.length] ?? '')));
    return answers.filter(({ status }) => status === 200).length;
  };
  const browsers = [await halfIn(rig, ada), await halfIn(rig, ada), await halfIn(rig, ada), await halfIn(rig, ada)];
  assert.equal(await wins(browsers, [await app.shows()]), 1, 'one code, four steps');
  const others = [await halfIn(rig, ada), await halfIn(rig, ada), await halfIn(rig, ada)];
  assert.equal(await wins(others, [recoveryCodes[0] ?? '']), 1, 'one recovery code, three steps');
  wait(rig, 60_000);
  const one = await halfIn(rig, ada);
  const copies = Array.from({ length: 3 }, () => Object.assign(rig.stranger(), { step: one.step }));
  assert.equal(await wins(copies, [await app.shows(), recoveryCodes[1] ?? '', recoveryCodes[2] ?? '']), 1, 'three right codes, one step');
});

test('A24: two nodes do not both take one code', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  const nodes = [rig.auth.auth, await rig.auth.another()];
  const knocker = { headers: {}, address: '10.8.0.1' };
  const halves = await Promise.all(nodes.map((node) => node.signIn.byPassword({ email: ada.email, password: PASSWORD }, knocker)));
  const code = await app.shows();
  const answers = await Promise.all(
    nodes.map((node, index) => {
      const half = halves[index];
      assert.ok(half && !half.ok && half.code === 'second_step');
      return node.signIn.bySecondStep(half.token, code, knocker);
    }),
  );
  assert.equal(answers.filter(({ ok }) => ok).length, 1);
});

test('A24: a recovery code is good once, in any spelling, and is counted down', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { recoveryCodes } = await setUp(rig, ada);
  const [first = ''] = recoveryCodes;
  const browser = await halfIn(rig, ada);
  assert.equal((await give(browser, first.toLowerCase().replaceAll('-', ' '))).status, 200);
  assert.deepEqual(json(await browser.get(FACTOR)), { isOn: true, recoveryCodesLeft: 9 });
  assert.deepEqual(refusal(await give(await halfIn(rig, ada), first)), WRONG_CODE);
  await rig.auth.noted();
  assert.deepEqual((await actions(ada)).slice(-3), ['recovery_code_used', 'signed_in: password and recovery code', 'second_factor_refused']);
});

test('A25: off and new recovery codes take the password and a code; the old codes are over', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  assert.equal(refusal(await ada.post(`${FACTOR}/off`, { password: PASSWORD, code: '123456' })).code, 'conflict');
  const { app, recoveryCodes } = await setUp(rig, ada);
  for (const path of [`${FACTOR}/off`, `${FACTOR}/recovery-codes`]) {
    const attempt = async (body: object) => refusal(await ada.post(path, body));
    assert.equal((await attempt({ password: 'wrong horse battery', code: await app.shows() })).message, 'The current password is wrong.');
    assert.match((await attempt({ password: PASSWORD, code: await app.wrong() })).message, /^The code is wrong/);
    for (const body of [{ password: PASSWORD }, { code: await app.shows() }, {}]) assert.equal((await attempt(body)).status, 400);
  }
  const renewed = await ada.post(`${FACTOR}/recovery-codes`, { password: PASSWORD, code: await app.shows() });
  const fresh = (json(renewed) as unknown as { recoveryCodes: string[] }).recoveryCodes;
  assert.equal(new Set([...fresh, ...recoveryCodes]).size, 20);
  assert.deepEqual(refusal(await give(await halfIn(rig, ada), recoveryCodes[0] ?? '')), WRONG_CODE);
  assert.match(refusal(await ada.post(`${FACTOR}/off`, { password: PASSWORD, code: await app.shows() })).message, /used already/, 'once here too');
  const waiting = await halfIn(rig, ada);
  assert.equal((await ada.post(`${FACTOR}/off`, { password: PASSWORD, code: fresh[0] })).status, 200);
  assert.deepEqual(refusal(await give(waiting, fresh[1] ?? '')), WRONG_CODE);
  assert.deepEqual(json(await signIn(rig.stranger(), ada.email)), { ok: true });
  assert.ok(await isIn(ada));
  const done = await actions(ada);
  for (const action of ['second_factor_on', 'recovery_codes_made', 'second_factor_refused', 'recovery_code_used', 'second_factor_off'])
    assert.ok(done.includes(action), action);
});

test('A25: guesses at switching it off are limited', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  const statuses: number[] = [];
  for (let guess = 0; guess < 11; guess += 1) statuses.push((await ada.post(`${FACTOR}/off`, { password: PASSWORD, code: await app.wrong() })).status);
  assert.deepEqual([new Set(statuses.slice(0, 10)), statuses[10]], [new Set([403]), 429]);
});

test('A25: an owner resets that of another and learns nothing; a member resets nobody’s; the first owner’s is reset on the server’s machine', async () => {
  const controlKey = 'control-key-control-key-control-key-control';
  await using rig = await peopleRig({ controlKey });
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  await rig.owner.post('/api/account', { name: 'Olga', email: 'olga@example.org' });
  await rig.owner.post('/api/account/password', { password: PASSWORD });
  const ownerId = rig.auth.auth.ownerId;
  await setUp(rig, ada);
  await setUp(rig, rig.owner);
  const path = (id: string) => `/api/people/${id}/second-factor`;
  for (const id of [ada.id, bob.id, ownerId, '0192a7c0-0000-7000-8000-000000000001']) assert.equal((await bob.delete(path(id))).status, 403);
  assert.equal(refusal(await rig.owner.delete(path(ownerId))).code, 'conflict');
  assert.equal((await rig.owner.delete(path('0192a7c0-0000-7000-8000-000000000001'))).status, 404);
  assert.equal((await rig.owner.delete(path('nonsense'))).status, 404);
  const [with2, without] = [await rig.owner.delete(path(ada.id)), await rig.owner.delete(path(bob.id))];
  assert.deepEqual([with2.status, json(with2)], [200, { ok: true }]);
  assert.deepEqual(json(without), json(with2));
  assert.ok(!/second|factor/i.test((await rig.owner.get('/api/people')).body.toString()), 'nor does the list tell');
  assert.deepEqual(json(await signIn(rig.stranger(), ada.email)), { ok: true });
  assert.ok(await isIn(ada));
  assert.ok((await actions(ada)).includes('second_factor_reset'), 'she sees that it was done to her');
  assert.equal((await rig.owner.post('/api/second-factor/reset')).status, 404);
  const { key } = json(await rig.owner.post('/api/keys', { name: 'script' })) as unknown as { key: string };
  assert.equal((await rig.post('/api/second-factor/reset', { Authorization: `Bearer ${key}` }, '{}')).status, 404);
  const reset = async () => json(await rig.post('/api/second-factor/reset', { Authorization: `Bearer ${controlKey}` }, '{}'));
  const noted = async () => (await actions(rig.owner)).filter((action) => action === 'second_factor_reset').length;
  const before = await noted();
  assert.deepEqual([await reset(), await reset()], [{ wasOn: true }, { wasOn: false }]);
  assert.equal((await noted()) - before, 1, 'where there was none, none was reset');
  assert.deepEqual(json(await signIn(rig.stranger(), 'olga@example.org')), { ok: true });
});
