import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { runs, says } from '@tendon/testing';
import { browserRig } from './browser-rig.ts';
import { SCRIPT_PAYLOADS } from './script-payloads.ts';
import type { SessionPage } from './session-page.ts';

/*
 * Every payload through every text that the page shows, in real Chromium. The page's policy would keep most of them from running; none may get
 * as far: an attempt is a complaint of the page, and the rig fails on those.
 */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const socket = await rig.product.connect();
after(() => socket.close());

const TITLE_LENGTH = 200;
const NAME_LENGTH = 100;
const AT_ONCE = 32;

async function watched(path?: string): Promise<{ device: SessionPage; foreign: string[] }> {
  const device = await rig.device();
  const foreign: string[] = [];
  device.page.on('request', (request) => {
    if (!/^(?:data|blob):/.test(request.url()) && !request.url().startsWith(`${rig.url}/`)) foreign.push(request.url());
  });
  await device.open(path);
  return { device, foreign };
}

async function assertHarmless({ device, foreign }: { device: SessionPage; foreign: string[] }, where: string): Promise<void> {
  const found = await device.page.evaluate(() => ({
    pwned: 'pwned' in window,
    elements: document.querySelectorAll(
      '#root :is(script, iframe, style, base, link, meta, object, embed, template, form[action], [onerror], [onload], [onfocus], [ontoggle], [onbegin])',
    ).length,
    links: [...document.querySelectorAll('#root a')].map((link) => link.getAttribute('href') ?? '').filter((href) => !href.startsWith('/')),
    images: [...document.querySelectorAll('#root img')].map((image) => image.getAttribute('src')).filter((source) => !source?.startsWith('/favicon')),
  }));
  assert.deepEqual([found.pwned, found.elements, found.images], [false, 0, []], where);
  for (const link of found.links) assert.match(link, /^(?:https?|mailto):/, where);
  assert.deepEqual(foreign, [], where);
}

/** A connection may not ask so often: comes again when the server said that it may. */
async function titledSession(title: string): Promise<string> {
  for (;;) {
    const made = await socket.request('session:create', { title });
    if (made.ok) return made.data.session.id;
    assert.equal(made.error.code, 'rate_limited', title);
    await setTimeout((made.error.details as { retryAfterMs: number }).retryAfterMs);
  }
}

const groups = Array.from({ length: Math.ceil(SCRIPT_PAYLOADS.length / AT_ONCE) }, (_, index) => SCRIPT_PAYLOADS.slice(index * AT_ONCE, (index + 1) * AT_ONCE));

test('U29: there are more than three hundred of them, all different', () => {
  assert.ok(new Set(SCRIPT_PAYLOADS).size >= 300, String(new Set(SCRIPT_PAYLOADS).size));
});

test('U29: through what a person writes, what a model answers, and what it thinks', async () => {
  const seen = await watched();
  for (const [index, group] of groups.entries()) {
    rig.model.script(says(`${group.join('\n\n')}\n\nanswer ${index}`));
    await seen.device.say(group.join('\n'));
    await seen.device.answered(`answer ${index}`).waitFor();
    await seen.device.isIdle();
    await assertHarmless(seen, `group ${index}`);
  }
});

test('U29: through a command, what it prints, and a plan', async () => {
  const seen = await watched();
  await writeFile(join(rig.workspace, 'payloads.txt'), SCRIPT_PAYLOADS.join('\n'));
  rig.model.script(
    [
      runs(
        `cat payloads.txt # ${SCRIPT_PAYLOADS.slice(0, 40)
          .join(' ')
          .replaceAll(/[\n\0]/g, ' ')}`,
      ),
    ],
    says('Printed.'),
  );
  await seen.device.say('print them');
  await seen.device.approval.waitFor();
  await assertHarmless(seen, 'the command that waits');
  await seen.device.button('Approve').click();
  await seen.device.answered('Printed.').waitFor();
  await seen.device.button(/^Show .* earlier line/).click();
  await seen.device.page.getByText('<meta http-equiv=refresh', { exact: false }).first().waitFor();
  await assertHarmless(seen, 'the output');
});

test('U29: through the titles of sessions, in the list and at the head of one', async () => {
  const titled: string[] = [];
  for (const payload of SCRIPT_PAYLOADS) titled.push(await titledSession(payload.slice(0, TITLE_LENGTH)));
  const seen = await watched();
  await seen.device.page.getByText('<base href=https', { exact: false }).first().waitFor();
  await assertHarmless(seen, 'the list');
  for (let index = 0; index < titled.length; index += 37) {
    await seen.device.page.goto(`${rig.url}/s/${titled[index]}`);
    await seen.device.page.getByRole('textbox', { name: 'Message' }).waitFor();
    await assertHarmless(seen, `title ${index}`);
  }
});

test('U29: through the names of keys', async () => {
  const headers = { Authorization: `Bearer ${rig.product.key}`, 'Content-Type': 'application/json' };
  let taken = 0;
  for (const payload of SCRIPT_PAYLOADS) {
    const answer = await fetch(`${rig.url}/api/keys`, { method: 'POST', headers, body: JSON.stringify({ name: payload.slice(0, NAME_LENGTH) }) });
    if (answer.status === 201) taken += 1;
    else assert.equal(answer.status, 400);
  }
  assert.ok(taken >= 200, `${taken} names were taken`);
  const seen = await watched('/access');
  await seen.device.page.getByText('<form action=', { exact: false }).first().waitFor();
  await assertHarmless(seen, 'the keys');
});
