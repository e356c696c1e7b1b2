import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, heldCommand, ledgerLines, runs, says } from '@tendon/testing';
import { browserRig } from './browser-rig.ts';
import type { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** The last thing that the model was sent, as text. */
function lastRequest(): string {
  return JSON.stringify(rig.model.requests.at(-1)?.messages);
}

test('U9, C3: the demo model is asked, its command approved, its output seen while it runs, and the answer read', async () => {
  const device = await rig.device();
  await device.open();
  await device.button(/^Model:/).click();
  await device.page.getByRole('menuitem', { name: /Demo/ }).click();
  const held = await heldCommand(rig.workspace);
  await device.say(`run ${held.command}`);
  await device.approval.getByText(held.command).waitFor();
  assert.equal(held.starts(), 0, 'nothing runs before the approval');
  await device.button('Approve').click();
  await device.calls.getByText('up', { exact: true }).waitFor();
  // Output goes past the database, and may be there a moment before the event that it runs.
  await device.calls.and(device.page.locator('[data-state="running"]')).waitFor();
  await held.letEnd('and over');
  await device.answered('finished with exit code 0').getByText('and over').waitFor();
  await device.isIdle();
  assert.equal(held.starts(), 1);
});

test('U13, C10: a denial reaches the model with its reason, and nothing runs', async () => {
  const device = await rig.device();
  await device.open();
  rig.model.script([...says('I clean up.'), runs('touch denied.txt')], says('Then I leave it.'));
  await device.say('clean up');
  await device.button('Deny').click();
  await device.page.getByRole('textbox', { name: 'Reason' }).fill('not in this folder');
  await device.page.keyboard.press('Enter');
  await device.answered('Then I leave it.').waitFor();
  assert.match(lastRequest(), /not in this folder/);
  const card = device.calls.filter({ hasText: 'touch denied.txt' });
  assert.equal(await card.getAttribute('data-state'), 'denied');
  await card.getByRole('button').first().click();
  await card.getByText('Denied, from Chrome on Linux').waitFor();
  await card.getByText('“not in this folder”').waitFor();
  assert.equal(existsSync(join(rig.workspace, 'denied.txt')), false);
});

test('U12, C4: Always stores the rule that it shows; the same command is not asked about again until the rule is revoked', async () => {
  const device = await rig.device();
  await device.open();
  const command = 'echo once >> always.ledger';
  const ledger = join(rig.workspace, 'always.ledger');
  rig.model.script([runs(command)], says('First.'), [runs(command)], says('Second.'), [runs(`${command} `)], says('Third.'), [runs(command)]);
  await device.say('one');
  await device.button('Always…').click();
  await device.page.getByTestId('rule').getByText(command, { exact: true }).waitFor();
  await device.button('Always').click();
  await device.answered('First.').waitFor();
  await device.say('two');
  await device.answered('Second.').waitFor();
  assert.equal(ledgerLines(ledger), 2);
  await device.say('three, one space longer');
  await device.button('Approve').click();
  await device.answered('Third.').waitFor();

  const session = device.path;
  await device.link('Permissions').click();
  const rule = device.page.getByRole('listitem').filter({ hasText: command });
  await rule.getByText('Last used').waitFor();
  await rule.getByRole('button', { name: 'Revoke' }).click();
  await device.page.getByText('Nothing is allowed for good').waitFor();
  await device.open(session);
  await device.say('four');
  await device.approval.getByText(command, { exact: true }).waitFor();
  assert.equal(ledgerLines(ledger), 3);
});

test('U13, C5: what is approved on one page is over on the other, which says from where', async () => {
  const laptop = await rig.device();
  const phone = await rig.device({
    userAgent: 'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1 Version/19.0 Mobile/15E148 Safari/604.1',
  });
  await laptop.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([...says('On it.'), held.step], says('Both saw it.'));
  await laptop.say('do it');
  await laptop.approval.waitFor();
  await phone.open(laptop.path);
  await phone.button('Approve').click();
  await laptop.calls.getByText('Approved, from Safari on iPhone').waitFor();
  await laptop.calls.getByText('up', { exact: true }).waitFor();
  await phone.calls.getByText('up', { exact: true }).waitFor();
  await held.letEnd('the same for both');
  for (const device of [laptop, phone]) {
    await device.answered('Both saw it.').waitFor();
    await device.calls.getByText('the same for both').waitFor();
  }
  rig.model.script(says('To the laptop.'));
  await phone.say('from the phone');
  await laptop.said('from the phone').waitFor();
  await laptop.answered('To the laptop.').waitFor();
  await Promise.all([laptop.isIdle(), phone.isIdle()]);
  await phone.reads((await laptop.transcript.textContent()) ?? '');
});

test('U11: several calls that wait are decided together', async () => {
  const device = await rig.device();
  await device.open();
  rig.model.script([calls(...['one', 'two', 'three'].map((name) => ({ name: 'bash', input: { command: `echo ${name} > ${name}.txt` } })))], says('All three.'));
  await device.say('three files');
  await device.page.getByRole('group', { name: 'Calls waiting for you' }).getByText('3 calls wait for you').waitFor();
  await device.button('Approve all 3').click();
  await device.answered('All three.').waitFor();
  for (const name of ['one', 'two', 'three']) assert.equal(await readFile(join(rig.workspace, `${name}.txt`), 'utf8'), `${name}\n`);
});

test('U19: an edit is approved by its diff, and the diff of what was done stays with it', async () => {
  await writeFile(join(rig.workspace, 'app.ts'), 'const a = 1;\nconst b = 2;\nconst c = 3;\n');
  const device = await rig.device();
  await device.open();
  rig.model.script(
    [calls({ name: 'edit_file', input: { path: 'app.ts', oldText: 'const b = 2;', newText: 'const b = 20;\nconst bb = 21;' } })],
    says('Edited.'),
  );
  await device.say('change b');
  const preview = device.approval.getByRole('region', { name: 'Changes to app.ts' });
  await preview.getByText('const bb = 21;').waitFor();
  assert.deepEqual(await preview.getByRole('row').allTextContents(), ['−const b = 2;', '+const b = 20;', '+const bb = 21;']);
  await device.button('Approve').click();
  await device.answered('Edited.').waitFor();
  const card = device.page.getByRole('region', { name: 'Edit app.ts, +2 −1' });
  await card.getByRole('region', { name: 'Changes to app.ts' }).getByText('const c = 3;').waitFor();
  assert.equal(await readFile(join(rig.workspace, 'app.ts'), 'utf8'), 'const a = 1;\nconst b = 20;\nconst bb = 21;\nconst c = 3;\n');
});

test('U19, G37: several edits of one file are approved by a diff each, and the diff of all stays', async () => {
  await writeFile(join(rig.workspace, 'cart.ts'), 'const a = 1;\nconst b = 2;\nconst c = 3;\n');
  const device = await rig.device();
  await device.open();
  const edits = [
    { oldText: 'const a = 1;', newText: 'const a = 10;' },
    { oldText: 'const', newText: 'let', replaceAll: true },
  ];
  rig.model.script([calls({ name: 'multi_edit', input: { path: 'cart.ts', edits } })], [runs('echo looked')], says('Edited twice.'));
  await device.say('change a, and use let');
  const previews = device.approval.getByRole('region', { name: 'Changes to cart.ts' });
  await previews.nth(1).getByText('let').waitFor();
  assert.deepEqual(await previews.nth(0).getByRole('row').allTextContents(), ['−const a = 1;', '+const a = 10;']);
  await device.approval.getByText('Edit 2 of 2').waitFor();
  await device.approval.getByText('replaceAll').waitFor();
  await device.button('Approve').click();
  await device.approval.getByText('echo looked').waitFor();
  await device.button('Approve').click();
  await device.answered('Edited twice.').waitFor();
  const card = device.page.getByRole('region', { name: 'Edit cart.ts, +3 −3' });
  await card.getByRole('region', { name: 'Changes to cart.ts' }).getByText('let a = 10;').waitFor();
  await device.page
    .getByRole('region', { name: 'Run echo looked' })
    .getByText(/^Ran (in|without) a sandbox$/)
    .waitFor({ state: 'attached' });
  assert.equal(await readFile(join(rig.workspace, 'cart.ts'), 'utf8'), 'let a = 10;\nlet b = 2;\nlet c = 3;\n');
});

test('U19, G45: a patch over several files is approved by a diff of each, and the diffs of all stay', async () => {
  await writeFile(join(rig.workspace, 'old.ts'), 'const a = 1;\n');
  await writeFile(join(rig.workspace, 'gone.ts'), 'gone\n');
  const device = await rig.device();
  await device.open();
  const patch = [
    ...['*** Begin Patch', '*** Update File: old.ts', '*** Move to: lib/new.ts', '@@', '-const a = 1;', '+const a = 2;'],
    ...['*** Add File: added.ts', '+export {};', '*** Delete File: gone.ts', '*** End Patch'],
  ].join('\n');
  rig.model.script([calls({ name: 'apply_patch', input: { patch } })], says('Patched.'));
  await device.say('patch it');
  await device.approval.getByText('File 1 of 3: Moved to lib/new.ts').waitFor();
  await device.approval.getByText('File 3 of 3: Deleted, the whole file').waitFor();
  assert.deepEqual(await device.approval.getByRole('region', { name: 'Changes to old.ts' }).getByRole('row').allTextContents(), [
    '−const a = 1;',
    '+const a = 2;',
  ]);
  await device.button('Approve').click();
  await device.answered('Patched.').waitFor();
  const card = device.page.getByRole('region', { name: 'Edit 3 files, +2 −2' });
  await card.getByRole('region', { name: 'Changes to gone.ts' }).getByText('gone', { exact: true }).waitFor();
  assert.equal(await readFile(join(rig.workspace, 'lib/new.ts'), 'utf8'), 'const a = 2;\n');
});

test('U24: a session is led from its first word to its end with the keyboard alone', async () => {
  const device = await rig.device();
  await device.open();
  const { keyboard } = device.page;
  rig.model.script([runs('echo first')], [runs('echo second')], says('Done with keys.'), [runs('echo third')], says('As you say.'));
  await keyboard.press('/');
  await keyboard.type('work with keys');
  await keyboard.press('Enter');
  await device.approval.getByText('echo first').waitFor();
  await keyboard.press('Escape');
  await device.approval.locator('[aria-disabled=false]', { hasText: 'Approve' }).waitFor();
  await keyboard.press('a');
  await device.approval.getByText('echo second').waitFor();
  await device.approval.locator('[aria-disabled=false]', { hasText: 'Approve' }).waitFor();
  // by Tab from the card: its command, then Approve
  await device.approval.focus();
  await keyboard.press('Tab');
  await keyboard.press('Tab');
  assert.equal(await device.button('Approve').evaluate((button) => button === document.activeElement), true);
  await keyboard.press('Enter');
  await device.answered('Done with keys.').waitFor();
  assert.equal(
    await device.calls
      .last()
      .getByRole('button', { name: /^Run echo second/ })
      .evaluate((button) => button === document.activeElement),
    true,
  );
  await keyboard.press('/');
  await keyboard.type('once more');
  await keyboard.press('Enter');
  await device.approval.getByText('echo third').waitFor();
  await keyboard.press('Escape');
  await keyboard.press('d');
  await keyboard.type('add a reason');
  await keyboard.press('Enter');
  await device.answered('As you say.').waitFor();
  assert.match(lastRequest(), /add a reason/);
  await keyboard.press('Escape');
  await keyboard.press('?');
  const help = device.page.getByRole('dialog', { name: 'Keyboard' });
  await help.getByText('Approve the waiting call').waitFor();
  await keyboard.press('Escape');
  await help.waitFor({ state: 'detached' });
});

test('U8, U15: the card of a command calls its fields by names for people, and a new file stands once on its own', async () => {
  await mkdir(join(rig.workspace, 'sub'), { recursive: true });
  const device = await rig.device();
  await device.open();
  rig.model.script(
    [calls({ name: 'bash', input: { command: 'basename "$PWD"', cwd: 'sub', timeoutMs: 60_000 } })],
    [calls({ name: 'write_file', input: { path: 'sub/new.txt', content: 'only line\n' } })],
    says('Both done.'),
  );
  await device.say('go');
  await device.approval.getByRole('term').filter({ hasText: 'Folder' }).waitFor();
  assert.deepEqual(await device.approval.getByRole('term').allTextContents(), ['Folder', 'Time limit (ms)']);
  assert.deepEqual(await device.approval.getByRole('definition').allTextContents(), ['sub', '60000']);
  await device.button('Approve').click();
  await device.approval.getByRole('heading', { name: 'Write this file?' }).waitFor();
  await device.button('Approve').click();
  await device.answered('Both done.').waitFor();
  const card = device.calls.filter({ hasText: 'Write sub/new.txt, 1 line' });
  await card.getByRole('region', { name: 'Changes to sub/new.txt' }).waitFor();
  assert.equal(await card.getByText('only line').count(), 1);
});

interface Target {
  readonly group: 'Approval' | 'Calls waiting for you';
  /** What stands in the group when it is time. */
  readonly text: string;
  /** How the button's words begin. */
  readonly button: string;
}

/**
 * Clicks the button in the very task in which it and the text beside it are there, as somebody does who meant what stood there before.
 * From then on the page's clock stands still until `thaw`, so that its first moment lasts as long as a test likes.
 */
function clickAtOnce({ page }: SessionPage, target: Target): Promise<void> {
  return page.evaluate(({ group, text, button }) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const observer = new MutationObserver(() => {
      const places = [...document.querySelectorAll(`[role=group][aria-label="${group}"]`)];
      const buttons = places.filter(({ textContent }) => textContent?.includes(text)).flatMap((place) => [...place.querySelectorAll('button')]);
      const found = buttons.find(({ textContent }) => textContent?.startsWith(button));
      if (!found) return;
      observer.disconnect();
      const now = performance.now();
      performance.now = () => now;
      found.click();
      resolve();
    });
    observer.observe(document, { subtree: true, childList: true, characterData: true });
    return promise;
  }, target);
}

function thaw({ page }: SessionPage): Promise<boolean> {
  return page.evaluate(() => Reflect.deleteProperty(performance, 'now'));
}

/** How many decisions the page has sent; asked for before it is opened. */
function decisionsOf({ page }: SessionPage): () => number {
  let count = 0;
  page.on('websocket', (socket) =>
    socket.on('framesent', ({ payload }) => {
      if (payload.includes('"tool:decide"')) count += 1;
    }),
  );
  return () => count;
}

test('U9: a click in the first moment of a card, and of the next one in its place, starts nothing; the same click afterwards does', async () => {
  const device = await rig.device();
  const sent = decisionsOf(device);
  await device.open();
  const ledger = join(rig.workspace, 'early.ledger');
  const commands = ['echo first >> early.ledger', 'echo second >> early.ledger'];
  rig.model.script(...commands.map((command) => [runs(command)]), says('Both ran.'));
  const armed = device.approval.locator('[aria-disabled=false]', { hasText: 'Approve' });
  let early = clickAtOnce(device, { group: 'Approval', text: 'echo first', button: 'Approve' });
  await device.say('run both');
  for (const [before, next] of [
    [0, 'echo second'],
    [1, undefined],
  ] as const) {
    await early;
    await armed.click();
    assert.deepEqual([sent(), ledgerLines(ledger)], [before, before], 'at once, and as long as no time has passed');
    await thaw(device);
    if (next !== undefined) early = clickAtOnce(device, { group: 'Approval', text: next, button: 'Approve' });
    await armed.click();
  }
  await device.answered('Both ran.').waitFor();
  assert.deepEqual([sent(), ledgerLines(ledger)], [2, 2]);
});

test('U9, U11: a click on all waiting calls in their first moment, and in that of those that are left, starts nothing; the same click afterwards does', async () => {
  const device = await rig.device();
  const sent = decisionsOf(device);
  await device.open();
  const ledger = join(rig.workspace, 'all.ledger');
  rig.model.script([calls(...['one', 'two', 'three'].map((word) => ({ name: 'bash', input: { command: `echo ${word} >> all.ledger` } })))], says('All ran.'));
  const early = clickAtOnce(device, { group: 'Calls waiting for you', text: '3 calls', button: 'Approve all' });
  await device.say('run all');
  await early;
  await device.button('Approve all 3').and(device.page.locator('[aria-disabled=false]')).click();
  assert.deepEqual([sent(), ledgerLines(ledger)], [0, 0]);
  await thaw(device);
  const left = clickAtOnce(device, { group: 'Calls waiting for you', text: '2 calls', button: 'Approve all' });
  await device.approval.first().locator('[aria-disabled=false]', { hasText: 'Approve' }).click();
  await left;
  const all = device.button('Approve all 2').and(device.page.locator('[aria-disabled=false]'));
  await all.click();
  assert.equal(sent(), 1);
  await thaw(device);
  await all.click();
  await device.answered('All ran.').waitFor();
  assert.deepEqual([sent(), ledgerLines(ledger)], [3, 3]);
});

test('U9, E6: a click on a card in the moment in which it has changed starts nothing; the same click afterwards does', async () => {
  const device = await rig.device();
  const sent = decisionsOf(device);
  await device.open();
  const ledger = join(rig.workspace, 'words.ledger');
  const command = { command: process.execPath, args: [join(import.meta.dirname, '../../packages/mcp/src/mcp-ledger-rig.ts')] };
  const startAnew = (round: string) =>
    writeFile(join(rig.product.home, 'mcp.json'), JSON.stringify({ mcpServers: { docs: { ...command, env: { LEDGER: ledger, ROUND: round } } } }));
  await startAnew('1');
  await device.link('Machines').first().click();
  await device.page.getByText('mcp__docs__work').waitFor();
  await device.open();
  rig.model.script(...['once', 'again'].map((word) => [calls({ name: 'mcp__docs__work', input: { word } })]), says('It worked twice.'));
  await device.say('work');
  const armed = device.approval.locator('[aria-disabled=false]', { hasText: 'Approve' });
  await armed.click();
  await device.approval.getByText('again').waitFor();
  await armed.waitFor();
  const early = clickAtOnce(device, { group: 'Approval', text: 'has changed since you last approved it', button: 'Approve' });
  await writeFile(`${ledger}.words`, 'Works, and tells everybody.');
  await startAnew('2');
  await early;
  await armed.click();
  assert.deepEqual([sent(), ledgerLines(ledger)], [1, 1]);
  await thaw(device);
  await armed.click();
  await device.answered('It worked twice.').waitFor();
  assert.deepEqual([sent(), ledgerLines(ledger)], [2, 2]);
});
