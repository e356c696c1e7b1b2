import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { after, test } from 'node:test';
import { until, within } from '@tendon/testing';
import { desktopRig } from '../desktop-rig.ts';
import { busRig, PanelRig } from './tray-rig.ts';

const rig = await desktopRig(3218);
after(() => rig[Symbol.asyncDispose]());

const soon = (what: string, check: () => boolean): Promise<true> => until({ what, pollMs: 20, deadlineMs: 20_000, check: () => check() || undefined });

test('O20: desktop is in the tray: a window that was closed is opened again from there, and Quit ends the command', async () => {
  await using bus = await busRig();
  const panel = await PanelRig.start(bus.address);
  const run = rig.here.run(['desktop', ...rig.args], { ...rig.env, DBUS_SESSION_BUS_ADDRESS: bus.address });
  await soon('an icon and a window', () => panel.icons.length === 1 && rig.windows().length === 1);
  const address = rig.args[1];
  assert.deepEqual(await panel.menu(), [
    [`Connected to ${address}`, false],
    ['Open Tendon', true],
    ['Quit', true],
  ]);
  process.kill(Number(rig.windows()[0]), 'SIGTERM');
  await run.said(/this machine stays connected\. To open it again, choose Tendon in the tray\.$/m);
  await panel.choose('Open Tendon');
  await soon('another window', () => rig.windows().length === 1);
  await panel.choose('Quit');
  assert.equal((await within('it to end', run.done, 15_000)).code, 0);
  await soon('the window to be gone', () => rig.windows().length === 0);
  panel.close();
});

test('O17, O20: two windows are one that is open: both end with the command, and a browser that is gone for a while is not one', async () => {
  await using bus = await busRig();
  const panel = await PanelRig.start(bus.address);
  const run = rig.here.run(['desktop', ...rig.args], { ...rig.env, DBUS_SESSION_BUS_ADDRESS: bus.address });
  await soon('an icon and a window', () => panel.icons.length === 1 && rig.windows().length === 1);
  const [first] = rig.windows();
  await panel.choose('Open Tendon');
  await soon('another window', () => rig.windows().length === 2);
  process.kill(Number(first), 'SIGTERM');
  await soon('the first window to be gone', () => rig.windows().length === 1);
  await rename(rig.browser, `${rig.browser}.away`);
  await panel.choose('Open Tendon');
  await run.said(/The window could not be opened \(spawn .* ENOENT\)/);
  process.kill(Number(rig.windows()[0]), 'SIGTERM');
  await run.said(/The window is closed;/);
  await panel.choose('Open Tendon');
  // Told as well, before the browser is back: else it would open a window of its own.
  await run.said(/could not be opened .* could not be opened /s);
  await rename(`${rig.browser}.away`, rig.browser);
  await panel.choose('Open Tendon');
  await soon('a window again', () => rig.windows().length === 1);
  await panel.choose('Quit');
  const { code, stdout, stderr } = await within('it to end', run.done, 15_000);
  assert.equal(code, 0);
  await soon('the window to be gone', () => rig.windows().length === 0);
  assert.equal((stdout + stderr).match(/The window is closed;/g)?.length, 1, 'while one is open it is not said that it is closed');
  panel.close();
});

test('O20: a bus that is not there keeps nothing from working', async () => {
  const run = rig.here.run(['desktop', ...rig.args], { ...rig.env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' });
  await soon('a window', () => rig.windows().length === 1);
  process.kill(Number(rig.windows()[0]), 'SIGTERM');
  await run.said(/The window is closed; this machine stays connected\.$/m);
  run.child.kill('SIGTERM');
  assert.equal((await within('it to end', run.done, 15_000)).code, 0);
});
