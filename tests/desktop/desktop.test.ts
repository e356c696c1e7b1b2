import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import {
  findChromium,
  nodeRig,
  processesWith,
  resultText,
  runs,
  SessionView,
  says,
  startTendon,
  type TendonProcess,
  temporaryFolder,
  until,
} from '@tendon/testing';
import { chromium, type Page } from 'playwright-core';
import { eventually } from '../e2e/browser-rig.ts';
import { SessionPage } from '../e2e/session-page.ts';
import { startDisplay } from './display.ts';
import type { DisplayWindow } from './windows.ts';

/* `tendon desktop` as people have it: on a display, with a real Chromium. The window is looked at from outside, and its page through Chromium's own port. */

const PATIENCE_MS = 40_000;
const SCREEN = { width: 1280, height: 800 };

const stack = new AsyncDisposableStack();
after(() => stack.disposeAsync());
const rig = stack.use(await nodeRig({ hasGateway: false }));
const place = stack.use(await temporaryFolder());
const display = stack.use(await startDisplay(SCREEN));
const profile = join(place.path, 'desktop');
const portFile = join(profile, 'DevToolsActivePort');
const browser = join(place.path, 'chromium');
// The one on this machine, which says besides where its page can be driven.
await writeFile(browser, `#!/bin/sh\nexec ${findChromium()} "$@" --remote-debugging-port=0 --disable-gpu --disable-dev-shm-usage\n`);
await chmod(browser, 0o755);
const direct = await SessionView.create(await rig.connect());

async function startDesktop(...args: string[]): Promise<TendonProcess> {
  await rm(portFile, { force: true });
  const started = await startTendon({
    args: ['desktop', '--server', rig.url, '--workspace', rig.workspace, '--name', 'attic', ...args],
    env: {
      ...{ TENDON_HOME: place.path, TENDON_API_KEY: rig.key, TENDON_RELAY_PORT: '0', TENDON_BROWSER_PATH: browser },
      ...{ DISPLAY: display.name, DBUS_SESSION_BUS_ADDRESS: 'disabled:' },
    },
    scratch: place.path,
  });
  stack.use(started);
  return started;
}

/** The one page in the window. */
async function pageInWindow(): Promise<SessionPage> {
  const read = (): string | undefined => (existsSync(portFile) ? /^\d+(?=\n)/.exec(readFileSync(portFile, 'utf8'))?.[0] : undefined);
  const port = await until({ what: 'the window to open', pollMs: 20, deadlineMs: PATIENCE_MS, check: read });
  const driven = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
  const pages = (): Page[] => driven.contexts().flatMap((context) => context.pages());
  // A page is there before it has come to any address.
  const here = (): Page | undefined => pages().find((each) => each.url().startsWith('http'));
  const page = await until({ what: 'a page in it', pollMs: 20, deadlineMs: PATIENCE_MS, check: here });
  assert.equal(pages().length, 1);
  page.setDefaultTimeout(PATIENCE_MS);
  return new SessionPage(page, new URL(page.url()).origin);
}

/** What stands on the display, as soon as it is as meant, or patience ends: a page is there a moment before its window, and so is its title. */
async function windowsOnce(isMeant: (windows: readonly DisplayWindow[]) => boolean): Promise<readonly DisplayWindow[]> {
  for (const end = performance.now() + PATIENCE_MS; ; await pause(50)) {
    const windows = await display.windows();
    if (isMeant(windows) || performance.now() >= end) return windows;
  }
}

/** Neither a window nor a process of the browser. Its children end a moment after it, and the display hears of its end later still. */
async function browserIsGone(): Promise<void> {
  await until({ what: 'the browser to be gone', pollMs: 20, deadlineMs: PATIENCE_MS, check: () => processesWith(profile).length === 0 || undefined });
  assert.deepEqual(await windowsOnce((windows) => windows.length === 0), []);
}

/** What a picture of the display holds, read by the browser that it is of. */
function pixelsOf(page: Page, picture: Buffer): Promise<{ readonly colours: number; readonly width: number; readonly height: number }> {
  return page.evaluate(async (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context?.drawImage(bitmap, 0, 0);
    const { data } = context?.getImageData(0, 0, width, height) ?? { data: new Uint8ClampedArray() };
    return { colours: new Set(new Uint32Array(data.buffer)).size, width, height };
  }, picture.toString('base64'));
}

let tendon: TendonProcess;
let device: SessionPage;

test('O17, L2: the window shows the session that was named, signed in through the relay, without tabs and address bar', async () => {
  rig.model.script(says('From before.'));
  await direct.say('were you here?');
  await direct.untilStatus('idle');
  tendon = await startDesktop('--session', direct.id);
  device = await pageInWindow();
  await device.answered('From before.').waitFor();
  await device.isConnected();
  const { page } = device;
  assert.equal(device.path, `/s/${direct.id}`);
  assert.notEqual(new URL(page.url()).port, new URL(rig.url).port, 'from the relay, and not from the server');
  const inside = await page.evaluate(() => ({ title: document.title, isApp: matchMedia('(display-mode: standalone)').matches, width: innerWidth }));
  assert.deepEqual(inside, { title: 'were you here? · Tendon', isApp: true, width: inside.width });
  // A window with tabs has the browser's name behind the page's.
  const windows = await windowsOnce((shown) => shown.some(({ title }) => title === inside.title));
  assert.deepEqual(
    windows.map(({ title, width }) => ({ title, width })),
    [{ title: inside.title, width: inside.width }],
  );
  // What is in the page is drawn a moment later.
  await eventually(async () => {
    const { colours, ...size } = await pixelsOf(page, await display.picture());
    assert.deepEqual(size, SCREEN);
    assert.ok(colours > 50, `only ${colours} colours are to be seen on the display`);
  });
});

test('L7: what is approved elsewhere is not run, what is approved in the window is', async () => {
  await writeFile(join(place.path, 'gateway-policy.json'), JSON.stringify({ version: 1, requireLocalApproval: true, rules: [] }));
  rig.model.script([runs('echo elsewhere')], [runs('echo here')], says('Done.'));
  await direct.say('run it');
  const first = await direct.untilCall('awaiting_approval');
  await direct.decide(first, 'approve');
  assert.equal((await direct.untilCallIs(first.id, 'failed')).result?.error?.code, 'approval_needed');
  await device.approval.getByText('echo here').waitFor();
  await device.approval.locator('[aria-disabled=false]', { hasText: 'Approve' }).click();
  await device.answered('Done.').waitFor();
  const here = direct.calls.at(-1) ?? assert.fail('there is no call');
  assert.equal(resultText(await direct.untilCallIs(here.id, 'succeeded')), 'here\n');
});

test('O17: the window is closed: the machine stays connected; the machine is ended: its window goes, and all of its browser', async () => {
  await device.page.close();
  await until({
    what: 'it to say so',
    pollMs: 20,
    deadlineMs: PATIENCE_MS,
    check: () => /The window is closed; this machine stays connected/.test(tendon.output()) || undefined,
  });
  await browserIsGone();
  const { gateways } = await direct.socket.ask('gateway:list', {});
  assert.deepEqual(
    gateways.map(({ name, online }) => [name, online]),
    [['attic', true]],
  );
  assert.equal((await tendon.end('SIGTERM')).code, 0);

  const again = await startDesktop();
  device = await pageInWindow();
  await device.message.waitFor();
  assert.equal((await windowsOnce((windows) => windows.length > 0)).length, 1);
  assert.equal((await again.end('SIGTERM')).code, 0);
  await browserIsGone();
});
