import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { calls, says } from '@tendon/testing';
import type { Locator } from 'playwright-core';
import { browserRig, eventually, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';
import type { SessionPage } from './session-page.ts';

/* The live picture of the agent's browser, as a person sees it. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const HOSTILE = '<img src=x onerror=alert(1)>\u202e';
const site = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' });
  response.end(`<!doctype html><title>Orders</title><body style="font: 20px sans-serif; margin: 40px; background: #eef"><h1>Orders</h1><p>Three are open.</p>
    <button onclick="document.title = 'Paid'; document.body.style.background = '#cfc'; document.querySelector('h1').textContent = 'Paid'">Pay</button>
    <button onclick="document.title = ${JSON.stringify(HOSTILE).replaceAll('"', "'")}">Rename</button>`);
});
site.listen(0, '127.0.0.1');
await new Promise((resolve) => site.once('listening', resolve));
after(() => site.close());
const { port } = site.address() as AddressInfo;
const url = `http://localhost:${port}/`;

function writePolicy(more: object = {}): Promise<void> {
  return writeFile(
    join(rig.product.home, 'gateway-policy.json'),
    JSON.stringify({ version: 1, rules: [], network: { allow: [`localhost:${port}`] }, ...more }),
  );
}

beforeEach(() => writePolicy());

const panelOf = (device: SessionPage): Locator => device.page.getByRole('region', { name: 'The agent’s browser' });
const pictureOf = (device: SessionPage): Locator => panelOf(device).getByRole('img');

/** In the page: of a picture that stands there, but may have to be decoded yet. */
async function drawnSize(image: HTMLImageElement): Promise<readonly number[]> {
  await image.decode();
  return [image.naturalWidth, image.naturalHeight];
}

/** A session in which the agent has opened the page. */
async function opened(device: SessionPage): Promise<void> {
  await device.open();
  rig.model.script([calls({ name: 'browser_navigate', input: { url } })], says('It is open.'));
  await device.say('open the orders');
  await device.button('Approve').click();
  await device.answered('It is open.').waitFor();
}

async function click(device: SessionPage, { ref, element }: { ref: string; element: string }): Promise<void> {
  rig.model.script([calls({ name: 'browser_click', input: { ref, element } })], says(`That was ${element}.`));
  await device.message.fill('go on');
  await device.message.press('Enter');
  await device.button('Approve').click();
  await device.answered(`That was ${element}.`).waitFor();
}

test('U38, W21: the browser is watched from the header, from a card and by key; what the agent does is seen; Escape closes it and stops nothing', async () => {
  const device = await rig.device();
  await opened(device);
  const header = device.page.getByRole('banner').or(device.page.locator('header'));
  await header.getByRole('button', { name: 'Watch the browser' }).click();
  await panelOf(device)
    .getByRole('img', { name: `Orders, ${url}` })
    .waitFor();
  const picture = pictureOf(device);
  assert.deepEqual(await picture.evaluate(drawnSize), [1280, 800]);
  const before = await picture.getAttribute('src');
  await click(device, { ref: 'e4', element: 'button "Pay"' });
  await panelOf(device)
    .getByRole('img', { name: `Paid, ${url}` })
    .waitFor();
  // A new title may come with the picture that there was.
  await eventually(async () => assert.notEqual(await picture.getAttribute('src'), before));
  await panelOf(device).getByText('Live', { exact: true }).waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'the browser that is watched'), []);
  await panelOf(device).focus();
  await device.page.keyboard.press('Escape');
  await panelOf(device).waitFor({ state: 'detached' });
  await device.leaveComposer();
  await device.page.keyboard.press('w');
  await pictureOf(device).waitFor();
  await device.page.keyboard.press('Escape');
  await panelOf(device).waitFor({ state: 'detached' });
  const card = device.calls.filter({ hasText: 'Open' }).first();
  const fold = card.getByRole('button').first();
  if ((await fold.getAttribute('aria-expanded')) === 'false') await fold.click();
  await card.getByRole('button', { name: 'Watch the browser' }).click();
  await pictureOf(device).waitFor();
  await panelOf(device).getByRole('button', { name: 'Stop watching' }).press('Enter');
  await panelOf(device).waitFor({ state: 'detached' });
});

test('U38: the header’s button has the focus again when the panel is closed', async () => {
  const device = await rig.device();
  await opened(device);
  const button = device.page.locator('header').getByRole('button', { name: 'Watch the browser' });
  await button.focus();
  await device.page.keyboard.press('Enter');
  await pictureOf(device).waitFor();
  assert.equal(await panelOf(device).evaluate((panel) => panel === document.activeElement), true);
  await device.page.keyboard.press('Escape');
  await panelOf(device).waitFor({ state: 'detached' });
  assert.equal(await button.evaluate((element) => element === document.activeElement), true);
});

test('U27, U28, U38: on a phone, in the dark, the picture keeps its shape and nothing scrolls sideways', async () => {
  const device = await rig.device({ viewport: PHONE, colorScheme: 'dark', isMobile: true, hasTouch: true });
  await opened(device);
  await device.page.locator('header').getByRole('button', { name: 'Watch the browser' }).tap();
  await pictureOf(device).waitFor();
  await device.assertNoSidewaysScroll();
  const box = await pictureOf(device).boundingBox();
  assert.ok(box && box.width <= PHONE.width && Math.abs(box.width / box.height - 1.6) < 0.05, JSON.stringify(box));
  assert.ok(await device.message.isVisible());
  assert.deepEqual(await seriousFaults(device.page, 'the browser that is watched, on a phone'), []);
});

test('U29, U38: the title of a page stays text, and shows what hides in it', async () => {
  const device = await rig.device();
  await opened(device);
  await device.page.locator('header').getByRole('button', { name: 'Watch the browser' }).click();
  await pictureOf(device).waitFor();
  await click(device, { ref: 'e5', element: 'button "Rename"' });
  await panelOf(device).getByText('<img src=x onerror=alert(1)>').waitFor();
  await panelOf(device).getByText('U+202E').first().waitFor();
});

test('R24, U38, W25: a machine that forbids it, and a session without a page, are said in words; it goes on when that changes', async () => {
  await writePolicy({ browser: { live: false } });
  const device = await rig.device();
  await opened(device);
  await device.page.locator('header').getByRole('button', { name: 'Watch the browser' }).click();
  await panelOf(device).getByText('does not show its browser').waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'a machine that does not show its browser'), []);
  await writePolicy();
  await pictureOf(device).waitFor();
  rig.model.script([calls({ name: 'browser_tabs', input: { action: 'close' } })], says('Closed.'));
  await device.message.fill('close it');
  await device.message.press('Enter');
  await device.button('Approve').click();
  await panelOf(device).getByText('No page is open').waitFor();
  // Or the next test's session would get this answer.
  await device.answered('Closed.').waitFor();
});

test('U38: a connection that comes back goes on by itself', async () => {
  const device = await rig.device();
  await opened(device);
  await device.page.locator('header').getByRole('button', { name: 'Watch the browser' }).click();
  await pictureOf(device).waitFor();
  rig.allow(/WebSocket|ERR_CONNECTION|Failed to load/);
  await rig.kill();
  await panelOf(device).getByText('No connection to the server').waitFor();
  await rig.restart();
  await device.isConnected();
  // The gateway has ended with its server, and its browser with it.
  await panelOf(device).getByText('No page is open').waitFor();
});
