import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { temporaryFolder, until } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const MAIN = join(import.meta.dirname, '../../packages/cli/src/main.js');

/** `tendon gateway` on another machine: a home of its own and no key. */
async function otherMachine(name: string) {
  const folder = await temporaryFolder();
  const args = [MAIN, 'gateway', '--server', rig.url, '--workspace', folder.path, '--name', name];
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env['PATH'], TENDON_HOME: join(folder.path, '.home') },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const said = (pattern: RegExp) =>
    until({ what: `the machine to say ${pattern}`, pollMs: 20, deadlineMs: 20_000, check: () => pattern.exec(text) ?? undefined });
  return {
    code: async () => (await said(/^ {4}([A-Z]{4}-[A-Z]{4})$/m))[1] ?? '',
    said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}

test('U34, H26: a machine is let in by the code that was typed, and appears among the machines', async () => {
  await using machine = await otherMachine('attic <i>box');
  const device = await rig.device();
  await device.open('/machines');
  await device.page.getByRole('link', { name: 'Pair a machine' }).click();
  await device.page.getByLabel('Code').fill('BBBB-BBBB');
  rig.allow(/status of 404/);
  await device.page.keyboard.press('Enter');
  await device.page.getByText('No machine waits under this code').waitFor();
  await device.page.getByLabel('Code').fill((await machine.code()).toLowerCase().replace('-', ''));
  await device.page.keyboard.press('Enter');
  const card = device.page.getByRole('region', { name: 'Machine that waits' });
  await card.getByText('attic <i>box').waitFor();
  await device.button('Let it in').click();
  await device.page.getByText('is let in').waitFor();
  await machine.said(/This machine is connected/);
  await device.page.getByRole('link', { name: 'See your machines' }).click();
  await device.page.getByRole('listitem').filter({ hasText: 'attic' }).getByText('Online').waitFor();
});

test('U27, U28, U34: with the code in the address, on a phone, it is kept out', async () => {
  await using machine = await otherMachine('cellar');
  const device = await rig.device({ viewport: PHONE, reducedMotion: 'reduce' });
  await device.open(`/pair?code=${await machine.code()}`);
  await device.page.getByRole('heading', { name: 'cellar' }).waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'a machine that waits'), []);
  assert.equal(await device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
  await device.button('Keep it out').click();
  await device.page.getByText('is kept out').waitFor();
  await machine.said(/the pairing was denied/);
});
