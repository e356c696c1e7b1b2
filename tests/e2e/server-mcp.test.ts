import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { calls, says } from '@tendon/testing';
import { MachineSocket } from '../attacks/machine-socket.ts';
import { browserRig, PHONE } from './browser-rig.ts';
import { seriousFaults } from './serious-faults.ts';

/* MCP servers of the server itself, as people see them. */

const rig = await browserRig();
after(() => rig[Symbol.asyncDispose]());
afterEach((test) => rig.endDevices(test));
const ledger = join(rig.workspace, 'ledger');
const docs = { command: process.execPath, args: [join(import.meta.dirname, '../../packages/mcp/src/mcp-ledger-rig.ts')], env: { LEDGER: ledger } };

async function write(mcpServers: object): Promise<void> {
  await mkdir(join(rig.product.home, 'server'), { recursive: true });
  await writeFile(join(rig.product.home, 'server', 'mcp.json'), JSON.stringify({ mcpServers }));
}

test('E27: the page of machines shows which MCP servers run on the server, which do not and why, and follows a change, on a phone in the dark too', async () => {
  const device = await rig.device({ viewport: PHONE, colorScheme: 'dark' });
  await device.open('/machines');
  const card = device.page.getByRole('region', { name: 'On the server' });
  await device.page.getByText('Online', { exact: true }).waitFor();
  assert.equal(await card.count(), 0);
  await write({ docs, gone: { command: '/nowhere/uvx' } });
  await card.getByText('server_mcp__docs__work').waitFor();
  await card.getByText('Running', { exact: true }).waitFor();
  await card.getByText(/the command "\/nowhere\/uvx" was not found/).waitFor();
  await device.assertNoSidewaysScroll();
  assert.deepEqual(await seriousFaults(device.page, 'machines with MCP servers of the server'), []);
});

test('E31: the card of a machine shows which of its MCP servers run, which do not and why, and which wait for a sign-in, on a phone in the dark too', async () => {
  const device = await rig.device({ viewport: PHONE, colorScheme: 'dark' });
  await device.open('/machines');
  const card = device.page.getByRole('listitem').filter({ hasText: 'Telling' });
  await using machine = await MachineSocket.connect({ url: rig.url, key: rig.product.key });
  const tool = (name: string, more: object = {}) => ({ name, description: 'Works.', inputSchema: {}, effect: 'execute', source: 'builtin', ...more });
  const tools = [tool('bash'), tool('mcp__files__read', { source: 'files' }), tool('mcp__files__move', { source: 'files', isChanged: true })];
  await machine.hello({ name: 'Telling', tools });
  await card.getByText('mcp__files__read').waitFor();
  const list = card.getByRole('list', { name: 'MCP servers' });
  assert.equal(await list.count(), 0);
  const mcpServers = [
    { name: 'files', state: 'running' },
    { name: 'later', state: 'starting' },
    { name: 'search', state: 'failed', reason: 'the command "uvx" was not found. Install uv: curl -LsSf https://astral.sh/uv/install.sh | sh' },
    { name: 'tracker', state: 'sign_in', reason: 'it wants a sign-in: a person at this machine opens the address that stands in the log' },
  ];
  assert.ok((await machine.request('gateway:mcp', { mcpServers })).ok);
  for (const word of ['Running', 'Starting', 'Does not run', 'Needs a sign-in']) await list.getByText(word, { exact: true }).waitFor();
  await list.getByText(/the command "uvx" was not found\. Install uv/).waitFor();
  await list.getByText(/opens the address that stands in the log/).waitFor();
  await list.getByText(/^1 tool says something else than when you last approved a call of it/).waitFor();
  await list.getByText('mcp__files__move').waitFor();
  assert.equal(await card.getByText('mcp__files__read').count(), 1, 'a tool stands at its server alone');
  await device.assertNoSidewaysScroll();
  assert.deepEqual(await seriousFaults(device.page, 'machines with MCP servers of their own'), []);
  await machine.request('gateway:mcp', { mcpServers: [] });
  await list.waitFor({ state: 'detached' });
});

test('E24, E27: a card says that a call runs on the server and what the tool says of itself; a rule for it stands with its place in the list', async () => {
  await write({ docs });
  const device = await rig.device();
  await device.open();
  rig.model.script([calls({ name: 'server_mcp__docs__work', input: { word: 'shown' } })], says('It worked.'));
  await device.say('work');
  await device.approval.getByRole('heading', { name: 'Run this on the server?' }).waitFor();
  await device.approval.getByText('on the server', { exact: true }).waitFor();
  await device.approval.getByText('Works.', { exact: true }).waitFor();
  await device.approval.getByText('From the MCP server docs').waitFor();
  await device.approval.locator('button[aria-keyshortcuts="A"][aria-disabled="false"]').waitFor();
  assert.deepEqual(await seriousFaults(device.page, 'an approval of a call on the server'), []);
  await device.button(/^Always/).click();
  await device.page.getByTestId('rule').getByText('on the server').waitFor();
  await device.button('Always').click();
  await device.answered('It worked.').waitFor();
  await device.open('/permissions');
  await device.page.getByText('On the server', { exact: true }).waitFor();
  await device.page.getByText('As long as the tool says of itself what it said then').waitFor();
});
