import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { identityProviderRig, says } from '@tendon/testing';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { browserRig, eventually, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import { SessionPage } from './session-page.ts';

/* A person, a browser and an identity provider of another site: the button, the pages there, the way back. */

// Another site than 127.0.0.1, as a provider is in the world: strict cookies do not come along on the way back.
const provider = await identityProviderRig({ host: 'localhost' });
after(() => provider[Symbol.asyncDispose]());
const rig = await browserRig({
  env: {
    TENDON_OIDC_ISSUER: provider.issuer,
    TENDON_OIDC_CLIENT_ID: provider.config.clientId,
    TENDON_OIDC_CLIENT_SECRET: provider.config.clientSecret,
    TENDON_OIDC_NAME: provider.config.name,
  },
});
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));
provider.serve(rig.url);

/** A browser that is signed in nowhere. The provider's own pages ask for a font of elsewhere: nothing here leaves this machine. */
async function stranger(options: BrowserContextOptions = {}): Promise<Page> {
  rig.allow(/status of 40[01]|ERR_FAILED/);
  const page = await rig.stranger(options);
  await page.route(
    (url) => url.hostname !== '127.0.0.1' && url.hostname !== 'localhost',
    (route) => route.abort(),
  );
  return page;
}

/** Presses the button of our page. The provider asks who is there. */
async function leave(page: Page, button = 'Sign in with Example Login'): Promise<void> {
  await page.getByRole('button', { name: button }).click();
  await page.waitForURL((url) => url.origin === provider.issuer);
  await page.getByPlaceholder('Enter any login').waitFor();
}

/** Signs in at the provider, and lets it tell Tendon. */
async function signInThere(page: Page, subject: string): Promise<void> {
  await page.getByPlaceholder('Enter any login').fill(subject);
  await page.getByPlaceholder('and password').fill('any');
  await page.getByRole('button', { name: 'Sign-in' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
}

async function invitation(name: string): Promise<string> {
  const owner = await rig.device();
  await owner.open('/people');
  await owner.page.getByLabel('For whom?').fill(name);
  await owner.page.getByLabel('For whom?').press('Enter');
  return (await owner.page.getByText(/\/join#[\w-]{43}$/).textContent()) ?? '';
}

/** A person who has joined with the provider. Their browser. */
async function joined(subject: string): Promise<Page> {
  const page = await stranger();
  await page.goto(await invitation(subject));
  await leave(page, 'Join with Example Login');
  await signInThere(page, subject);
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
  return page;
}

/** It says what happened and what to do, in words and by a link that the keyboard reaches. */
async function saysPlainly(page: Page, title: string, hint: RegExp): Promise<void> {
  await page.getByRole('heading', { name: title }).waitFor();
  await page.getByText(hint).waitFor();
  assert.deepEqual(await seriousFaults(page, title), []);
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(tooWide, 0, title);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
}

test('A7: a person clicks the button, signs in there, comes back and works; the back button leads nowhere bad', async () => {
  await joined('ada');
  const page = await stranger();
  await page.goto(rig.url);
  await leave(page);
  await signInThere(page, 'ada');
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
  assert.equal(new URL(page.url()).search, '', 'no code stays in the address');
  const cookies = await page.context().cookies(rig.url);
  assert.deepEqual(
    cookies.map(({ name, httpOnly, sameSite }) => [name.replace(/\d+/, ''), httpOnly, sameSite]),
    [['tendon-.session_token', true, 'Strict']],
    'what it carried to the provider is gone',
  );
  rig.model.script(says('Good to see you, Ada.'));
  const ada = new SessionPage(page, rig.url);
  await ada.say('hello');
  await ada.answered('Good to see you, Ada.').waitFor();
  // Back past the start page, to where the sign-in began.
  const seen: string[] = [];
  while (page.url() !== 'about:blank' && seen.length < 8) {
    await page.goBack();
    const { origin, pathname } = new URL(page.url());
    seen.push(pathname);
    if (origin !== rig.url) continue;
    // A page of ours shows the session or leads to it by a link.
    await page
      .getByRole('link', { name: 'hello' })
      .or(page.getByRole('link', { name: 'Open Tendon' }))
      .first()
      .waitFor();
  }
  assert.ok(seen.length > 1, seen.join(' '));
  await page.goto(rig.url);
  await ada.page.getByRole('link', { name: 'hello' }).waitFor();
});

test('A7: who comes back to the used answer is told so, and one link leads into the session that they have', async () => {
  await joined('bea');
  const page = await stranger();
  const returns: string[] = [];
  page.on('request', (request) => request.url().startsWith(`${rig.url}/api/auth/provider/return`) && returns.push(request.url()));
  await page.goto(rig.url);
  await leave(page);
  await signInThere(page, 'bea');
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
  await page.goto(returns[0] ?? '');
  await saysPlainly(page, 'That sign-in did not work', /was finished already/);
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

test('A7: a refusal at the provider says that nothing changed, and the next try works', async () => {
  await joined('cleo');
  const page = await stranger({ viewport: PHONE, colorScheme: 'dark' });
  await page.goto(rig.url);
  await leave(page);
  await page.getByRole('link', { name: 'Cancel' }).click();
  await saysPlainly(page, 'You did not sign in', /called off at Example Login/);
  await leave(page);
  await signInThere(page, 'cleo');
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

test('A7: a person who takes longer than ten minutes there is told to start again, and comes in then', async () => {
  await joined('dora');
  const page = await stranger({ viewport: PHONE, colorScheme: 'dark' });
  await page.goto(rig.url);
  await leave(page);
  const [carried] = await page.context().cookies(`${rig.url}/api/auth/provider/return`);
  assert.ok(carried);
  assert.ok(Math.abs(carried.expires - Date.now() / 1_000 - 600) < 60, 'the browser keeps it for ten minutes');
  // What the browser does then.
  await page.context().clearCookies({ name: carried.name });
  await signInThere(page, 'dora');
  await saysPlainly(page, 'That sign-in did not work', /more than ten minutes/);
  // The provider knows the person by now and asks nothing.
  await page.getByRole('button', { name: 'Sign in with Example Login' }).click();
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

test('A7: whom the provider knows and nobody invited is told to ask for an invitation, and gets no account', async () => {
  const page = await stranger({ viewport: PHONE, colorScheme: 'dark' });
  await page.goto(rig.url);
  await leave(page);
  await signInThere(page, 'eve');
  await saysPlainly(page, 'You have no account here yet', /Ask an owner for an invitation/);
  await page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  assert.deepEqual(await page.context().cookies(rig.url), []);
  assert.equal((await rig.product.sql<{ n: number }>(`select count(*)::int as n from users where name = 'The eve'`))[0]?.n, 0);
});

test('A7: the back button at the provider gives the sign-in page, whose button works again', async () => {
  await joined('finn');
  const page = await stranger();
  await page.goto(rig.url);
  await leave(page);
  await page.goBack();
  await page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  await eventually(async () => assert.ok(await page.getByRole('button', { name: 'Sign in with Example Login' }).isEnabled()));
  await leave(page);
  await signInThere(page, 'finn');
  await page.getByRole('heading', { name: 'Tendon is ready' }).waitFor();
});

test('A8: a signed-in person connects the provider on the page Account and comes in with it', async () => {
  const owner = await rig.device();
  await owner.page.route(
    (url) => url.hostname !== '127.0.0.1' && url.hostname !== 'localhost',
    (route) => route.abort(),
  );
  rig.allow(/ERR_FAILED/);
  await owner.open('/account');
  await leave(owner.page, 'Connect Example Login');
  await signInThere(owner.page, 'the owner');
  await owner.page.waitForURL(`${rig.url}/account`);
  await owner.page.getByRole('button', { name: 'Disconnect' }).waitFor();
  const page = await stranger();
  await page.goto(rig.url);
  await leave(page);
  await signInThere(page, 'the owner');
  await page.getByRole('link', { name: 'People' }).waitFor();
});
