import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Browser, isIn, json, PASSWORD, peopleRig, refusal, signIn } from './people-rig.ts';
import { actions, FACTOR, give, halfIn, SECOND_STEP, setUp, WRONG_CODE, wait } from './second-factor-rig.ts';

test('A23: the right password opens nothing; the code does, once', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  const browser = rig.stranger();
  const half = await signIn(browser, ada.email);
  assert.deepEqual(json(half), { secondStep: true });
  const [line = '', ...more] = half.headers['set-cookie'] ?? [];
  assert.deepEqual(more, []);
  assert.match(line, /^tendon-\d+\.second_step=[\w-]{43}; Path=\/api\/auth\/second-step; HttpOnly; SameSite=Strict; Max-Age=300$/);
  assert.equal(await isIn(browser), false);
  const done = await give(browser, ` ${await app.shows()} `);
  assert.deepEqual([done.status, json(done)], [200, { ok: true }]);
  assert.match(String(done.headers['set-cookie']), /second_step=; Path=[^;]+; HttpOnly; SameSite=Strict; Max-Age=0/);
  assert.ok(await isIn(browser));
  assert.equal((json(await browser.get('/api/me')) as unknown as { user: { id: string } }).user.id, ada.id);
  assert.deepEqual((await actions(ada)).slice(-2), ['second_factor_on', 'signed_in: password and code']);
});

test('A23: wrong, used, late, ended and made-up get the same words and open nothing', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const { app, recoveryCodes } = await setUp(rig, ada);
  const bobs = await setUp(rig, bob);
  const used = await app.shows();
  assert.equal((await give(await halfIn(rig, ada), used)).status, 200);
  const ended = await halfIn(rig, ada);
  const late = await halfIn(rig, ada);
  await rig.auth.database.pool.query(`update second_steps set expires_at = $1 where hash = (select hash from second_steps order by expires_at desc limit 1)`, [
    rig.auth.clock.now,
  ]);
  const madeUp = rig.stranger();
  madeUp.step = late.step?.replace(/=.*/, `=${'x'.repeat(43)}`);
  const rows: [string, Browser, string][] = [
    ['a wrong code', await halfIn(rig, ada), await app.wrong()],
    ['a used one', await halfIn(rig, ada), used],
    ['one before it', await halfIn(rig, ada), await app.shows(-1)],
    ['one that is not yet', await halfIn(rig, ada), await app.shows(2)],
    ['another person’s', await halfIn(rig, ada), await bobs.app.shows()],
    ['another person’s recovery code', await halfIn(rig, ada), bobs.recoveryCodes[0] ?? ''],
    ['a recovery code that never was', await halfIn(rig, ada), (recoveryCodes[0] ?? '').replace(/^..../, 'AAAA')],
    ['no step', rig.stranger(), await app.shows(1)],
    ['a made-up step', madeUp, await app.shows(1)],
    ...['', '12345', '1234567', '१२३४५६', "' or 1=1 --", '\u0000\u0000'].map((text): [string, Browser, string] => [JSON.stringify(text), madeUp, text || ' ']),
  ];
  for (const [title, browser, code] of rows) {
    const answer = await give(browser, code);
    assert.deepEqual(refusal(answer), WRONG_CODE, title);
    assert.equal(answer.headers['set-cookie'], undefined, title);
    assert.equal(await isIn(browser), false, title);
  }
  await rig.owner.post(`/api/people/${ada.id}`, { isKeptOut: true });
  await rig.owner.post(`/api/people/${ada.id}`, { isKeptOut: false });
  assert.deepEqual(refusal(await give(ended, await app.shows(1))), WRONG_CODE, 'kept out meanwhile, and let in again');
});

test('A23: a step is over after five minutes, after five codes, and with a new password', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  const late = await halfIn(rig, ada);
  wait(rig, 5 * 60_000);
  assert.deepEqual(refusal(await give(late, await app.shows())), WRONG_CODE, 'late');
  const tired = await halfIn(rig, ada);
  for (let attempt = 0; attempt < 5; attempt += 1) assert.equal((await give(tired, await app.wrong())).status, 401);
  assert.deepEqual(refusal(await give(tired, await app.shows())), WRONG_CODE, 'the sixth');
  const old = await halfIn(rig, ada);
  assert.equal((await ada.post('/api/account/password', { current: PASSWORD, password: 'another horse battery' })).status, 200);
  assert.deepEqual(refusal(await give(old, await app.shows())), WRONG_CODE, 'with the password of before');
  const fresh = rig.stranger();
  await signIn(fresh, ada.email, 'another horse battery');
  assert.equal((await give(fresh, await app.shows())).status, 200);
});

test('A23: the half-signed-in state gets nothing at any other route, nor over another site', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  const browser = await halfIn(rig, ada);
  const step = browser.step ?? '';
  const token = step.slice(step.indexOf('=') + 1);
  const prefix = step.slice(0, step.indexOf('.'));
  const carriers: Record<string, string>[] = [
    { Cookie: step },
    { Cookie: `${prefix}.session_token=${token}` },
    { Authorization: `Bearer ${token}` },
    { Cookie: step, Authorization: `Bearer ${token}` },
  ];
  const routes = [
    ['GET', '/api/me'],
    ['GET', '/api/account'],
    ['POST', '/api/account'],
    ['POST', '/api/account/password'],
    ['GET', FACTOR],
    ['POST', FACTOR],
    ['POST', `${FACTOR}/confirm`],
    ['POST', `${FACTOR}/recovery-codes`],
    ['POST', `${FACTOR}/off`],
    ['GET', '/api/keys'],
    ['POST', '/api/keys'],
    ['GET', '/api/devices'],
    ['POST', '/api/devices/sign-out-others'],
    ['GET', '/api/audit'],
    ['GET', '/api/people'],
  ] as const;
  for (const carrier of carriers) {
    for (const [method, path] of routes) {
      const headers = { ...carrier, Origin: rig.origin };
      const body = JSON.stringify({ name: 'x', password: PASSWORD, code: await app.shows() });
      const answer = method === 'POST' ? await rig.post(path, headers, body) : await rig.ask(method, path, headers);
      assert.equal(answer.status, 401, `${method} ${path} ${JSON.stringify(carrier)}`);
    }
  }
  for (const namespace of ['/agent', '/gateway'] as const) {
    for (const credential of [token, undefined]) {
      const decision = await rig.auth.auth.authenticate({ token: credential, headers: { cookie: step }, address: '127.0.0.1', namespace });
      assert.equal(decision.ok, false);
    }
  }
  const code = await app.shows();
  for (const headers of [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }, {}] as Record<string, string>[])
    assert.equal((await rig.post(SECOND_STEP, { Cookie: step, ...headers }, JSON.stringify({ code }))).status, 403);
  assert.equal((await give(browser, code)).status, 200, 'none of that has used it up');
});

test('A23: wrong codes are limited per person wherever they come from; a recovery code still lets its person in, and time mends it', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const { app, recoveryCodes } = await setUp(rig, ada);
  const bobs = await setUp(rig, bob);
  const { signIn: desk } = rig.auth.auth;
  const guess = async (code: string, index: number, email = ada.email) => {
    const knocker = { headers: {}, address: `10.9.${index}.1` };
    const half = await desk.byPassword({ email, password: PASSWORD }, knocker);
    assert.ok(!half.ok && half.code === 'second_step', JSON.stringify(half));
    const answer = await desk.bySecondStep(half.token, code, knocker);
    return answer.ok ? 'in' : answer.code;
  };
  for (let index = 0; index < 10; index += 1) assert.equal(await guess(await app.wrong(), index), 'unauthorized');
  assert.equal(await guess(await app.shows(), 11), 'rate_limited', 'a right one too');
  assert.equal(await guess(recoveryCodes[3] ?? '', 12), 'in');
  assert.equal(await guess(await bobs.app.shows(), 13, bob.email), 'in');
  wait(rig, 5 * 60_000);
  assert.equal(await guess(await app.shows(), 14), 'in');
  for (let round = 0; round < 12; round += 1) {
    wait(rig, 60_000);
    assert.equal(await guess(await app.shows(), 20 + round), 'in', 'right ones do not count');
  }
});

test('A23: wrong codes are limited per address, whatever step they name', async () => {
  await using rig = await peopleRig();
  const statuses: number[] = [];
  for (let guess = 0; guess < 21; guess += 1) statuses.push((await give(rig.stranger(), `${100_000 + guess}`)).status);
  assert.deepEqual([new Set(statuses.slice(0, 20)), statuses[20]], [new Set([401]), 429]);
});

test('A2: a right password with a code that never comes gives no more guesses than were taken', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  for (let guess = 0; guess < 20; guess += 1) {
    assert.equal((await signIn(rig.stranger(), `${guess}@example.org`, 'wrong horse battery')).status, 401);
    if (guess > 5) continue;
    const browser = await halfIn(rig, ada);
    if (guess === 3) assert.equal((await give(browser, await app.shows())).status, 200);
  }
  assert.equal((await signIn(rig.stranger(), ada.email)).status, 429);
});
