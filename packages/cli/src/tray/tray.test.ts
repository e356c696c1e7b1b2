import assert from 'node:assert/strict';
import { test } from 'node:test';
import { until } from '@tendon/testing';
import { openTray, type Tray } from './tray.ts';
import { busRig, PanelRig } from './tray-rig.ts';

const online = { words: 'Connected to https://mind.example', isConnected: true };
const away = { words: 'No connection to https://mind.example: it is tried again', isConnected: false };

interface Shown {
  readonly tray: Tray;
  readonly chosen: string[];
}

async function shownOn(address: string): Promise<Shown> {
  const chosen: string[] = [];
  const tray = await openTray({ address, face: online, open: () => chosen.push('open'), quit: () => chosen.push('quit') });
  return { tray, chosen };
}

const soon = (what: string, check: () => boolean): Promise<true> => until({ what, pollMs: 5, check: () => check() || undefined });

test('O20: the icon says what the machine does, and its menu opens the page and ends the command', async () => {
  await using bus = await busRig();
  const panel = await PanelRig.start(bus.address);
  const { tray, chosen } = await shownOn(bus.address);
  await soon('the icon to be shown', () => tray.isShown);
  assert.equal(panel.icons.length, 1);
  const icon = await panel.icon();
  assert.deepEqual([icon['Id'], icon['Status'], icon['IconName'], icon['ToolTip']], ['tendon', 'Active', 'tendon', ['', [], 'Tendon', online.words]]);
  assert.deepEqual(await panel.menu(), [
    [online.words, false],
    ['Open Tendon', true],
    ['Quit', true],
  ]);
  await panel.click();
  await panel.choose('Open Tendon');
  await panel.choose(online.words);
  await panel.choose('Quit');
  assert.deepEqual(chosen, ['open', 'open', 'quit']);
  tray.close();
  panel.close();
});

test('O20: what changes is told, and read anew', async () => {
  await using bus = await busRig();
  const panel = await PanelRig.start(bus.address);
  const { tray } = await shownOn(bus.address);
  await soon('the icon to be shown', () => tray.isShown);
  tray.show(away);
  await soon('the panel to be told', () => ['NewIcon', 'NewToolTip', 'LayoutUpdated'].every((signal) => panel.told.includes(signal)));
  assert.equal((await panel.icon())['IconName'], 'tendon-away');
  assert.equal((await panel.menu())[0]?.[0], away.words);
  tray.show({ words: 'a_b', isConnected: true });
  assert.equal((await panel.menu())[0]?.[0], 'a__b');
  tray.close();
  panel.close();
});

test('O20: a panel that starts later, or anew, gets the icon', async () => {
  await using bus = await busRig();
  const { tray } = await shownOn(bus.address);
  assert.equal(tray.isShown, false);
  const first = await PanelRig.start(bus.address);
  await soon('the icon to be offered', () => tray.isShown);
  first.close();
  await soon('the icon to be gone', () => !tray.isShown);
  tray.show(away);
  const second = await PanelRig.start(bus.address);
  await soon('the icon to be back', () => tray.isShown);
  assert.equal((await second.icon())['IconName'], 'tendon-away');
  tray.close();
  second.close();
});

test('O20: the end of the bus ends nothing else, and no bus is an error', async () => {
  await using bus = await busRig();
  const panel = await PanelRig.start(bus.address);
  const { tray } = await shownOn(bus.address);
  await soon('the icon to be shown', () => tray.isShown);
  await bus.kill();
  tray.show(away);
  tray.show(online);
  tray.close();
  panel.close();
  await assert.rejects(openTray({ address: bus.address, face: online, open: () => undefined, quit: () => undefined }), /ENOENT|ECONNREFUSED/);
});
