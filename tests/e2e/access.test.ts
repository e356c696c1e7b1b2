import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { AgentSocket, startTendon, within } from '@tendon/testing';
import { browserRig, linkIn, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** Another browser of the person, signed in with a link of its own. */
async function otherBrowser(): Promise<SessionPage> {
  const env = { TENDON_HOME: rig.product.home, TENDON_WORKSPACE: rig.workspace, TENDON_PORT: '0' };
  const told = await startTendon({ args: ['start', '--no-open'], env, scratch: rig.workspace }).then(() => 'it started', String);
  const page = await rig.stranger();
  await page.goto(linkIn(told));
  return new SessionPage(page, rig.url);
}

test('U33, H23: a browser that is signed out from another loses its page at once', async () => {
  const other = await otherBrowser();
  await other.message.waitFor();
  const device = await rig.device();
  await device.open('/access');
  const rows = device.page.getByRole('region', { name: 'Signed-in browsers' }).getByRole('listitem');
  await rows.nth(1).waitFor();
  assert.equal(await rows.count(), 2);
  assert.match((await rows.first().textContent()) ?? '', /This browser/);
  rig.allow(/status of 401/);
  await rows.nth(1).getByRole('button', { name: 'Sign out' }).click();
  await other.page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await rows.nth(1).waitFor({ state: 'detached' });
});

test('U33, H7: a new key is shown once and works; revoked it works no more', async () => {
  const device = await rig.device();
  await device.open('/access');
  const keys = device.page.getByRole('region', { name: 'API keys' });
  await device.button('New key').click();
  await device.page.keyboard.type('a script');
  await device.page.getByLabel('How long?').selectOption('30 days');
  await device.page.keyboard.press('Tab');
  await device.button('Make the key').click();
  const key = (await keys.getByText(/^tnd_[\w-]{43}$/).textContent()) ?? '';
  const socket = await AgentSocket.connect({ url: rig.url, key });
  await device.button('Done').click();
  await keys.getByText(key).waitFor({ state: 'detached' });
  await device.page.reload();
  const row = keys.getByRole('listitem').filter({ hasText: 'a script' });
  await row.getByText(/Expires/).waitFor();
  assert.ok(!(await device.page.content()).includes(key));

  await row.getByRole('button', { name: 'Revoke' }).click();
  await row.getByRole('button', { name: 'Keep' }).click();
  await row.getByRole('button', { name: 'Revoke' }).click();
  await row.getByRole('button', { name: 'Revoke the key' }).click();
  await within('the connection to end', socket.ended);
  await keys.getByText('1 ended key').click();
  await row.getByText(/^Revoked/).waitFor();
  await assert.rejects(AgentSocket.connect({ url: rig.url, key }));
});

test('U33: who signs out is told how to come in again', async () => {
  const other = await otherBrowser();
  await other.open('/access');
  rig.allow(/status of 401/);
  const own = other.page.getByRole('listitem').filter({ hasText: 'This browser' });
  await own.getByRole('button', { name: 'Sign out' }).click();
  await other.page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  const names = (await other.page.context().cookies()).map(({ name }) => name);
  assert.deepEqual(names, []);
});

test('U39: the page to sign in comes when signing out is done, and not while it is under way', async () => {
  const other = await otherBrowser();
  const { page } = other;
  await other.isConnected();
  const { promise: isLate, resolve: answer } = Promise.withResolvers<void>();
  await page.route('**/api/auth/sign-out', async (route) => {
    const response = await route.fetch();
    await isLate;
    await route.fulfill({ response });
  });
  await page.getByRole('complementary').getByRole('button', { name: 'Sign out' }).click();
  rig.allow(/status of 401/);
  await page.getByRole('menuitem', { name: /Sign out of this browser/ }).click();
  // Its connection is refused by then.
  await page.getByRole('main').getByText('Signing out…').waitFor();
  assert.equal(await page.getByRole('heading', { name: 'Sign in to Tendon' }).count(), 0);
  answer();
  await page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
});

test('U39: signing out says what is not sent yet and leaves none of it in the browser, but its colours', async () => {
  const other = await otherBrowser();
  await other.message.fill('half a thought');
  await other.page.evaluate(() => localStorage.setItem('tendon:theme', 'dark'));
  await other.page.getByRole('complementary').getByRole('button', { name: 'Sign out' }).click();
  await other.page.getByText('It removes what is not sent yet: 1 draft.').waitFor();
  rig.allow(/status of 401/);
  await other.page.getByRole('menuitem', { name: /Sign out of this browser/ }).click();
  await other.page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await other.page.waitForFunction(() => Object.keys(localStorage).join() === 'tendon:theme');
});

test('U39: what another person left in a browser is neither shown nor sent', async () => {
  const device = await rig.device();
  await device.open();
  // The page tells by itself who is here, and would do so after what follows.
  await device.page.waitForFunction(() => localStorage.getItem('tendon:person') !== null);
  const sessionId = await device.page.evaluate(() => {
    localStorage.setItem('tendon:person', 'somebody else');
    localStorage.setItem('tendon:draft:new', 'a secret of theirs');
    return crypto.randomUUID();
  });
  const left = { sessionId, messageId: sessionId, text: 'another secret', createdAt: new Date(0).toISOString(), mode: 'queue', state: 'waiting' };
  await device.page.evaluate((message) => localStorage.setItem(`tendon.outbox.${message.messageId}`, JSON.stringify(message)), left);
  await device.open();
  await device.message.waitFor();
  assert.equal(await device.message.inputValue(), '');
  await device.page.waitForFunction(() => Object.keys(localStorage).join() === 'tendon:person');
  assert.notEqual(await device.page.evaluate(() => localStorage.getItem('tendon:person')), 'somebody else');
});

test('U27, U28: the page of devices and keys fits a phone and has no serious fault', async () => {
  const device = await rig.device({ viewport: PHONE, reducedMotion: 'reduce' });
  await device.open('/access');
  await device.page.getByText('This browser').waitFor();
  await device.button('New key').click();
  assert.deepEqual(await seriousFaults(device.page, 'devices and keys'), []);
  const tooWide = await device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(tooWide, 0);
});
