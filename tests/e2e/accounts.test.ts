import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const PASSWORD = 'correct horse battery';

/** The link of a new invitation, as the owner sees it. */
async function invitation(name: string): Promise<string> {
  const owner = await rig.device();
  await owner.open('/people');
  await owner.page.getByLabel('For whom?').fill(name);
  await owner.page.getByLabel('For whom?').press('Enter');
  const link = await owner.page.getByText(/\/join#[\w-]{43}$/).textContent();
  await owner.page.getByRole('region', { name: 'Invitations' }).getByRole('listitem').filter({ hasText: name }).waitFor();
  return link ?? '';
}

/** A browser that has just joined. */
async function joined(name: string): Promise<SessionPage> {
  const link = await invitation(name);
  const page = await rig.stranger();
  await page.goto(link);
  await page.getByText('invites you').waitFor();
  await page.getByLabel('E-mail address, to sign in with').fill(`${name.toLowerCase()}@example.org`);
  await page.getByLabel('Password, at least 12 characters').fill(PASSWORD);
  await page.getByRole('button', { name: 'Join' }).click();
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
  return new SessionPage(page, rig.url);
}

test('A6, A9: an invited person joins, is nobody’s owner, and the link is over', async () => {
  const ada = await joined('Ada');
  // Until this has come nobody is known to be an owner.
  const [me] = await Promise.all([ada.page.waitForResponse('**/api/me'), ada.page.reload()]);
  await me.finished();
  await ada.page.getByRole('link', { name: 'Account' }).click();
  await ada.page.getByText('You are a member.').waitFor();
  assert.equal(await ada.page.getByRole('link', { name: 'People' }).count(), 0);
  assert.equal(await ada.page.getByLabel('E-mail address').inputValue(), 'ada@example.org');
  rig.allow(/status of 403/);
  await ada.page.goto(`${rig.url}/people`);
  await ada.page.getByText('Only an owner can do that.').first().waitFor();
});

test('A3: a password that would be guessed first is refused at its field, in words that say what would be right', async () => {
  const link = await invitation('Eve');
  const page = await rig.stranger();
  await page.goto(link);
  await page.getByLabel('E-mail address, to sign in with').fill('eve@example.org');
  const field = page.getByLabel('Password, at least 12 characters');
  await field.fill('football1234');
  rig.allow(/status of 400/);
  await page.getByRole('button', { name: 'Join' }).click();
  await page.getByText('Take four or five words').waitFor();
  assert.match((await field.getAttribute('aria-invalid')) ?? '', /true/);
  const said = page.locator(`[id="${await field.getAttribute('aria-describedby')}"]`);
  assert.match((await said.textContent()) ?? '', /among the first to be guessed/);
  assert.deepEqual(await seriousFaults(page, 'join'), []);
  await field.fill(PASSWORD);
  await page.getByRole('button', { name: 'Join' }).click();
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

test('A6: a link that is over, or none, says what to do', async () => {
  rig.allow(/status of 404/);
  const page = await rig.stranger();
  for (const address of ['/join', `/join#${'x'.repeat(43)}`]) {
    await page.goto('about:blank');
    await page.goto(`${rig.url}${address}`);
    await page.getByText('Ask for a new one.').waitFor();
  }
});

test('A1, U26: a person signs in with address and password; a wrong one says so and keeps the address', async () => {
  const bob = await joined('Bob');
  rig.allow(/status of 401/);
  await bob.open('/access');
  await bob.page.getByRole('listitem').filter({ hasText: 'This browser' }).getByRole('button', { name: 'Sign out' }).click();
  await bob.page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await bob.page.getByLabel('E-mail address').fill('bob@example.org');
  await bob.page.getByLabel('Password').fill('wrong horse battery');
  await bob.page.getByLabel('Password').press('Enter');
  await bob.page.getByText('The address or the password is wrong.').waitFor();
  assert.equal(await bob.page.getByLabel('E-mail address').inputValue(), 'bob@example.org');
  assert.deepEqual(await seriousFaults(bob.page, 'sign in'), []);
  await bob.page.getByLabel('Password').fill(PASSWORD);
  await bob.page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await bob.page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

test('A10: a person who is kept out loses the page at once', async () => {
  const carl = await joined('Carl');
  const owner = await rig.device();
  await owner.open('/people');
  const row = owner.page.getByRole('region', { name: 'People' }).getByRole('listitem').filter({ hasText: 'Carl' });
  rig.allow(/status of 401/);
  await row.getByRole('button', { name: 'Keep out' }).click();
  await row.getByRole('button', { name: 'Keep them out' }).click();
  await carl.page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await row.getByRole('button', { name: 'Let in' }).waitFor();
});

test('A12, U27, U28: account and people fit a phone, show what was done, and have no serious fault', async () => {
  const device = await rig.device({ viewport: PHONE, reducedMotion: 'reduce', colorScheme: 'dark' });
  for (const [path, name] of [
    ['/account', 'Password'],
    ['/people', 'Invitations'],
  ] as const) {
    await device.open(path);
    await device.page.getByRole('region', { name }).waitFor();
    await device.page.getByRole('region', { name: 'Activity' }).getByText('signed in').first().waitFor();
    assert.deepEqual(await seriousFaults(device.page, path), []);
    const tooWide = await device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.equal(tooWide, 0, path);
  }
});
