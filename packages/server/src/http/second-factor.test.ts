import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { base32 } from '@better-auth/utils/base32';
import { codeAt } from '../auth/one-time-code.ts';
import { SecondFactors } from '../auth/second-factors.ts';
import { Keyring } from '../secrets/keyring.ts';
import { SecretStore } from '../secrets/secret-store.ts';
import { type Browser, json, PASSWORD, type PeopleRig, peopleRig, refusal } from './people-rig.ts';

type Member = Awaited<ReturnType<PeopleRig['member']>>;

const SECOND_STEP = '/api/auth/second-step';
const FACTOR = '/api/account/second-factor';
const signIn = (browser: Browser, email: string, password = PASSWORD) => browser.post('/api/auth/sign-in', { email, password });
const give = (browser: Browser, code: string) => browser.post(SECOND_STEP, { code });
const WRONG_CODE = {
  status: 401,
  code: 'unauthorized',
  message: 'The code is wrong or was used already, or it took more than five minutes. Try the next code, or start again with your password.',
};

async function isIn(browser: Browser): Promise<boolean> {
  return (await browser.get('/api/me')).status === 200;
}

/** An app on a telephone, whose clock is the server's. */
class App {
  readonly secret: Uint8Array;
  readonly #rig: PeopleRig;

  constructor(rig: PeopleRig, secret: string) {
    this.secret = base32.decode(secret);
    this.#rig = rig;
  }

  /** The code that it shows now, or so many periods later. */
  shows(later = 0): Promise<string> {
    return codeAt(this.secret, new Date(this.#rig.auth.clock.now.getTime() + later * 30_000));
  }

  /** Some code that is none of those that count. */
  async wrong(): Promise<string> {
    const right = new Set(await Promise.all([-1, 0, 1].map((later) => this.shows(later))));
    return ['000000', '111111', '222222', '333333'].find((code) => !right.has(code)) ?? '';
  }
}

const wait = (rig: PeopleRig, milliseconds: number) => {
  rig.auth.clock.now = new Date(rig.auth.clock.now.getTime() + milliseconds);
};

/** Sets it up, as the page does. The next period has begun by the end, so that the app shows a code that is new. */
async function setUp(rig: PeopleRig, person: Browser): Promise<{ app: App; recoveryCodes: readonly string[]; secret: string }> {
  const begun = await person.post(FACTOR, { password: PASSWORD });
  assert.equal(begun.status, 201, begun.body.toString());
  const { secret } = json(begun) as unknown as { secret: string };
  const app = new App(rig, secret);
  const confirmed = await person.post(`${FACTOR}/confirm`, { code: await app.shows() });
  assert.equal(confirmed.status, 200, confirmed.body.toString());
  wait(rig, 60_000);
  return { app, secret, ...(json(confirmed) as unknown as { recoveryCodes: readonly string[] }) };
}

/** A browser whose person has given the password. */
async function halfIn(rig: PeopleRig, { email }: Member): Promise<Browser> {
  const browser = rig.stranger();
  const answer = await signIn(browser, email);
  assert.deepEqual([answer.status, json(answer)], [200, { secondStep: true }]);
  return browser;
}

async function actions(browser: Browser): Promise<string[]> {
  const { entries } = json(await browser.get('/api/audit')) as unknown as { entries: { action: string; about?: string }[] };
  return entries.map(({ action, about }) => (action === 'signed_in' ? `${action}: ${about}` : action)).toReversed();
}

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
  assert.deepEqual((await actions(ada)).slice(-3, -1), ['recovery_code_used', 'signed_in: password and recovery code']);
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
  assert.deepEqual([await reset(), await reset()], [{ wasOn: true }, { wasOn: false }]);
  assert.deepEqual(json(await signIn(rig.stranger(), 'olga@example.org')), { ok: true });
});
