import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { temporaryFolder, until } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const MAIN = join(import.meta.dirname, '../../packages/cli/src/main.js');

const gateway = (name: string) => otherMachine('gateway', ['--name', name]);
const terminal = () => otherMachine('chat', []);

/** A command of Tendon on another machine: a home of its own and no key. */
async function otherMachine(command: string, more: readonly string[]) {
  const folder = await temporaryFolder();
  const child = spawn(process.execPath, [MAIN, command, '--server', rig.url, ...more], {
    env: { PATH: process.env['PATH'], TENDON_HOME: join(folder.path, '.home'), TENDON_WORKSPACE: folder.path },
    stdio: ['pipe', 'ignore', 'pipe'],
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
  await using machine = await gateway('attic <i>box');
  const device = await rig.device();
  await device.open('/machines');
  await device.page.getByRole('link', { name: 'Pair a machine' }).click();
  await device.page.getByLabel('Code').fill('BBBB-BBBB');
  rig.allow(/status of 404/);
  await device.page.keyboard.press('Enter');
  await device.page.getByText('Nothing waits under this code').waitFor();
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
  await using machine = await gateway('cellar');
  const device = await rig.device({ viewport: PHONE, reducedMotion: 'reduce' });
  await device.open(`/pair?code=${await machine.code()}`);
  await device.page.getByRole('heading', { name: 'cellar' }).waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'a machine that waits'), []);
  assert.equal(await device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
  await device.button('Keep it out').click();
  await device.page.getByText('is kept out').waitFor();
  await machine.said(/the pairing was denied/);
});

test('U33, U34, H35: a terminal is shown as one, with what it may do, is let in, stands among the keys, and ends when it is revoked there', async () => {
  await using chat = await terminal();
  const device = await rig.device({ viewport: PHONE, colorScheme: 'dark', reducedMotion: 'reduce' });
  await device.open(`/pair?code=${await chat.code()}`);
  const card = device.page.getByRole('region', { name: 'Terminal that waits' });
  await card.getByRole('heading', { name: hostname() }).waitFor();
  await card.getByText('A terminal on a machine of this name').waitFor();
  await card.getByText('read your sessions, write to the agent and approve what it asks, as you').waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'a terminal that waits'), []);
  assert.equal(await device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth), 0);
  await device.button('Let it in').click();
  await device.page.getByText('is let in').waitFor();
  await chat.said(/^Session \S+ with /m);
  await device.page.getByRole('link', { name: 'See your keys' }).click();
  const key = device.page.getByRole('listitem').filter({ hasText: `${hostname()} (terminal)` });
  await key.getByText('read, write, approve').waitFor();
  await key.getByRole('button', { name: 'Revoke' }).click();
  await key.getByRole('button', { name: 'Revoke the key' }).click();
  await chat.said(/no longer accepts this terminal: its key was revoked/);
});
