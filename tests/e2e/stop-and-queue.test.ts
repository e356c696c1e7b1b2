import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { createGate, type Gate, heldCommand, says, untilEnded, waitsFor, within } from '@tendon/testing';
import { browserRig, eventually } from './browser-rig.ts';
import type { SessionPage } from './session-page.ts';

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));

/** A session in which the model has said `begun` and goes on only when the gate opens. */
async function streaming(): Promise<{ device: SessionPage; gate: Gate }> {
  const device = await rig.device();
  await device.open();
  const gate = createGate();
  rig.model.script([...says('begun ', 'and going'), waitsFor(gate), ...says(' never seen')]);
  await device.say('tell me all');
  await device.answered('begun and going').waitFor();
  return { device, gate };
}

const WAYS_TO_STOP: [string, (device: SessionPage) => Promise<void>][] = [
  ['Esc in the composer', (device) => device.message.press('Escape')],
  ['Esc away from the composer', (device) => device.leaveComposer().then(() => device.page.keyboard.press('Escape'))],
  ['the button', (device) => device.stopButton.click()],
];

for (const [way, stop] of WAYS_TO_STOP) {
  test(`U22, S5: ${way} stops the answer while it streams; what was said stays, and the session goes on`, async () => {
    const { device } = await streaming();
    const asked = rig.model.requests.at(-1);
    await stop(device);
    await device.page.getByText('Interrupted here.').waitFor();
    await device.isIdle();
    assert.equal(await within('the model to be left', asked?.closed ?? Promise.reject(new Error('the model was not asked'))), 'abandoned');
    await device.answered('begun and going').waitFor();
    assert.equal(await device.page.getByText('never seen').count(), 0);
    rig.model.script(says('Here I am.'));
    await device.say('still there?');
    await device.answered('Here I am.').waitFor();
  });
}

test('U22, G27: a stop ends the command that runs, with all its children, and keeps what it had printed', async () => {
  const device = await rig.device();
  await device.open();
  const held = await heldCommand(rig.workspace);
  rig.model.script([held.step]);
  await device.say('run it');
  await device.button('Approve').click();
  await device.calls.getByText('up', { exact: true }).waitFor();
  await device.stopButton.click();
  await untilEnded(await held.pids());
  await device.isIdle();
  await eventually(async () => assert.equal(await device.calls.getAttribute('data-state'), 'cancelled'));
  await device.calls.getByText(/^up\s+Cancelled while it ran/).waitFor();
});

test('U23, S4: a message can interrupt: it stops what runs and is answered next, once', async () => {
  const { device } = await streaming();
  rig.model.script(says('Something else then.'));
  await device.message.fill('no, something else');
  await device.message.press('Control+Enter');
  await device.answered('Something else then.').waitFor();
  await device.page.getByText('Interrupted here.').waitFor();
  assert.equal(await device.said('no, something else').count(), 1);
  assert.match(JSON.stringify(rig.model.requests.at(-1)?.messages), /begun and going.*no, something else/);

  const { device: other } = await streaming();
  rig.model.script(says('By the button.'));
  await other.message.fill('by the button');
  await other.button('Interrupt').click();
  await other.answered('By the button.').waitFor();
});

test('U7, S2: messages sent while the agent works are queued in sight, can be edited and removed, and run in order', async () => {
  const { device, gate } = await streaming();
  for (const text of ['second', 'third', 'fourth']) {
    await device.message.fill(text);
    await device.message.press('Enter');
    await device.queue.getByRole('listitem').filter({ hasText: text }).waitFor();
  }
  await device.queue.getByRole('listitem').filter({ hasText: 'third' }).getByRole('button', { name: 'Remove' }).click();
  await device.queue.getByText('third').waitFor({ state: 'detached' });
  await device.queue.getByRole('listitem').filter({ hasText: 'fourth' }).getByRole('button', { name: 'Edit' }).click();
  await device.queue.getByText('fourth').waitFor({ state: 'detached' });
  // It leaves the queue with the event, and comes back into the composer with the answer to the request.
  await eventually(async () => assert.equal(await device.message.inputValue(), 'fourth'));
  await device.message.fill('fourth, better');
  await device.message.press('Enter');
  await device.queue.getByText('fourth, better').waitFor();
  rig.model.script(says('To the second.'), says('To the fourth.'));
  gate.open();
  await device.answered('To the fourth.').waitFor();
  await device.queue.waitFor({ state: 'detached' });
  const texts = await device.page.getByRole('article').allTextContents();
  const place = (text: string): number => texts.findIndex((shown) => shown.includes(text));
  const places = ['tell me all', 'begun', 'second', 'To the second.', 'fourth, better', 'To the fourth.'].map(place);
  assert.deepEqual(places, [0, 1, 2, 3, 4, 5]);
  assert.equal(await device.page.getByText('third').count(), 0);
});

test('U7, S6: after a stop the queue is held until the person goes on', async () => {
  const { device } = await streaming();
  await device.message.fill('later');
  await device.message.press('Enter');
  await device.queue.getByText('later').waitFor();
  await device.stopButton.click();
  await device.queue.getByText('Held since you stopped').waitFor();
  const before = rig.model.requests.length;
  rig.model.script(says('Now it is later.'));
  await device.queue.getByRole('button', { name: 'Continue' }).click();
  await device.answered('Now it is later.').waitFor();
  assert.equal(rig.model.requests.length, before + 1);
});
