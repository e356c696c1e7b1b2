import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { appShows } from '@tendon/testing';
import type { Page } from 'playwright-core';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const PASSWORD = 'correct horse battery';

/** A browser of a person who has just joined. */
async function joined(name: string): Promise<SessionPage> {
  const owner = await rig.device();
  await owner.open('/people');
  await owner.page.getByLabel('For whom?').fill(name);
  await owner.page.getByLabel('For whom?').press('Enter');
  const link = await owner.page.getByText(/\/join#[\w-]{43}$/).textContent();
  const page = await rig.stranger({ viewport: PHONE });
  await page.goto(link ?? '');
  await page.getByLabel('E-mail address, to sign in with').fill(`${name.toLowerCase()}@example.org`);
  await page.getByLabel('Password, at least 12 characters').fill(PASSWORD);
  await page.getByRole('button', { name: 'Join' }).click();
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
  return new SessionPage(page, rig.url);
}

const section = (page: Page) => page.getByRole('region', { name: 'Second factor' });

interface SetUp {
  readonly device: SessionPage;
  readonly key: string;
  readonly recoveryCodes: readonly string[];
}

/** Sets it up on the page Account, by keyboard where one would. */
async function setUp(name: string): Promise<SetUp> {
  return setUpOn(await joined(name));
}

async function setUpOn(device: SessionPage): Promise<SetUp> {
  await device.open('/account');
  const place = section(device.page);
  await place.getByLabel('Your password').fill(PASSWORD);
  await place.getByLabel('Your password').press('Enter');
  await place.getByRole('img', { name: /^QR code/ }).waitFor();
  const key = (await place.locator('code').textContent()) ?? '';
  assert.match(key, /^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$/);
  const uri = await place.getByRole('link', { name: 'Open in an app on this device' }).getAttribute('href');
  assert.equal(new URL(uri ?? '').searchParams.get('secret'), key.replaceAll(' ', ''));
  await place.getByLabel('Six digits that the app shows').fill(appShows(key));
  await place.getByLabel('Six digits that the app shows').press('Enter');
  await place.getByText('The second factor is on.').waitFor();
  const recoveryCodes = await place.getByRole('list', { name: 'Recovery codes' }).getByRole('listitem').allTextContents();
  assert.equal(recoveryCodes.length, 10);
  return { device, key, recoveryCodes };
}

/** Another browser whose person has given the password. */
async function halfIn(name: string): Promise<Page> {
  rig.allow(/status of 401/);
  const page = await rig.stranger({ viewport: PHONE, colorScheme: 'dark' });
  await page.goto(rig.url);
  await page.getByLabel('E-mail address').fill(`${name.toLowerCase()}@example.org`);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByLabel('Password').press('Enter');
  return page;
}

const isIn = (page: Page) => page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();

test('A22, A23: a person sets it up, is asked for the code elsewhere, and comes in with it; a wrong one says so', async () => {
  const { device, key } = await setUp('Ada');
  assert.deepEqual(await seriousFaults(device.page, 'recovery codes'), []);
  await device.assertNoSidewaysScroll();
  await device.button('I have kept them').click();
  await section(device.page).getByText('10 recovery codes are left.').waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'switched on'), []);
  const page = await halfIn('Ada');
  const field = page.getByLabel('Six digits that your app shows');
  await field.waitFor();
  assert.ok(await field.evaluate((element) => element === document.activeElement), 'it can be typed at once');
  assert.equal(await page.evaluate(() => document.cookie), '');
  assert.deepEqual(await seriousFaults(page, 'the second step'), []);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(tooWide, 0);
  await field.fill('000000');
  await field.press('Enter');
  await page.getByText('The code is wrong or was used already').waitFor();
  // The one of the setup is used up; the app's next one counts already.
  await field.fill(appShows(key, 1));
  await field.press('Enter');
  await isIn(page);
  await device.page.reload();
  await section(device.page).waitFor();
  await device.page.getByRole('region', { name: 'Activity' }).getByText('signed in (password and code)').waitFor();
  await device.page.getByRole('region', { name: 'Activity' }).getByText('was refused: wrong code').waitFor();
});

test('A23: going anywhere else between the two steps gets nothing', async () => {
  await setUp('Bea');
  const page = await halfIn('Bea');
  await page.getByLabel('Six digits that your app shows').waitFor();
  for (const path of ['/', '/account', '/people']) {
    await page.goto(`${rig.url}${path}`);
    await page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
    await page.getByLabel('Password').waitFor();
  }
  assert.equal(await page.evaluate(() => fetch('/api/account').then(({ status }) => status)), 401);
});

test('A24, A25: a recovery code lets its person in once and helps to switch it off; then the password alone signs in', async () => {
  const { recoveryCodes } = await setUp('Carl');
  const [first = '', second = ''] = recoveryCodes;
  const page = await halfIn('Carl');
  await page.getByRole('button', { name: 'Use a recovery code' }).click();
  await page.getByLabel('A recovery code').fill(first.toLowerCase());
  await page.getByLabel('A recovery code').press('Enter');
  await isIn(page);
  await page.goto(`${rig.url}/account`);
  const place = section(page);
  await place.getByText('9 recovery codes are left.').waitFor();
  rig.allow(/status of 403/);
  await place.getByLabel('Your password').fill(PASSWORD);
  await place.getByLabel('Code of the app, or a recovery code').fill(first);
  await place.getByRole('button', { name: 'Switch it off' }).click();
  await place.getByText('The code is wrong or was used already').waitFor();
  await place.getByLabel('Code of the app, or a recovery code').fill(second);
  await place.getByRole('button', { name: 'Switch it off' }).click();
  await place.getByRole('button', { name: 'Set it up' }).waitFor();
  await isIn(await halfIn('Carl'));
});

test('A25: an owner resets it for one who has lost the app; the browser that is in stays in', async () => {
  const { device } = await setUp('Dora');
  const owner = await rig.device({ viewport: PHONE, colorScheme: 'dark' });
  await owner.open('/people');
  const row = owner.page.getByRole('region', { name: 'People' }).getByRole('listitem').filter({ hasText: 'Dora' });
  await row.getByRole('button', { name: 'Reset second factor' }).click();
  await row.getByText('Be sure who asks.').waitFor();
  await owner.assertNoSidewaysScroll();
  await row.getByRole('button', { name: 'Reset it' }).click();
  await row.getByText('No code is asked for after their password now.').waitFor();
  await owner.page.getByRole('region', { name: 'Activity' }).waitFor();
  assert.deepEqual(await seriousFaults(owner.page, 'people'), []);
  await isIn(await halfIn('Dora'));
  await device.open('/account');
  await section(device.page).getByRole('button', { name: 'Set it up' }).waitFor();
  await device.page.getByRole('region', { name: 'Activity' }).getByText('reset the second factor: Dora').waitFor();
});

test('A25: the first owner’s is reset on the server’s machine, while the server runs', async () => {
  const reset = async () => {
    const command = [join(import.meta.dirname, '../../packages/cli/src/main.js'), 'second-factor', 'reset'];
    return (await promisify(execFile)(process.execPath, command, { env: { PATH: process.env['PATH'], TENDON_HOME: rig.product.home } })).stderr;
  };
  assert.match(await reset(), /has no second factor/);
  const owner = await rig.device();
  await owner.open('/account');
  // A password is set in a browser that is signed in, and by no key (A11).
  const api = (path: string, body: object) =>
    owner.page.evaluate(async ([to, text]) => (await fetch(to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: text })).status, [
      path,
      JSON.stringify(body),
    ] as const);
  assert.equal(await api('/api/account', { name: 'Olga', email: 'olga@example.org' }), 200);
  assert.equal(await api('/api/account/password', { password: PASSWORD }), 200);
  const page = await halfIn('Olga');
  await isIn(page);
  await setUpOn(new SessionPage(page, rig.url));
  const other = await halfIn('Olga');
  await other.getByLabel('Six digits that your app shows').waitFor();
  assert.match(await reset(), /is off. Sign in with the password/);
  await isIn(await halfIn('Olga'));
  assert.deepEqual(await rig.product.sql(`select credential_id, about from audit_entries where action = 'second_factor_reset' order by id desc limit 1`), [
    { credential_id: 'control', about: 'on the server’s machine' },
  ]);
});
