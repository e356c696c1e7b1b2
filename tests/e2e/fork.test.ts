import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { says } from '@tendon/testing';
import { browserRig } from './browser-rig.ts';
import type { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

async function twoTurns(): Promise<SessionPage> {
  const device = await rig.device();
  await device.open();
  rig.model.script(says('first answer'), says('second answer'));
  await device.say('first question');
  await device.answered('first answer').waitFor();
  await device.isIdle();
  await device.say('second question');
  await device.answered('second answer').waitFor();
  await device.isIdle();
  return device;
}

test('U32: a message of the person is edited in a fork: its text is in the composer, which has the focus', async () => {
  const device = await twoTurns();
  const old = device.path;
  await device.said('second question').hover();
  await device.said('second question').getByRole('button', { name: 'Edit and fork' }).click();
  await device.page.waitForURL((url) => url.pathname !== old && url.pathname.startsWith('/s/'));
  await device.answered('first answer').waitFor();
  assert.equal(await device.message.inputValue(), 'second question');
  assert.equal(await device.message.evaluate((box) => box === document.activeElement), true);
  await device.said('second question').waitFor({ state: 'detached' });
  rig.model.script(says('a better answer'));
  await device.message.fill('a better question');
  await device.message.press('Enter');
  await device.answered('a better answer').waitFor();
  await device.answered('first answer').waitFor();

  await device.open(old);
  await device.answered('second answer').waitFor();
  await device.said('a better question').waitFor({ state: 'detached' });
  assert.equal(await device.message.inputValue(), '', 'the draft is of the new session alone');
});

test('U32: an answer is gone on from in a fork, with the keyboard alone', async () => {
  const device = await twoTurns();
  const old = device.path;
  await device.answered('first answer').getByRole('button', { name: 'Fork from here' }).focus();
  await device.page.keyboard.press('Enter');
  await device.page.waitForURL((url) => url.pathname !== old && url.pathname.startsWith('/s/'));
  await device.answered('first answer').waitFor();
  await device.answered('second answer').waitFor({ state: 'detached' });
  assert.equal(await device.message.inputValue(), '');
  await device.page.getByRole('heading', { name: 'first question (fork)' }).waitFor();
});

test('U32: what cannot be forked says why', async () => {
  const device = await twoTurns();
  // What Chromium says itself of a page that is cut off.
  rig.allow(/net::ERR_INTERNET_DISCONNECTED/);
  await device.page.context().setOffline(true);
  await device.isAway();
  await device.said('first question').hover();
  await device.said('first question').getByRole('button', { name: 'Edit and fork' }).click();
  await device.page.getByText(/Not forked: /).waitFor();
});
