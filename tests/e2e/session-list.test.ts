import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { says } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const BEGINNING = 'Find out why the build of the page';

test('U3, U27, U28: on a phone sessions that begin alike show where they differ, when and where they were; a search without a result says what it looked at', async () => {
  const device = await rig.device({ viewport: PHONE, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
  for (const end of ['fails on Debian', 'takes minutes']) {
    await device.open();
    rig.model.script(says('Done.'));
    await device.say(`${BEGINNING} ${end}`);
    await device.answered('Done.').waitFor();
    await device.isIdle();
  }
  await device.button('Open sessions').tap();
  const drawer = device.page.getByRole('dialog', { name: 'Sessions' });
  const folder = rig.workspace.split('/').at(-1);
  for (const end of ['fails on Debian', 'takes minutes']) {
    const row = drawer.getByRole('link', { name: new RegExp(`^${BEGINNING} ${end} \\d\\d:\\d\\d · ${folder}$`) });
    const tail = row.getByText(end, { exact: true });
    const isWhole = await tail.evaluate((element) => element.scrollWidth <= element.clientWidth);
    assert.ok(isWhole, `${end} is cut`);
    const [shown, around] = [await tail.boundingBox(), await drawer.boundingBox()];
    assert.ok(shown && around && shown.x + shown.width <= around.x + around.width, JSON.stringify({ shown, around }));
  }
  assert.deepEqual(await seriousFaults(device.page, 'sessions that begin alike'), []);
  await drawer.getByRole('searchbox', { name: 'Search sessions' }).fill('no such words');
  await drawer.getByText('No session has these words in its title or folder.').waitFor();
});

test('U24: a session is renamed with the keyboard', async () => {
  const device = await rig.device({ reducedMotion: 'reduce' });
  await device.open();
  rig.model.script(says('Done.'));
  await device.say('to be renamed');
  await device.answered('Done.').waitFor();
  await device.button('More for to be renamed').press('Enter');
  await device.page.getByRole('menuitem', { name: 'Rename' }).press('Enter');
  const title = device.page.getByRole('textbox', { name: 'Title' });
  await title.fill('Another name');
  await title.press('Enter');
  await device.page.getByRole('heading', { name: 'Another name', level: 1 }).waitFor();
});
