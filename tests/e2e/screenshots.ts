// By hand: node tests/e2e/screenshots.ts FOLDER. Drives a short coding task and writes a picture of each main state:
// 1440 and 390 wide, light and dark.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { calls, modelEnvironment, runs, ScriptedModel, says, startTendon, temporaryFolder, thinks } from '@tendon/testing';
import { DESKTOP, launchChromium, linkIn, PHONE, signIn } from './browser-rig.ts';
import { ANSWER, PLAN, PROJECT, QUESTION, TASK } from './sample-task.ts';
import { SessionPage } from './session-page.ts';

const LOOKS = [
  { name: 'desktop-light', viewport: DESKTOP, colorScheme: 'light', isMobile: false },
  { name: 'desktop-dark', viewport: DESKTOP, colorScheme: 'dark', isMobile: false },
  { name: 'phone-light', viewport: PHONE, colorScheme: 'light', isMobile: true },
  { name: 'phone-dark', viewport: PHONE, colorScheme: 'dark', isMobile: true },
] as const;

const out = resolve(process.argv[2] ?? 'screenshots');
await mkdir(out, { recursive: true });
await using stack = new AsyncDisposableStack();
const scratch = stack.use(await temporaryFolder()).path;
const model = stack.use(await ScriptedModel.start());
const workspace = await makeProject();
const tendon = stack.use(
  await startTendon({
    args: ['start', '--no-open'],
    scratch,
    env: {
      ...modelEnvironment(model),
      TENDON_MODEL: 'compatible/qwen3-coder',
      TENDON_HOME: join(scratch, 'home'),
      TENDON_PORT: '0',
      TENDON_WORKSPACE: workspace,
    },
  }),
);
const browser = await launchChromium();
stack.defer(() => browser.close());
const storageState = await signIn(browser, linkIn(tendon.output()));
const devices: { name: string; isMobile: boolean; device: SessionPage }[] = [];
for (const { name, ...look } of LOOKS) {
  const context = await browser.newContext({
    ...look,
    hasTouch: look.isMobile,
    storageState,
    locale: 'en-GB',
    reducedMotion: 'reduce',
    deviceScaleFactor: look.isMobile ? 2 : 1,
  });
  devices.push({ name, isMobile: look.isMobile, device: await new SessionPage(await context.newPage(), tendon.url).open() });
}
await takeAll();

/** A folder with a plain name: it stands in the pictures. */
async function makeProject(): Promise<string> {
  const folder = join(tmpdir(), 'shop');
  await mkdir(folder).catch((cause: unknown) => assert.fail(`${folder} is there already: remove it, the pictures need that name (${cause})`));
  stack.adopt(folder, async (path) => (await import('node:fs/promises')).rm(path, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(PROJECT)) {
    await mkdir(join(folder, path, '..'), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

async function shoot(state: string, isThere: (device: SessionPage) => Promise<unknown>): Promise<void> {
  for (const { name, device } of devices) {
    await isThere(device);
    await device.page.locator('[aria-disabled=true]').waitFor({ state: 'detached' });
    await device.page.mouse.move(0, 0);
    await device.page.evaluate(() =>
      Promise.allSettled(
        document
          .getAnimations()
          .filter((one) => one.effect?.getComputedTiming().iterations === 1)
          .map((one) => one.finished),
      ),
    );
    await device.page.screenshot({ path: join(out, `${state}-${name}.png`), animations: 'disabled' });
  }
}

async function takeAll(): Promise<void> {
  const driver = devices[0]?.device;
  assert.ok(driver);
  await shoot('1-new-session', (device) => device.page.getByRole('heading', { name: 'Tendon is ready' }).waitFor());
  for (const title of ['Add a dark theme to the invoices', 'Why is the nightly build slow?']) {
    model.script(says('Let me look.'));
    await driver.say(title);
    await driver.answered('Let me look.').waitFor();
    await driver.open('/');
  }
  model.script(
    [
      ...thinks('The total is off when a line has a discount. I should read the cart and its tests before I touch anything.'),
      ...says("I'll read the cart and look for every place that knows about discounts."),
      calls(
        { name: 'read_file', input: { path: 'src/cart.ts' } },
        { name: 'grep', input: { pattern: 'discount', path: 'src' } },
        { name: 'update_plan', input: PLAN },
      ),
    ],
    [
      ...says('The discount is taken **once per line**, not per piece: `price * quantity - discount` forgets the quantity. This is the fix:'),
      calls({ name: 'edit_file', input: TASK.edit }),
    ],
    [...says('Now the tests.'), runs(TASK.command)],
    [calls({ name: 'ask_user_questions', input: QUESTION })],
    says(...(ANSWER.match(/.{1,40}/gs) ?? [])),
  );
  await driver.say(TASK.ask);
  await driver.approval.waitFor();
  for (const { device } of devices.slice(1)) await device.open(driver.path);
  await driver.leaveComposer();
  await shoot('2-edit-to-approve', (device) => device.approval.waitFor());
  await driver.button('Approve').click();
  await driver.approval.getByText(TASK.command, { exact: true }).waitFor();
  await shoot('3-command-to-approve', (device) => device.approval.getByText(TASK.command, { exact: true }).waitFor());
  await driver.button('Always…').click();
  await driver.page.screenshot({ path: join(out, '4-always-desktop-light.png') });
  await driver.button('Always').click();
  await shoot('5-command-runs', (device) => device.page.getByRole('region', { name: 'Live output' }).getByText('rounds to cents').waitFor());
  await writeFile(join(workspace, '.go'), '');
  await shoot('6-question', (device) => device.question.waitFor());
  await driver.button(/^Per line/).click();
  await shoot('7-answer', (device) => device.answered('What changed').waitFor());
  await takePlaces(driver.path);
}

async function takePlaces(session: string): Promise<void> {
  for (const place of ['permissions', 'machines']) {
    await shoot(`8-${place}`, async (device) => {
      await device.open(`/${place}`);
      await device.page
        .getByText(place === 'machines' ? 'Online' : TASK.command)
        .first()
        .waitFor();
    });
  }
  await shoot('9-keys-or-drawer', async (device) => {
    await device.open(session);
    await device.answered('What changed').waitFor();
    const isPhone = (device.page.viewportSize()?.width ?? 0) < 500;
    if (isPhone) await device.button('Open sessions').tap();
    else await device.leaveComposer().then(() => device.page.keyboard.press('?'));
    await device.page.getByRole('dialog').waitFor();
  });
  await tendon.end('SIGKILL');
  await shoot('10-away', async (device) => {
    await device.page.keyboard.press('Escape');
    await device.page.getByText(/Trying again/).waitFor();
    await device.message.fill('And add a test for three pieces at once.');
    await device.message.press('Enter');
    await device.outbox.getByText('Waiting to be sent').waitFor();
  });
}
