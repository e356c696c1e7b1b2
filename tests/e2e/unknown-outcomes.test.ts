import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { argumentsOf, childrenOf, heldCommand, says, untilEnded } from '@tendon/testing';
import { browserRig, PHONE } from './browser-rig.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** The gateway that `tendon start` has started beside itself. */
function gatewayPid(): number {
  const found = childrenOf(rig.tendon.pid).find((pid) => argumentsOf(pid).includes('gateway'));
  assert.ok(found !== undefined, 'there is no gateway');
  return found;
}

test('U31, C15: a command whose gateway dies is unknown; it is settled from one device, shown on the other, and run again only with a new approval', async () => {
  const laptop = await rig.device();
  const phone = await rig.device({ viewport: PHONE, colorScheme: 'dark' });
  await laptop.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('Look at it, please.'));
  await laptop.say('do it');
  await laptop.button('Approve').click();
  await laptop.calls.getByText('up', { exact: true }).waitFor();
  const pids = await held.pids();
  process.kill(gatewayPid(), 'SIGKILL');
  await laptop.answered('Look at it, please.').waitFor();
  await untilEnded(pids);
  await laptop.calls.getByText('say what you found').waitFor();
  await phone.open(laptop.path);
  rig.model.script(says('Not run again.'));
  await phone.button('Run again…').click();
  await laptop.calls.getByText('Asked for again as a new call').waitFor();
  await laptop.approval.getByText(held.command, { exact: true }).waitFor();
  assert.equal(held.starts(), 1, 'nothing runs again by itself');
  await laptop.button('Deny').click();
  await laptop.page.keyboard.press('Enter');
  await laptop.answered('Not run again.').waitFor();
  assert.equal(held.starts(), 1);
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /run again, as the call of its own/);
});

test('U31, C15: what the person found out is told to the model', async () => {
  const device = await rig.device();
  await device.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step], says('Did it work?'), says('Good.'));
  await device.say('do it');
  await device.button('Approve').click();
  await device.calls.getByText('up', { exact: true }).waitFor();
  process.kill(gatewayPid(), 'SIGKILL');
  await device.answered('Did it work?').waitFor();
  await device.button('Mark done').focus();
  await device.page.keyboard.press('Enter');
  await device.calls.getByText('Marked as done').waitFor();
  await device.say('it did');
  await device.answered('Good.').waitFor();
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /The person has looked: it was done/);
});
