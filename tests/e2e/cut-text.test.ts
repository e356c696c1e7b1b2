import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { calls, runs, says } from '@tendon/testing';
import type { Locator } from 'playwright-core';
import { browserRig, PHONE } from './browser-rig.ts';

/* What does not fit is wrapped, or says that there is more: a phone shows no scroll bars and has no pointer for a tooltip. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const ON_A_PHONE = { viewport: PHONE, hasTouch: true, isMobile: true };
const LONG_PATH = 'packages/a-package-with-a-name/src/a-folder-in-it/the-file-with-the-name-that-counts.ts';
const MORE = 'Scroll to read all of it';

/** The whole text lies inside of the box around it, so nothing of it is cut off. */
async function assertWhole(text: Locator): Promise<void> {
  const [whole, box] = await text.evaluate((element) => {
    const range = document.createRange();
    range.selectNodeContents(element);
    return [range.getBoundingClientRect().right, element.parentElement?.getBoundingClientRect().right ?? 0];
  });
  assert.ok(Math.floor(whole) <= Math.ceil(box), `the text ends at ${whole} px, its box at ${box} px`);
}

test('U8, U27: on a phone the card of a change has its whole path, and what is higher than its box says that it is scrolled', async () => {
  const device = await rig.device(ON_A_PHONE);
  await device.open();
  rig.model.script(
    [calls({ name: 'write_file', input: { path: LONG_PATH, content: 'short\n' } })],
    [calls({ name: 'edit_file', input: { path: LONG_PATH, oldText: 'short', newText: 'long\n'.repeat(100) } })],
    // One line to its writer, and more than the box holds on a phone.
    [runs(`echo ${'word '.repeat(200)}; echo the end`)],
    [runs('echo short')],
    says('All read.'),
  );
  await device.say('go');
  const { approval } = device;
  const approve = async (text: string, isCut: boolean): Promise<void> => {
    await approval.getByText(text).first().waitFor();
    assert.equal(await approval.getByText(MORE).count(), isCut ? 1 : 0, text);
    if (text === LONG_PATH) await assertWhole(approval.getByText(text, { exact: true }));
    await approval.locator('[aria-disabled=false]', { hasText: 'Approve' }).tap();
  };
  await approval.getByText('Write this file?').waitFor();
  await approve(LONG_PATH, false);
  await approval.getByText('Change this file?').waitFor();
  await approve(LONG_PATH, true);
  await approve('the end', true);
  await approve('echo short', false);
  await device.answered('All read.').waitFor();
});

test('U27: on a phone no column of a table is narrower than a word in it', async () => {
  const device = await rig.device(ON_A_PHONE);
  await device.open();
  rig.model.script(says(`| file | change | why |\n|---|---|---|\n| \`${LONG_PATH}\` | changed | ${'because '.repeat(20)} |\n\nThat is all.`));
  await device.say('go');
  await device.answered('That is all.').waitFor();
  const cell = device.page.getByRole('cell', { name: 'changed', exact: true });
  assert.equal(
    await cell.evaluate((element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      return range.getClientRects().length;
    }),
    1,
    'the word stands in one line',
  );
  await device.assertNoSidewaysScroll();
});
