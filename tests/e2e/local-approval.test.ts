import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, afterEach, test } from 'node:test';
import { LocalApprovals } from '@tendon/gateway/parts';
import { relayRig } from '@tendon/testing';
import type { Locator, Page } from 'playwright-core';
import { MachineSocket } from '../attacks/machine-socket.ts';
import { browserRig, PHONE } from './browser-rig.ts';
import { StoredRows } from './payloads/stored-rows.ts';
import { seriousFaults } from './serious-faults.ts';

/* Machines that take approvals on their own page alone, on the page of the server and on that of one of them. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

const rows = await StoredRows.open(rig.product);
const machines = new AsyncDisposableStack();
after(() => machines.disposeAsync());

async function machine(name: string, more: object): Promise<string> {
  const gatewayId = randomUUID();
  const socket = machines.use(await MachineSocket.connect({ url: rig.url, key: rig.product.key }));
  assert.ok((await socket.hello({ gatewayId, name, ...more })).ok);
  return gatewayId;
}

const attic = await machine('attic', { localApprovalOnly: true });
const cellar = await machine('cellar', { localApprovalOnly: true });
const porch = await machine('porch', {});
const waiting = { input: { command: 'x' }, state: 'awaiting_approval' } as const;
const [sessionId = ''] = await rows.sessions([
  {
    status: 'waiting_for_user',
    calls: [
      ...[attic, cellar, porch].map((gatewayId) => ({ ...waiting, tool: 'bash', gatewayId })),
      { ...waiting, tool: 'read_file', input: { path: 'a.txt' }, effect: 'read', gatewayId: cellar },
    ],
  },
]);

/** The card of each call, in their order, once all are there. */
async function cardsOn(page: Page): Promise<readonly [Locator, Locator, Locator, Locator]> {
  const card = (index: number): Locator => page.getByRole('group', { name: 'Approval' }).nth(index);
  await card(3).waitFor();
  return [card(0), card(1), card(2), card(3)];
}

const warned = (card: Locator): Locator => card.getByText('runs only what is approved on its own page');
const always = (card: Locator): Locator => card.getByRole('button', { name: 'Always…' });

test('L10: on the server’s page the card of such a machine says where an approval counts, and offers no rule', async () => {
  const device = await rig.device({ viewport: PHONE, hasTouch: true, isMobile: true, colorScheme: 'dark', reducedMotion: 'reduce' });
  await device.open(`/s/${sessionId}`);
  const [own, other, anywhere, reading] = await cardsOn(device.page);
  await warned(own).waitFor();
  await warned(other).waitFor();
  assert.deepEqual([await always(own).count(), await always(other).count(), await always(anywhere).count(), await always(reading).count()], [0, 0, 1, 1]);
  assert.deepEqual([await warned(anywhere).count(), await warned(reading).count()], [0, 0]);
  assert.deepEqual(await seriousFaults(device.page, 'an approval that counts elsewhere'), []);
  await device.assertNoSidewaysScroll();
});

test('L10: the machine’s own page warns of other machines, and not of itself', async () => {
  await using front = await relayRig({ serverUrl: rig.url, key: rig.product.key, approvals: new LocalApprovals(attic) });
  const page = await rig.stranger();
  await page.goto(front.relay.signInLink(`/s/${sessionId}`));
  const [own, other] = await cardsOn(page);
  // Where the page is shown is asked for once, for all cards: what is said of one is known for the other.
  await warned(other).waitFor();
  assert.equal(await warned(own).count(), 0);
  assert.equal(await always(own).count(), 0, 'no rule counts there');
  await page.close();
});
