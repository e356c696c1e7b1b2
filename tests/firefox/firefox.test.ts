import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { runs, says } from '@tendon/testing';
import type { Page } from 'puppeteer-core';
import { SCRIPT_PAYLOADS } from '../e2e/script-payloads.ts';
import { firefoxRig, REBOUND } from './firefox-rig.ts';

/* What a browser itself does for the person (cookies, origins, policies), in another one than Chromium. */

const rig = await firefoxRig();
after(() => rig[Symbol.asyncDispose]());

const link = /https?:\/\/\S+\/sign-in\?token=\S+/.exec(rig.printed)?.[0] ?? '';

/** By itself a page tries again after half a minute at the latest. */
const COMES_BACK_MS = 45_000;

const keyCount = async (): Promise<number> => Number((await rig.product.sql<{ count: string }>('select count(*) from api_keys'))[0]?.count);

test('H4, U8: the sign-in link opens the page, and a command that is approved there runs', async () => {
  const { page, complaints } = await rig.page();
  await page.goto(link);
  rig.product.model.script([runs('printf from-%s firefox')], says('That is all.'));
  await page.locator('textarea').fill('say where you are');
  await page.keyboard.press('Enter');
  // In the first moment of its card it does nothing, and says so by an attribute that `click` does not wait for.
  await page.locator('[aria-label="Approval"] [aria-disabled="false"]::-p-text(Approve)').click();
  await page.waitForSelector('::-p-text(That is all.)');
  await page.waitForSelector('::-p-text(from-firefox)');
  assert.deepEqual(complaints, []);
  assert.doesNotMatch(await page.evaluate(() => document.cookie), /session/);
});

test('K9: a page whose server is killed comes back by itself, with what it had', async () => {
  const { page } = await rig.page();
  await page.goto(rig.product.url);
  rig.product.model.script(says('Before the fall.'));
  await page.locator('textarea').fill('hello');
  await page.keyboard.press('Enter');
  await page.waitForSelector('::-p-text(Before the fall.)');
  await rig.kill();
  await page.waitForSelector('[role="status"]::-p-text(Offline)');
  await rig.restart();
  rig.product.model.script(says('After it.'));
  await page.locator('textarea').fill('still there?');
  await page.keyboard.press('Enter');
  await page.waitForSelector('::-p-text(After it.)', { timeout: COMES_BACK_MS });
  await page.waitForSelector('::-p-text(Before the fall.)');
});

test('U29: three hundred script payloads, written and answered, run nothing and ask nobody', async () => {
  const { page, complaints } = await rig.page();
  const foreign: string[] = [];
  page.on('request', (request) => {
    if (!/^(?:data|blob|about):/.test(request.url()) && !request.url().startsWith(rig.product.url)) foreign.push(request.url());
  });
  await page.goto(rig.product.url);
  for (let from = 0; from < SCRIPT_PAYLOADS.length; from += 64) {
    const group = SCRIPT_PAYLOADS.slice(from, from + 64);
    rig.product.model.script(says(`${group.join('\n\n')}\n\nanswer ${from}.`));
    await paste(page, group.join('\n'));
    await page.keyboard.press('Enter');
    await page.waitForSelector(`::-p-text(answer ${from}.)`);
  }
  const found = await page.evaluate(() => ({
    hasRun: 'pwned' in window,
    elements: document.querySelectorAll('#root :is(script, iframe, style, base, link, meta, object, embed, form[action], [onerror], [onload])').length,
  }));
  assert.deepEqual({ ...found, foreign, complaints }, { hasRun: false, elements: 0, foreign: [], complaints: [] });
});

const WAYS = ['read', 'write', 'write as text', 'poll', 'image', 'script', 'style', 'socket', 'frame'];

test('H10: what the pages below try, a page of ours does', async () => {
  const { page } = await rig.page();
  await page.goto(rig.product.url);
  const ways = ['read', 'write', 'poll', 'socket'];
  const reached = await page.evaluate(tryAll, rig.product.url, ways);
  for (const way of ways) assert.match(String(reached[way]), /^reached: [{0]/, way);
});

for (const host of ['127.0.0.1', 'localhost', REBOUND]) {
  test(`H1, H10: a page of another origin at ${host} changes nothing and learns nothing, although this browser is signed in`, async () => {
    const evil = createServer((_request, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><title>evil</title>'));
    evil.listen(0, '127.0.0.1');
    await once(evil, 'listening');
    const { page } = await rig.page();
    const before = await keyCount();
    try {
      await page.goto(`http://${host}:${(evil.address() as AddressInfo).port}/`);
      const reached = await page.evaluate(tryAll, rig.product.url, WAYS);
      assert.deepEqual(reached, Object.fromEntries(WAYS.map((way) => [way, 'nothing'])));
      await page.evaluate((target) => {
        document.body.innerHTML = `<form method=post enctype=text/plain action="${target}/api/keys"><input name='{"name":"csrf","x":"' value='"}'></form>`;
        document.forms[0]?.submit();
      }, rig.product.url);
      await page.waitForFunction((target) => location.href.startsWith(target) && document.readyState === 'complete', {}, rig.product.url);
      assert.match(await page.evaluate(() => document.body.innerText), /not allowed|may not|forbidden|other/i);
    } finally {
      evil.close();
      evil.closeAllConnections();
    }
    assert.equal(await keyCount(), before);
    const own = await rig.page();
    await own.page.goto(rig.product.url);
    await own.page.waitForSelector('textarea');
  });
}

test('H1: under a name that was rebound to this machine there is nothing', async () => {
  const { page } = await rig.page();
  const { port } = new URL(rig.product.url);
  const answer = await page.goto(`http://${REBOUND}:${port}/`);
  assert.equal(answer?.status(), 421);
  assert.equal(await page.$('textarea'), null);
});

/** Puts text into the composer at once. What `fill` writes when it is long, React takes for its own. */
async function paste(page: Page, text: string): Promise<void> {
  await page.waitForSelector('textarea');
  await page.focus('textarea');
  await page.evaluate((pasted) => document.execCommand('insertText', false, pasted), text);
}

/** In the page of somebody else: what of `target` it reaches, by each of these ways that a page has. */
async function tryAll(target: string, ways: readonly string[]): Promise<Record<string, string>> {
  const json = { method: 'POST', body: '{"name":"csrf"}', credentials: 'include' } as const;
  const socket = target.replace('http', 'ws');
  const loads = (tag: 'img' | 'script' | 'link', path: string) =>
    new Promise((resolve, reject) => {
      const element = Object.assign(document.createElement(tag), { onload: () => resolve('loaded'), onerror: reject });
      element.setAttribute(tag === 'link' ? 'href' : 'src', `${target}${path}`);
      if (tag === 'link') element.setAttribute('rel', 'stylesheet');
      document.body.append(element);
    });
  const tries: Record<string, () => Promise<unknown>> = {
    read: () => fetch(`${target}/api/me`, { credentials: 'include' }).then((answer) => answer.text()),
    write: () => fetch(`${target}/api/keys`, { ...json, headers: { 'Content-Type': 'application/json' } }).then((answer) => answer.text()),
    'write as text': () => fetch(`${target}/api/keys`, { ...json, headers: { 'Content-Type': 'text/plain' } }).then((answer) => answer.text()),
    poll: () => fetch(`${target}/socket.io/?EIO=4&transport=polling`, { credentials: 'include' }).then((answer) => answer.text()),
    image: () => loads('img', '/api/me'),
    script: () => loads('script', '/api/me'),
    style: () => loads('link', '/api/me'),
    socket: () =>
      new Promise((resolve, reject) => {
        const opened = new WebSocket(`${socket}/socket.io/?EIO=4&transport=websocket`);
        opened.onmessage = (event) => resolve(event.data);
        opened.onerror = reject;
      }),
    frame: () =>
      new Promise((resolve, reject) => {
        const frame = document.createElement('iframe');
        frame.src = target;
        frame.onload = () => {
          try {
            const { document: inside } = frame.contentWindow as Window;
            // A page of the browser's own, about a frame that may not be shown, is no page of the target.
            if (inside.location.href === 'about:blank') reject(new Error('blank'));
            else resolve(inside.body.innerText);
          } catch (error) {
            reject(error);
          }
        };
        document.body.append(frame);
      }),
  };
  const reached: Record<string, string> = {};
  for (const way of ways) {
    const tried = tries[way]?.() ?? Promise.resolve('no such way');
    reached[way] = await tried.then(
      (got) => `reached: ${String(got).slice(0, 100)}`,
      () => 'nothing',
    );
  }
  return reached;
}
