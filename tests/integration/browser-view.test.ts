import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { type AgentSocket, calls, nodeRig, relayRig, SessionView, says } from '@tendon/testing';

/* The real browser of a real gateway, watched from another node and through the relay of its machine. */

const rig = await nodeRig();
after(() => rig[Symbol.asyncDispose]());
const other = await rig.startNode();

const site = createServer((_request, response) => {
  response.writeHead(200, { 'Content-Type': 'text/html' });
  response.end(
    "<title>before</title><body><script>addEventListener('click', () => { document.title = 'after'; document.body.style.background = 'red'; })</script>",
  );
});
site.listen(0, '127.0.0.1');
await new Promise((resolve) => site.once('listening', resolve));
after(() => site.close());
const { port } = site.address() as AddressInfo;
await writeFile(join(rig.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules: [], network: { allow: [`localhost:${port}`] } }));

const titles = (person: AgentSocket): string[] => person.received.flatMap((entry) => (entry.name === 'browser:frame' ? [entry.notice.title] : []));
const states = (person: AgentSocket): string[] => person.received.flatMap((entry) => (entry.name === 'browser:state' ? [entry.notice.state] : []));

async function opens(session: SessionView): Promise<void> {
  rig.model.script([calls({ name: 'browser_navigate', input: { url: `http://localhost:${port}/` } })], says('It is open.'));
  await session.say('open it');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve');
  await session.untilStatus('idle');
}

test('N14: who watches at another node than the machine’s sees what its browser shows and what that becomes; it ends there when nobody watches', async () => {
  const session = await SessionView.create(await rig.connect());
  const there = await other.connect();
  await there.ask('browser:watch', { sessionId: session.id, on: true });
  await there.until('no page to be open', () => states(there).includes('no_page'));
  await opens(session);
  await there.until('the page', () => titles(there).includes('before'));
  const second = await rig.connect();
  await second.ask('browser:watch', { sessionId: session.id, on: true });
  await second.until('the page, for a newcomer at the machine’s node', () => titles(second).includes('before'));
  rig.model.script([calls({ name: 'browser_press', input: { key: 'Tab' } })], says('Pressed.'));
  await second.ask('browser:watch', { sessionId: session.id, on: false });
  await there.ask('browser:watch', { sessionId: session.id, on: false });
  const seen = titles(there).length;
  await session.say('press a key');
  await session.decide(await session.untilCall('awaiting_approval'), 'approve');
  await session.untilStatus('idle');
  assert.ok(titles(there).length <= seen + 1, 'a picture that was under way, and no more');
});

test('L5: a page of the relay watches the browser of its machine through the same schemas', async () => {
  const approvals = rig.gateway?.approvals;
  assert.ok(approvals);
  await using relay = await relayRig({ serverUrl: rig.url, key: rig.key, approvals });
  const page = await relay.page();
  const session = await SessionView.create(page);
  await page.ask('browser:watch', { sessionId: session.id, on: true });
  await page.until('no page to be open', () => states(page).includes('no_page'));
  await opens(session);
  await page.until('the page', () => titles(page).includes('before'));
  const refused = await page.request('browser:watch', { sessionId: '../other', on: true });
  assert.equal(!refused.ok && refused.error.code, 'invalid_payload');
});

test('R24, W25: a machine whose policy forbids it shows nothing, and says so', async () => {
  const session = await SessionView.create(await rig.connect());
  await opens(session);
  await writeFile(
    join(rig.home, 'gateway-policy.json'),
    JSON.stringify({ version: 1, rules: [], browser: { live: false }, network: { allow: [`localhost:${port}`] } }),
  );
  await session.socket.ask('browser:watch', { sessionId: session.id, on: true });
  await session.socket.until('the refusal', () => states(session.socket).includes('refused'));
  assert.deepEqual(titles(session.socket), []);
});
