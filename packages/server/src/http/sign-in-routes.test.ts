import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, isIn, json, PASSWORD, peopleRig, refusal, signIn } from './people-rig.ts';

test('A1: a right address and password open a browser session; the cookie is strict and nowhere else', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const browser = rig.stranger();
  const answer = await signIn(browser, ` ${ada.email.toUpperCase()} `, PASSWORD);
  assert.equal(answer.status, 200);
  assert.match(String(answer.headers['set-cookie']), /HttpOnly.*SameSite=Strict|SameSite=Strict.*HttpOnly/i);
  assert.deepEqual(json(answer), { ok: true });
  assert.equal((json(await browser.get('/api/me')) as unknown as { user: { id: string } }).user.id, ada.id);
  assert.deepEqual(json(await rig.stranger().get('/api/auth/ways')), { password: true });
});

test('H23: whoever signs in in a browser that is signed in ends what it had, announced, and nothing else', async () => {
  await using rig = await peopleRig();
  const ended: string[] = [];
  rig.auth.auth.onRevoked(({ credentialId }) => void ended.push(credentialId));
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const elsewhere = rig.stranger();
  await signIn(elsewhere, ada.email);
  const before = new Browser(rig, ada.cookie);
  assert.equal((await signIn(ada, ada.email, 'wrong horse battery')).status, 401);
  assert.deepEqual([await isIn(before), ended.length], [true, 0], 'a wrong password ends nothing');
  assert.equal((await signIn(ada, bob.email)).status, 200);
  assert.deepEqual([await isIn(before), await isIn(ada), await isIn(bob), await isIn(elsewhere), ended.length], [false, true, true, true, 1]);
  const link = new URL(await rig.auth.auth.signInLink());
  const opened = await rig.ask('GET', `${link.pathname}${link.search}`, { Cookie: String(ada.cookie) });
  assert.equal(opened.status, 303);
  assert.deepEqual([await isIn(ada), await isIn(bob), ended.length], [false, true, 2]);
});

test('A1: unknown, wrong and kept out are answered in the same words, and none opens anything', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  await rig.owner.post(`/api/people/${bob.id}`, { isKeptOut: true });
  const browser = rig.stranger();
  const answers = [
    await signIn(browser, 'nobody@example.org', PASSWORD),
    await signIn(browser, ada.email, 'wrong horse battery'),
    await signIn(browser, bob.email, PASSWORD),
  ];
  for (const answer of answers) {
    assert.deepEqual(refusal(answer), { status: 401, code: 'unauthorized', message: 'The address or the password is wrong.' });
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  assert.equal(await isIn(browser), false);
});

test('A1: a page of another site signs nobody in, however right the password is', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const body = JSON.stringify({ email: ada.email, password: PASSWORD });
  const senders: Record<string, string>[] = [{ Origin: 'https://evil.example' }, { 'Sec-Fetch-Site': 'cross-site' }, { 'Content-Type': 'text/plain' }, {}];
  for (const headers of senders) {
    for (const path of ['/api/auth/sign-in', '/api/auth/join', '/api/auth/provider']) {
      const answer = await rig.post(path, headers, body);
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.equal(answer.headers['set-cookie'], undefined);
    }
  }
});

test('A2: wrong passwords are limited per address, right ones in between do not count', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  for (let round = 0; round < 21; round += 1) assert.equal((await signIn(rig.stranger(), ada.email, PASSWORD)).status, 200);
  for (let guess = 0; guess < 20; guess += 1) assert.equal((await signIn(rig.stranger(), `${guess}@example.org`, 'wrong horse battery')).status, 401);
  const limited = await signIn(rig.stranger(), ada.email, PASSWORD);
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers['retry-after']) >= 1);
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + 3_000);
  assert.equal((await signIn(rig.stranger(), ada.email, PASSWORD)).status, 200);
});

test('A2: guesses at one account from many addresses end too, and others still come in', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const { signIn: desk } = rig.auth.auth;
  const guess = (email: string, index: number, password: string) => desk.byPassword({ email, password }, { headers: {}, address: `10.1.${index}.1` });
  for (let index = 0; index < 30; index += 1) assert.equal((await guess(ada.email, index, 'wrong horse battery')).ok, false);
  const next = await guess(ada.email, 31, PASSWORD);
  assert.ok(!next.ok && next.code === 'rate_limited' && next.retryAfterMs > 0);
  assert.equal((await guess(bob.email, 32, PASSWORD)).ok, true);
});

test('A2: a flood of guesses at once is told to wait, and those who waited are answered rightly', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { signIn: desk } = rig.auth.auth;
  const attempts = Array.from({ length: 60 }, (_, index) =>
    desk.byPassword({ email: `${index}@example.org`, password: 'wrong horse battery' }, { headers: {}, address: `10.2.${index}.1` }),
  );
  const codes = (await Promise.all(attempts)).map((answer) => (answer.ok ? 'in' : answer.code));
  assert.deepEqual([...new Set(codes)].toSorted(), ['rate_limited', 'unauthorized']);
  assert.equal((await desk.byPassword({ email: ada.email, password: PASSWORD }, { headers: {}, address: '10.3.0.1' })).ok, true);
});

test('A3: a password is nowhere in the database and in no log line', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  await signIn(rig.stranger(), ada.email, 'wrong horse battery');
  const { rows } = await rig.auth.database.pool.query(`select password from accounts where provider_id = 'credential'`);
  assert.equal(rows.length, 1);
  for (const secret of [PASSWORD, 'wrong horse battery']) {
    assert.ok(!JSON.stringify(rows).includes(secret));
    assert.ok(!rig.auth.rawLines.join('').includes(secret));
  }
});

test('A13: a link from elsewhere opens a page and nothing else', async () => {
  await using rig = await peopleRig();
  const visit = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' };
  for (const path of ['/', '/s/0192a7c0-0000-7000-8000-000000000001', '/join', '/pair?code=BCDF-GHJK'])
    assert.equal((await rig.ask('GET', path, visit)).status, 200, path);
  const closed = [
    '/sign-in?token=x',
    '/%73ign-in?token=x',
    '/api/me',
    '/api/auth/ways',
    '/%61pi/me',
    '/metrics',
    '/socket.io/?EIO=4&transport=polling',
    '/a/../api/me',
    '/.',
  ];
  for (const path of closed) assert.equal((await rig.ask('GET', path, visit)).status, 403, path);
  assert.equal((await rig.post('/', visit, '')).status, 403);
  for (const [name, value] of [
    ['Sec-Fetch-Mode', 'no-cors'],
    ['Sec-Fetch-Dest', 'iframe'],
    ['Origin', 'https://evil.example'],
  ] as const)
    assert.equal((await rig.ask('GET', '/', { ...visit, [name]: value })).status, 403, name);
});
