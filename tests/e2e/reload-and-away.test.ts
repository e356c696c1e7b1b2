import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { createGate, heldCommand, runs, says, waitsFor } from '@tendon/testing';
import { browserRig } from './browser-rig.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

test('U25, K9: a reload in the middle of an answer loses nothing of it', async () => {
  const device = await rig.device();
  await device.open();
  const gate = createGate();
  rig.model.script([...says('The first half, ', 'and '), waitsFor(gate), ...says('the second half.')]);
  await device.say('tell me');
  await device.answered('The first half, and').waitFor();
  await device.page.reload();
  await device.answered('The first half, and').waitFor();
  await device.stopButton.waitFor();
  gate.open();
  await device.answered(/^The first half, and the second half\.(\d\d:\d\d.*)?$/).waitFor();
  await device.isIdle();
  assert.equal(await device.said('tell me').count(), 1);
});

test('U25: a reload while a decision is awaited and while a command runs loses nothing of either', async () => {
  const device = await rig.device();
  await device.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([...says('I need a command.'), held.step], says('That was it.'));
  await device.say('go');
  await device.approval.waitFor();
  await device.page.reload();
  await device.approval.getByText(held.command).waitFor();
  await device.button('Approve').click();
  await device.calls.getByText('up', { exact: true }).waitFor();
  await device.page.reload();
  await device.calls.getByText('up', { exact: true }).waitFor();
  await held.letEnd('finished');
  await device.calls.getByText('finished').waitFor();
  await device.answered('That was it.').waitFor();
  assert.equal(held.starts(), 1);
});

test('U6: a draft outlives a reload, in each place its own', async () => {
  const device = await rig.device();
  await device.open();
  rig.model.script(says('Yes?'));
  await device.say('hello');
  await device.answered('Yes?').waitFor();
  await device.message.fill('half a thou');
  await device.link('New session').click();
  await device.page.getByRole('heading', { name: 'What should be done?' }).waitFor();
  assert.equal(await device.message.inputValue(), '');
  await device.message.fill('another one');
  await device.page.reload();
  await device.page.getByRole('heading', { name: 'What should be done?' }).waitFor();
  assert.equal(await device.message.inputValue(), 'another one');
  await device.page.goBack();
  await device.said('hello').waitFor();
  assert.equal(await device.message.inputValue(), 'half a thou');
});

test('U4, K13, K23: a server killed in the middle comes back without a reload: the approval is given, and what was written meanwhile is sent once', async () => {
  rig.allow(/ERR_CONNECTION_REFUSED|WebSocket connection to|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|net::ERR/);
  const device = await rig.device();
  await device.open();
  rig.model.script(
    [...says('I need a command.'), runs('echo approved after all >> after.ledger; cat after.ledger')],
    says('It ran.'),
    says('To what you wrote meanwhile.'),
  );
  await device.say('go');
  await device.approval.waitFor();
  await device.page.evaluate(() => Object.assign(window, { isSamePage: true }));
  await rig.kill();
  await device.isAway();
  await device.page.getByText(/Trying again/).waitFor();
  await device.approval.waitFor();
  await device.message.fill('written while it was away');
  await device.message.press('Enter');
  await device.outbox.filter({ hasText: 'written while it was away' }).getByText('Waiting to be sent').waitFor();
  await rig.restart();
  await device.isConnected();
  await device.outbox.waitFor({ state: 'detached' });
  assert.equal(await device.page.evaluate(() => 'isSamePage' in window), true);
  await device.button('Approve').click();
  await device.answered('It ran.').waitFor();
  await device.answered('To what you wrote meanwhile.').waitFor();
  assert.equal(await device.said('written while it was away').count(), 1);
  assert.equal(await device.page.getByText(/Trying again/).count(), 0);
});

test('U4: a page that is looked at for the first time while the server is away says so, ends nothing, and comes when it is back', async () => {
  rig.allow(/ERR_CONNECTION_REFUSED|WebSocket connection to|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|net::ERR/);
  const device = await rig.device();
  await device.open();
  await device.message.fill('half a thought');
  await rig.kill();
  await device.isAway();
  // In the side bar; a page without a machine names that one, too.
  const machines = device.link('Machines').first();
  await machines.click();
  await device.page.getByText('This page comes when the server can be reached again.').waitFor();
  await device.link('New session').first().click();
  assert.equal(await device.message.inputValue(), 'half a thought');
  await machines.click();
  await rig.restart();
  await device.page.getByRole('heading', { name: 'Machines' }).waitFor();
  await device.page.getByText('Online').waitFor();
});

test('U4, K13: a message written offline outlives a reload and goes out once; a server killed while it answers is tried again', async () => {
  rig.allow(/ERR_CONNECTION_REFUSED|WebSocket connection to|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|net::ERR/);
  const device = await rig.device();
  await device.open();
  const gate = createGate();
  rig.model.script([...says('Half an answer'), waitsFor(gate)]);
  await device.say('a long one');
  await device.answered('Half an answer').waitFor();
  await device.page.context().setOffline(true);
  await rig.kill();
  await device.isAway();
  await device.message.fill('do not lose me');
  await device.message.press('Enter');
  await device.outbox.getByText('do not lose me').waitFor();
  gate.open();
  rig.model.script(says('A whole answer.'), says('I have it.'));
  await rig.restart();
  await device.page.context().setOffline(false);
  await device.page.reload();
  await device.answered('A whole answer.').waitFor();
  await device.answered('I have it.').waitFor();
  await device.isIdle();
  assert.equal(await device.said('do not lose me').count(), 1);
  assert.equal(await device.said('a long one').count(), 1);
  // of the half answer at most the last second is lost; it came just before the kill, so it may be there or not, but never twice
  assert.ok((await device.answered('Half an answer').count()) <= 1);
});

test('U35: the first message of a session waits for the connection, and starts it once', async () => {
  rig.allow(/net::ERR_INTERNET_DISCONNECTED/);
  const device = await rig.device();
  await device.open();
  rig.model.script(says('Here I am.'));
  await device.page.context().setOffline(true);
  await device.isAway();
  await device.message.fill('are you there?');
  await device.message.press('Enter');
  await device.page.context().setOffline(false);
  await device.answered('Here I am.').waitFor();
  assert.equal(await device.said('are you there?').count(), 1);
});
