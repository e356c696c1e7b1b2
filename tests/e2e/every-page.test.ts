import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { after, afterEach, test } from 'node:test';
import { calls, runs, says } from '@tendon/testing';
import type { Page } from 'playwright-core';
import { browserRig, eventually, PHONE } from './browser-rig.ts';
import { holdMessages } from './held-messages.ts';
import { seriousFaults } from './serious-faults.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** Every address that the page knows, and one that it does not. */
const PAGES = ['/', '/permissions', '/machines', '/pair', '/access', '/account', '/people', '/models', '/nowhere'];

for (const [name, options] of [
  ['a desktop', {}],
  ['a phone', { viewport: PHONE, hasTouch: true, isMobile: true }],
] as const) {
  test(`U28, U29: no page has an accessibility fault on ${name}, in light and in dark, or listens to what other windows post`, async () => {
    const device = await rig.device({ ...options, reducedMotion: 'reduce' });
    await device.page.addInitScript(countMessageListeners);
    const faults: string[] = [];
    for (const path of PAGES) {
      await device.open(path);
      await isLoaded(device.page);
      // Before the measuring, which listens itself.
      assert.equal(await device.page.evaluate(() => document.documentElement.dataset['messageListeners'] ?? 'none'), 'none', path);
      faults.push(...(await seriousFaults(device.page, path)));
      await device.assertNoSidewaysScroll();
    }
    assert.deepEqual(faults, []);
  });
}

test('U26, U28: the page for a link that works no more has no accessibility fault', async () => {
  rig.allow(/status of 401/);
  const page = await rig.stranger();
  await page.goto(new URL('/sign-in?token=used', rig.url).href);
  await page.getByText('npx tendon start').waitFor();
  assert.deepEqual(await seriousFaults(page, 'a used link'), []);
});

test('U40: that there is no machine, session or rule is said when the list has come, and not before', async () => {
  const device = await rig.device();
  const { page } = device;
  const lists = await holdMessages(page, /"(?:gateways|sessions|rules)":/);
  const nothing = page.getByText(/^No machine|^No sessions|^Nothing is allowed|^Folder: no/);
  for (const [path, awaited, come] of [
    ['/machines', page.getByRole('main').getByText('Loading…'), page.getByRole('main').locator('li').first()],
    ['/permissions', page.getByRole('main').getByText('Loading…'), page.getByText('Nothing is allowed for good')],
    ['/', device.button('Folder: asking the server'), device.button(/^Folder: .+ on /)],
  ] as const) {
    await device.open(path);
    await eventually(() => assert.equal(lists.count, path === '/permissions' ? 3 : 2));
    await awaited.waitFor();
    assert.deepEqual(await nothing.allTextContents(), [], path);
    assert.deepEqual(await seriousFaults(page, `${path}, awaited`), []);
    lists.release();
    await come.waitFor();
    await page.getByText('No sessions yet.').waitFor();
    lists.hold();
  }
});

test('U40: a call that waits for its approval is said to have no machine when the list has come, and not before', async () => {
  const first = await rig.device();
  await first.open();
  rig.model.script([runs('echo where')]);
  await first.say('go');
  await first.approval.getByText(hostname(), { exact: true }).waitFor();
  const second = await rig.device();
  const machines = await holdMessages(second.page, /"gateways":/);
  await second.open(first.path);
  await second.approval.getByText('asking the server…').waitFor();
  assert.equal(await second.approval.getByText('no machine yet').count(), 0);
  machines.release();
  await second.approval.getByText(hostname(), { exact: true }).waitFor();
});

/** In the page, before it begins: notes on its root who listens to `postMessage`. Ports of our own code are no windows and are left alone. */
function countMessageListeners(): void {
  const noted = (): void => {
    document.documentElement.dataset['messageListeners'] = String(new Error('a listener').stack);
  };
  const add = window.addEventListener.bind(window);
  window.addEventListener = (...given: Parameters<typeof add>): void => {
    if (given[0] === 'message') noted();
    add(...given);
  };
  Object.defineProperty(window, 'onmessage', { set: noted });
}

/** A page that is there as a whole. */
async function isLoaded(page: Page): Promise<void> {
  await page.getByRole('main').waitFor();
  await eventually(async () => assert.equal(await page.getByText('Loading…').count(), 0));
}

/** So many can be focused on any page: the links beside it. */
const FEWEST = 6;

/** Walks on with the Tab key until it has come around; answers what can be focused without anything changing its look. */
async function unseenFocus(page: Page, where: string): Promise<string[]> {
  const unseen: string[] = [];
  for (let walked = 0; ; walked += 1) {
    await page.keyboard.press('Tab');
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      if (!(element instanceof HTMLElement) || element === document.body || element.dataset['walked'] !== undefined) return 'end';
      element.dataset['walked'] = '';
      const look = (): string => {
        const lines: string[] = [];
        for (let at: Element | null = element; at && lines.length < 4; at = at.parentElement) {
          const { outlineStyle, outlineWidth, outlineColor, borderColor, boxShadow } = getComputedStyle(at);
          lines.push(`${outlineStyle === 'none' ? '' : outlineWidth + outlineColor} ${borderColor} ${boxShadow}`);
        }
        return lines.join('|');
      };
      const focused = look();
      element.blur();
      const resting = look();
      element.focus({ preventScroll: true });
      return focused === resting ? element.outerHTML.slice(0, 160) : 'seen';
    });
    if (found === 'end') {
      assert.ok(walked >= FEWEST, `the walk ended at once at ${where}, after ${walked}`);
      return unseen;
    }
    if (found !== 'seen') unseen.push(`${where}: ${found}`);
  }
}

test('U24, U28: wherever the Tab key leads the focus is seen', async () => {
  const device = await rig.device({ reducedMotion: 'reduce' });
  await device.open();
  rig.model.script([...says('I will write.'), calls({ name: 'write_file', input: { path: 'a.txt', content: 'one\n' } })], [runs('echo two')]);
  await device.say('go');
  await device.approval.waitFor();
  await device.button('Approve').click();
  await device.approval.getByText('echo two').waitFor();
  const unseen = await unseenFocus(device.page, 'a session');
  for (const path of PAGES) {
    await device.open(path);
    await isLoaded(device.page);
    unseen.push(...(await unseenFocus(device.page, path)));
  }
  assert.deepEqual(unseen, []);
});
