import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, runs, says } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import type { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const at = (name: string): string => join(rig.workspace, name);

/** One turn that edits a file, makes one, and runs a command. */
async function changeFiles(device: SessionPage): Promise<void> {
  await writeFile(at('cart.ts'), 'const total = 1;\n');
  await rm(at('made.ts'), { force: true });
  const patch = '*** Begin Patch\n*** Update File: cart.ts\n@@\n-const total = 1;\n+const total = 2;\n*** Add File: made.ts\n+export {};\n*** End Patch';
  rig.model.script([calls({ name: 'apply_patch', input: { patch } })], [runs('echo a command')], says('All changed.'));
  await device.say('change them');
  await device.approval.getByText('File 2 of 2').waitFor();
  await device.button('Approve').click();
  await device.approval.getByText('echo a command').waitFor();
  await device.button('Approve').click();
  await device.answered('All changed.').waitFor();
  await device.isIdle();
}

test('U37, C18: the files of a turn are put back from its end, and a file that was changed since is left and said to be', async () => {
  const device = await rig.device();
  await device.open();
  await changeFiles(device);
  await writeFile(at('made.ts'), 'by hand\n');
  await device.button(/^Undo file changes/).click();
  await device.approval.getByRole('heading', { name: 'Put these files back?' }).waitFor();
  const files = device.approval.getByRole('region', { name: 'Files to put back' });
  assert.deepEqual(await files.getByRole('listitem').allTextContents(), ['cart.ts', 'made.ts']);
  await device.approval
    .getByRole('region', { name: /^Not undone/ })
    .getByText('echo a command')
    .waitFor();
  const change = device.approval.getByRole('region', { name: 'Changes to take back' }).getByRole('listitem');
  assert.match((await change.allTextContents()).join('|'), /^apply_patchcart\.tsmade\.ts[0-9a-f-]{36}$/);
  assert.equal(await device.button('Always…').count(), 0);
  assert.equal(await device.button(/^Undo file changes/).count(), 0, 'not asked for twice');
  assert.equal(await readFile(at('cart.ts'), 'utf8'), 'const total = 2;\n');
  await device.button('Put back').click();
  const outcomes = device.page.getByRole('list', { name: 'What became of each file' });
  await outcomes.getByText('Left alone: it was changed since').waitFor();
  await outcomes.getByText('Put back', { exact: true }).waitFor();
  const done = device.calls.filter({ hasText: 'Put files back, 1 of 2 files' });
  await done.getByText('Partly done').waitFor();
  await done.getByText('1 of 2 files are as they were before this turn; why the others are not stands beside them.').waitFor();
  await done.getByRole('region', { name: 'Changes it was about' }).getByText('apply_patch').waitFor();
  assert.equal(await done.getByText('go back to what they were').count(), 0, 'the words of before it was done are gone');
  assert.equal(await readFile(at('cart.ts'), 'utf8'), 'const total = 1;\n');
  assert.equal(await readFile(at('made.ts'), 'utf8'), 'by hand\n');
  await device.button(/^Undo file changes/).waitFor();
  rig.model.script(says('Understood.'));
  await device.say('go on');
  await device.answered('Understood.').waitFor();
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /The person has undone file changes/);
});

test('U37: an undo is asked for, left and given with keys, and is gone from the end of its turn when all is back', async () => {
  const device = await rig.device();
  await device.open();
  await changeFiles(device);
  const { keyboard } = device.page;
  const undo = device.button(/^Undo file changes/);
  await undo.focus();
  await keyboard.press('Enter');
  await device.approval.locator('[aria-disabled=false]', { hasText: 'Put back' }).waitFor();
  await device.leaveComposer();
  await keyboard.press('d');
  await device.approval.waitFor({ state: 'detached' });
  await device.isIdle();
  assert.ok(existsSync(at('made.ts')));
  await undo.focus();
  await keyboard.press('Enter');
  await device.approval.locator('[aria-disabled=false]', { hasText: 'Put back' }).waitFor();
  await keyboard.press('a');
  await device.page.getByText('Removed, because the turn had made it').waitFor();
  assert.ok(!existsSync(at('made.ts')));
  await device.isIdle();
  await undo.waitFor({ state: 'detached' });
});

test('U37, U27, U28: on a phone of 390 px, in light and dark, an undo is read and given', async () => {
  const device = await rig.device({ viewport: PHONE, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
  await device.open();
  await changeFiles(device);
  const picture = async (name: string): Promise<void> => {
    const folder = process.env.UNDO_PICTURES;
    if (folder === undefined) return;
    for (const colorScheme of ['dark', 'light'] as const) {
      await device.page.emulateMedia({ colorScheme });
      await device.page.screenshot({ path: join(folder, `${name}-${colorScheme}.png`) });
    }
  };
  const undo = device.button(/^Undo file changes/);
  const box = await undo.boundingBox();
  assert.ok(box && box.height >= 36 && box.x >= 0 && box.x + box.width <= PHONE.width, JSON.stringify(box));
  await picture('1-turn');
  assert.deepEqual(await seriousFaults(device.page, 'the end of a turn'), []);
  await undo.tap();
  await device.approval.locator('[aria-disabled=false]', { hasText: 'Put back' }).waitFor();
  await device.assertNoSidewaysScroll();
  await picture('2-card');
  assert.deepEqual(await seriousFaults(device.page, 'the card of an undo'), []);
  await device.button('Put back').tap();
  await device.page.getByText('Removed, because the turn had made it').waitFor();
  await device.assertNoSidewaysScroll();
  await picture('3-result');
  assert.deepEqual(await seriousFaults(device.page, 'the result of an undo'), []);
});
