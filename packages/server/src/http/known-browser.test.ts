import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Browser, isIn, json, PASSWORD, type PeopleRig, peopleRig, signIn } from './people-rig.ts';
import { give, halfIn, setUp, wait } from './second-factor-rig.ts';

/* A browser in which somebody has signed in before is not locked out by what others guess; it is no way in by itself. */

const WRONG = 'wrong horse battery';
const NEW = 'another horse entirely';

/** Guesses at this account until nobody who is a stranger gets in, from many addresses and from that of the tests too. */
async function besiege(rig: PeopleRig, email: string): Promise<void> {
  const { signIn: desk } = rig.auth.auth;
  for (let guess = 0; guess < 30; guess += 1) await desk.byPassword({ email, password: WRONG }, { headers: {}, address: `10.1.${guess}.1` });
  for (let guess = 0; guess < 20; guess += 1) await desk.byPassword({ email: `${guess}@example.org`, password: WRONG }, { headers: {}, address: '127.0.0.1' });
  assert.equal((await signIn(rig.stranger(), email)).status, 429);
}

const statusOf = async (browser: Browser, email: string, password = PASSWORD): Promise<number> => (await signIn(browser, email, password)).status;

/** A browser that has nothing but this cookie. */
function bearing(rig: PeopleRig, known: string | undefined): Browser {
  const browser = rig.stranger();
  browser.known = known;
  return browser;
}

test('A2: however much others guess, at the account and at the address, its person gets in where they were signed in before', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  await ada.post('/api/auth/sign-out');
  assert.equal(await isIn(ada), false);
  await besiege(rig, ada.email);
  for (let time = 0; time < 3; time += 1) assert.equal(await statusOf(ada, ada.email), 200);
  assert.equal(await isIn(ada), true);
  const { signIn: desk } = rig.auth.auth;
  const elsewhere = await desk.byPassword({ email: ada.email, password: PASSWORD }, { headers: {}, address: '10.9.0.1' });
  assert.ok(!elsewhere.ok && elsewhere.code === 'rate_limited', 'an unknown browser waits');
});

test('A2, A23: so does who owes a code after the password', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { app } = await setUp(rig, ada);
  await besiege(rig, ada.email);
  ada.cookie = undefined;
  assert.deepEqual(json(await signIn(ada, ada.email)), { secondStep: true });
  assert.equal((await give(ada, await app.shows())).status, 200);
  wait(rig, 60 * 60_000);
  assert.equal((await halfIn(rig, ada)).known, undefined, 'the password alone makes no browser known');
});

test('A2: the wrong passwords of a known browser are counted there, 20 and one more a minute, and nowhere else', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const [thief, other] = [bearing(rig, ada.known), rig.stranger()];
  await signIn(other, ada.email);
  const guesses: number[] = [];
  for (let guess = 0; guess < 22; guess += 1) guesses.push(await statusOf(thief, ada.email, WRONG));
  assert.deepEqual(guesses, [...Array<number>(20).fill(401), 429, 429]);
  assert.equal(await statusOf(thief, ada.email), 429, 'even a right one');
  assert.equal(await statusOf(other, ada.email), 200, 'another known browser');
  assert.equal(await statusOf(rig.stranger(), ada.email), 200, 'a stranger');
  wait(rig, 60_000);
  assert.deepEqual([await statusOf(thief, ada.email, WRONG), await statusOf(thief, ada.email, WRONG)], [401, 429]);
});

test('A2: parallel guesses of a known browser count too', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { signIn: desk } = rig.auth.auth;
  const headers = { cookie: String(ada.known) };
  const guess = () => desk.byPassword({ email: ada.email, password: WRONG }, { headers, address: '10.2.0.1' });
  const before = rig.auth.rawLines.length;
  await Promise.all(Array.from({ length: 60 }, guess));
  const looked = rig.auth.rawLines.slice(before).filter((line) => line.includes('address or password is wrong'));
  assert.ok(looked.length <= 20, String(looked.length));
  assert.equal(await statusOf(bearing(rig, ada.known), ada.email), 429);
});

test('A2: a flood of strangers at once does not turn a known browser away', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const { signIn: desk } = rig.auth.auth;
  const flood = Array.from({ length: 60 }, (_, index) =>
    desk.byPassword({ email: `${index}@example.org`, password: WRONG }, { headers: {}, address: `10.2.${index}.1` }),
  );
  const known = desk.byPassword({ email: ada.email, password: PASSWORD }, { headers: { cookie: String(ada.known) }, address: '10.3.0.1' });
  const codes = (await Promise.all(flood)).map((answer) => (answer.ok ? 'in' : answer.code));
  assert.ok(codes.includes('rate_limited'), 'the line was full');
  assert.equal((await known).ok, true);
});

test('A2: the cookie is of one account and one password, and forged, changed or of another it is worth nothing', async () => {
  await using rig = await peopleRig();
  const [ada, bob] = [await rig.member('Ada'), await rig.member('Bob')];
  const before = String(ada.known);
  const [name = '', value = ''] = before.split('=');
  const [nonce = '', signature = ''] = value.split('.');
  assert.equal((await ada.post('/api/account/password', { current: PASSWORD, password: NEW })).status, 200);
  assert.notEqual(ada.known, before);
  await besiege(rig, ada.email);
  const worthless = [before, bob.known, `${name}=`, `${name}=x`, `${name}=${nonce}.${signature.slice(1)}x`, `${name}=x${nonce}.${signature}`, `${name}=.`];
  for (const cookie of worthless) assert.equal(await statusOf(bearing(rig, cookie), ada.email, NEW), 429, cookie);
  const twice = bearing(rig, `${ada.known}; ${ada.known}`);
  assert.equal(await statusOf(twice, ada.email, NEW), 429);
  assert.equal(await statusOf(bearing(rig, ada.known), ada.email, NEW), 200, 'that of the browser that changed it is good');
});

test('A2, H6: the cookie opens nothing, goes to the route of sign-in alone, and is read by no page', async () => {
  await using rig = await peopleRig();
  const ada = await rig.member('Ada');
  const answer = await signIn(rig.stranger(), ada.email);
  const line = answer.headers['set-cookie']?.find((set) => set.includes('.known=')) ?? '';
  assert.match(line, /^tendon-\d+\.known=[\w-]{22}\.[\w-]{43}; Path=\/api\/auth\/sign-in; HttpOnly; SameSite=Strict; Max-Age=34560000$/);
  assert.ok(!answer.body.toString().includes(line.slice(0, line.indexOf(';')).split('=')[1] ?? line));
  assert.equal(await isIn(new Browser(rig, ada.known)), false);
  assert.equal(await statusOf(bearing(rig, ada.known), ada.email, WRONG), 401);
  assert.equal((await signIn(rig.stranger(), ada.email, WRONG)).headers['set-cookie'], undefined, 'a wrong password makes no browser known');
  const link = new URL(await rig.auth.auth.signInLink());
  const byLink = await rig.ask('GET', `${link.pathname}${link.search}`);
  assert.equal(byLink.headers['set-cookie']?.length, 1, 'whose account has no password has nothing to guess');
});
