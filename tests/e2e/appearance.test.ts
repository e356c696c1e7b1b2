import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, createGate, runs, says, thinks, waitsFor } from '@tendon/testing';
import { browserRig, eventually, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const LONG_WORD = 'a-very-long-name-without-any-space'.repeat(12);
const ANSWER = `# Heading\n\nText with \`code\`, a [link](https://example.com/) and **weight**.\n\n- one\n- two\n\n| a | b |\n|---|---|\n| 1 | ${LONG_WORD} |\n\n\`\`\`ts\nconst answer: number = 42; // ${LONG_WORD}\n\`\`\`\n\n> said ${LONG_WORD}\n`;

function question() {
  return calls({
    name: 'ask_user_questions',
    input: { questions: [{ question: 'Which one?', options: [{ label: 'this', description: 'the first' }, { label: 'that' }] }] },
  });
}

test('U28: no main state has a serious accessibility fault, in light and in dark', async () => {
  await writeFile(join(rig.workspace, 'app.ts'), 'const a = 1;\nconst b = 2;\n');
  const device = await rig.device({ reducedMotion: 'reduce' });
  await device.open();
  const faults: string[] = [];
  const look = async (where: string): Promise<void> => void faults.push(...(await seriousFaults(device.page, where)));
  await look('new session');
  const gate = createGate();
  rig.model.script(
    [...thinks('Let me see.'), ...says(ANSWER), calls({ name: 'edit_file', input: { path: 'app.ts', oldText: 'const b = 2;', newText: 'const b = 3;' } })],
    [runs('printf "\\033[1;31mred\\033[0m \\033[32mgreen\\033[0m \\033[33myellow\\033[0m \\033[44mblue\\033[0m\\n"; exit 3')],
    [question()],
    [...says('Still at it'), waitsFor(gate), ...says(', and done.')],
  );
  await device.say('look at all of it');
  await device.approval.waitFor();
  await look('an edit to approve');
  await device.button('Approve').click();
  await device.approval.getByText('printf').waitFor();
  await device.button('Always…').click();
  await look('a rule to store');
  await device.button('Back').click();
  await device.button('Deny').click();
  await look('a reason to give');
  await device.button('Back').click();
  await device.button('Approve').click();
  await device.question.waitFor();
  await look('a question, above it a failed command');
  await device.button('that').click();
  await device.answered('Still at it').waitFor();
  await device.message.fill('next');
  await device.message.press('Enter');
  await device.queue.waitFor();
  await device.message.fill('a draft');
  await look('an answer that streams, with a queue');
  rig.model.script(says('The next.'));
  gate.open();
  await device.answered('The next.').waitFor();
  await device.leaveComposer();
  await device.page.keyboard.press('?');
  await device.page.getByRole('dialog').waitFor();
  await look('the keys');
  await device.page.keyboard.press('Escape');
  for (const place of ['Permissions', 'Machines']) {
    await device.link(place).click();
    await device.page.getByRole('heading', { name: place, level: 1 }).waitFor();
    await look(place);
  }
  assert.deepEqual(faults, []);
});

test('U28: the page for a browser that is not signed in has no serious accessibility fault', async () => {
  const device = await rig.device({ storageState: { cookies: [], origins: [] }, reducedMotion: 'reduce' });
  await device.page.goto(rig.url);
  await device.page.getByRole('heading', { name: 'Sign in to Tendon' }).waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'sign in'), []);
});

test('U27: on a phone of 390 px the sessions are in a drawer, and an approval is read and given', async () => {
  const device = await rig.device({ viewport: PHONE, hasTouch: true, isMobile: true, reducedMotion: 'reduce' });
  await device.open();
  assert.deepEqual(await seriousFaults(device.page, 'new session on a phone'), []);
  rig.model.script([...says(ANSWER), runs(`echo ${LONG_WORD}; echo seen on the phone`)], says('Well read.'));
  await device.say('go');
  await device.approval.waitFor();
  await device.assertNoSidewaysScroll();
  const buttons = [device.button('Approve'), device.button('Deny'), device.button('Always…')];
  // The transcript follows its end when what is new has been measured: a frame after it is there.
  await eventually(async () => {
    for (const button of buttons) {
      const box = await button.boundingBox();
      assert.ok(
        box && box.x >= 0 && box.x + box.width <= PHONE.width && box.y + box.height <= PHONE.height && box.height >= 40,
        `${button} stands at ${JSON.stringify(box)}`,
      );
    }
  });
  assert.deepEqual(await seriousFaults(device.page, 'approval on a phone'), []);
  await device.button('Approve').tap();
  await device.answered('Well read.').waitFor();
  const path = device.path;
  await device.button('Open sessions').tap();
  const drawer = device.page.getByRole('dialog', { name: 'Sessions' });
  await drawer.getByRole('link', { name: 'New session' }).waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'the drawer'), []);
  await drawer.getByRole('link', { name: 'New session' }).tap();
  await drawer.waitFor({ state: 'detached' });
  assert.equal(device.path, '/');
  await device.button('Open sessions').tap();
  await drawer.getByRole('link', { name: 'go' }).first().tap();
  await device.answered('Well read.').waitFor();
  assert.equal(device.path, path);
});

test('U27: at 360 px nothing scrolls sideways, whatever is shown', async () => {
  const device = await rig.device({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  await device.open();
  await device.assertNoSidewaysScroll();
  await writeFile(join(rig.workspace, `${LONG_WORD.slice(0, 200)}.ts`), 'one\n');
  rig.model.script(
    [...says(ANSWER), calls({ name: 'edit_file', input: { path: `${LONG_WORD.slice(0, 200)}.ts`, oldText: 'one', newText: LONG_WORD } })],
    [calls({ name: 'ask_user_questions', input: { questions: [{ question: LONG_WORD, options: [{ label: LONG_WORD.slice(0, 100) }, { label: 'b' }] }] } })],
    says('Narrow.'),
  );
  await device.say(LONG_WORD);
  await device.approval.waitFor();
  await device.assertNoSidewaysScroll();
  await device.button('Approve').tap();
  await device.question.waitFor();
  await device.assertNoSidewaysScroll();
  await device.button('b').tap();
  await device.answered('Narrow.').waitFor();
  await device.assertNoSidewaysScroll();
  for (const path of ['/permissions', '/machines', '/nowhere']) {
    await device.open(path);
    await device.page.getByRole('heading', { level: 1 }).waitFor();
    await device.assertNoSidewaysScroll();
  }
});

test('U30: the colours follow the system until the person chooses, and the choice outlives a reload', async () => {
  const device = await rig.device({ colorScheme: 'dark' });
  await device.open();
  const brightness = () => device.page.evaluate(() => Number(/\d+/.exec(getComputedStyle(document.body).backgroundColor)?.[0]));
  assert.ok((await brightness()) < 60);
  await device.page.emulateMedia({ colorScheme: 'light' });
  await eventually(async () => assert.ok((await brightness()) > 200));
  await device.button('Appearance').click();
  await device.page.getByRole('menuitem', { name: 'Dark' }).click();
  await eventually(async () => assert.ok((await brightness()) < 60));
  await device.page.reload();
  await device.isConnected();
  assert.ok((await brightness()) < 60);
});
