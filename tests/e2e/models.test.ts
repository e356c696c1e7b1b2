import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { ScriptedModel, says } from '@tendon/testing';
import { browserRig, eventually, PHONE } from './browser-rig.ts';
import { contrastOf } from './contrast.ts';
import { seriousFaults } from './serious-faults.ts';
import type { SessionPage } from './session-page.ts';

/** The product's own rig has its models from the environment: this one is of the person who enters it. */
const model = await ScriptedModel.start();
const rig = await browserRig({ env: { OPENAI_BASE_URL: model.url, OLLAMA_HOST: 'http://127.0.0.1:9', TENDON_COMPATIBLE_URL: '', TENDON_MODEL: 'demo' } });
after(async () => {
  await rig[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
});
afterEach((test) => rig.endDevices(test));

const CANARY = 'sk-canary-0123456789-canary-wxyz';
const row = (device: SessionPage, name: string) => device.page.getByRole('listitem', { name });
/** Where to put pictures of the page, for whoever wants to look at it. */
const pictures = process.env['PICTURES'];

async function picture(device: SessionPage, name: string): Promise<void> {
  if (pictures === undefined) return;
  await mkdir(pictures, { recursive: true });
  for (const colorScheme of ['dark', 'light'] as const) {
    await device.page.emulateMedia({ colorScheme });
    await device.page.screenshot({ path: join(pictures, `${name}-${colorScheme}.png`), animations: 'disabled' });
  }
}

test('U36, A19: an owner enters a key with the keyboard, chooses a model of it at once, replaces and removes it; the key is never shown again', async () => {
  const device = await rig.device();
  const bodies: string[] = [];
  device.page.on('response', (response) => {
    if (response.url().includes('/api/'))
      void response.text().then(
        (text) => bodies.push(text),
        () => undefined,
      );
  });
  await device.open('/models');
  await row(device, 'OpenAI').getByText('No key yet').waitFor();
  assert.equal(await device.button('Enter key of OpenAI').textContent(), 'Enter key', 'what is seen is a part of what is read out');
  await device.button('Enter key of OpenAI').press('Enter');
  await device.page.keyboard.type(CANARY);
  await picture(device, 'entering-desktop');
  await device.page.keyboard.press('Enter');
  await row(device, 'OpenAI').getByText('Key ••••wxyz').waitFor();
  await row(device, 'OpenAI')
    .getByText(/^Set .* by Owner$/)
    .waitFor();
  assert.ok(!(await device.page.content()).includes('canary'));

  await device.page.getByRole('link', { name: 'New session' }).first().click();
  await device.page.getByRole('button', { name: /^Model: / }).click();
  await device.page.getByRole('menuitem', { name: 'GPT-6 Sol' }).click();
  model.script(says('Here I am.'));
  await device.say('hello');
  await device.answered('Here I am.').waitFor();
  assert.equal(model.requests.at(-1)?.headers.authorization, `Bearer ${CANARY}`);

  await device.open('/models');
  await device.button('Replace key of OpenAI').click();
  await device.page.getByLabel('Key of OpenAI').fill('not a key');
  rig.allow(/status of 400/);
  await device.button('Save').click();
  await device.page.getByText('printable characters without spaces').waitFor();
  await device.button('Cancel').click();
  await device.button('Remove key of OpenAI').click();
  await picture(device, 'removing-desktop');
  await device.button('Keep').click();
  await device.button('Remove key of OpenAI').click();
  await row(device, 'OpenAI').getByRole('button', { name: 'Remove the key', exact: true }).click();
  await row(device, 'OpenAI').getByText('No key yet').waitFor();
  assert.ok(bodies.length > 3 && !bodies.some((body) => body.includes('canary')), 'a key came back');
});

test('U36: what the environment sets says so and offers no change; an owner alone finds the page', async () => {
  const device = await rig.device();
  await device.open('/models');
  await row(device, 'Anthropic').getByText('Set by the environment (ANTHROPIC_API_KEY): it cannot be changed here').waitFor();
  assert.equal(await row(device, 'Anthropic').getByRole('button').count(), 0);
  assert.equal(await row(device, 'Google').getByRole('button').count(), 1);
});

test('U36, A17: an address is entered with its key, and a key that does not open says what to do and can be replaced', async () => {
  await rig.product.sql(
    `insert into secrets (scope, name, key_id, sealed, set_by, set_at) select 'server', 'provider/google', '0123456789abcdef', '\\x01', id, now() from users limit 1`,
  );
  const device = await rig.device();
  await device.open('/models');
  await row(device, 'Google').getByText('sealed with the secret key 0123456789abcdef').waitFor();
  await device.button('Enter address of Compatible server').click();
  await device.page.getByLabel('Address that speaks').fill(`${model.url}/`);
  await device.page.getByLabel('Key, if it wants one').fill(CANARY);
  await picture(device, 'address-desktop');
  await device.button('Save').click();
  await row(device, 'Compatible server').getByText(model.url, { exact: true }).waitFor();
  await device.page.getByRole('link', { name: 'New session' }).first().click();
  await device.page.getByRole('button', { name: /^Model: / }).click();
  await device.page.getByRole('menuitem', { name: 'scripted' }).waitFor();
  await device.page.keyboard.press('Escape');
  const listed = device.page
    .waitForEvent('websocket')
    .then((socket) => socket.waitForEvent('framereceived', ({ payload }) => String(payload).includes('"compatible/scripted"')));
  await device.open('/models');
  await listed;
  await row(device, 'Compatible server').getByText('Without a key').or(row(device, 'Compatible server').getByText('••••wxyz')).waitFor();
  assert.equal(await device.page.getByText('No models came from this address').count(), 0);
  await device.button('Replace address of Compatible server').click();
  await device.page.getByLabel('Address that speaks').fill('http://127.0.0.1:9/v1');
  await device.button('Save').click();
  await row(device, 'Compatible server').getByText('No models came from this address').waitFor();
  await device.button('Look again').click();
  await picture(device, 'fault-desktop');
  await device.button('Replace key of Google').click();
  await device.page.getByLabel('Key of Google').fill(CANARY);
  await device.page.keyboard.press('Enter');
  await row(device, 'Google').getByText('Key ••••wxyz').waitFor();
});

test('U36, U27, U28: the page fits a phone and has no serious fault, in light and in dark', async () => {
  const device = await rig.device({ viewport: PHONE, reducedMotion: 'reduce' });
  await device.open('/models');
  await device.button('Enter key of OpenAI').click();
  for (const colorScheme of ['dark', 'light'] as const) {
    await device.page.emulateMedia({ colorScheme });
    const save = device.button('Save');
    assert.ok(await save.isDisabled());
    await eventually(async () => {
      const contrast = await contrastOf(save);
      assert.ok(contrast >= 4.5, `the words of a disabled button have a contrast of ${contrast.toFixed(2)} to 1, ${colorScheme}`);
    });
  }
  await device.page.getByLabel('Key of OpenAI').fill(CANARY);
  assert.deepEqual(await seriousFaults(device.page, 'entering'), []);
  await picture(device, 'entering-phone');
  await device.button('Save').click();
  await row(device, 'OpenAI').getByText('Key ••••wxyz').waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'set'), []);
  assert.equal(await device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
  await picture(device, 'set-phone');
});
