import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITS } from '@tendon/protocol';
import { until } from '@tendon/testing';
import { MachineSocket } from '../../attacks/machine-socket.ts';
import { eventually } from '../browser-rig.ts';
import { wordsOf } from '../watched-page.ts';
import { listsOf } from './list-scenes.ts';
import type { Stage } from './stage.ts';

/** The smallest picture that there is. */
const JPEG =
  '/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA=';

/** Machines, MCP servers, and a page that is watched. */
export function machineScenes(stage: Stage): void {
  const { rig, words } = stage;

  test('U29: through the address and the title of a page that is watched', async () => {
    const gatewayId = randomUUID();
    await using machine = await MachineSocket.connect({ url: rig.url, key: rig.product.key });
    await machine.hello({ gatewayId });
    const [id = ''] = await stage.rows.sessions([
      { gatewayId, workspace: '/', calls: [{ tool: 'browser_snapshot', input: {}, effect: 'read', state: 'cancelled', gatewayId }] },
    ]);
    const seen = await stage.visit(`/s/${id}`);
    await seen.device.button('Watch the browser').first().click();
    await until({
      what: 'the machine to be asked',
      pollMs: 20,
      deadlineMs: 20_000,
      check: () => machine.commands.some(({ name }) => name === 'browser:watch'),
    });
    const panel = seen.device.page.getByRole('region', { name: 'The agent’s browser' });
    const addresses = words.rowsUpTo('browser:frame.url', 2_000);
    let text = '';
    for (const [index, title] of words.rowsUpTo('browser:frame.title', 200).entries()) {
      const frame = { sessionId: id, url: `${addresses[index] ?? ''}#${index}`, title, width: 1, height: 1, image: JPEG };
      // The server lets no more than some in a second through: those that are too many are sent again.
      await eventually(async () => {
        machine.tell('browser:frame', { ...frame, at: new Date().toISOString() });
        await panel.getByText(`#${index}`, { exact: false }).waitFor({ timeout: 300 });
      });
      text += await wordsOf(panel);
    }
    await stage.sees('watched page', seen, { part: panel, before: text });
  });

  test('U29: through the page of machines, and MCP servers of the server with what their tools say of themselves', async () => {
    await Promise.all([listsOf(stage), writeServers(stage)]);
    await using _machines = await tellingMachines(stage);
    const seen = await stage.visit('/machines');
    await stage.sees('machines', seen, { part: seen.device.page.getByRole('main') });
    await using socket = await rig.product.connect();
    const listed = await socket.request('mcp:list', {});
    const tools = listed.ok ? listed.data.servers.flatMap((server) => server.tools) : [];
    const calls = tools.map(({ name }) => ({ tool: name, input: {}, kind: 'remote' as const, state: 'awaiting_approval' as const }));
    const [id] = await stage.rows.sessions([{ status: 'waiting_for_user', calls }]);
    await stage.visit(`/s/${id}`, seen);
    await stage.sees('approvals by server', seen, { part: seen.device.transcript });
  });
}

/** Machines that are there, with words in the names of their MCP servers, and in why those do not run. */
async function tellingMachines({ rig, words }: Stage): Promise<AsyncDisposableStack> {
  const reasons = words.rowsUpTo('machineMcp.reason', LIMITS.mcpReasonLength);
  const names = words.rowsUpTo('machineMcp.name', 200);
  const count = Math.max(reasons.length, names.length);
  const servers = Array.from({ length: count }, (_, index) => ({ name: names[index] ?? 'files', state: 'failed', reason: reasons[index] ?? 'it ended' }));
  await using machines = new AsyncDisposableStack();
  for (let from = 0; from < count; from += LIMITS.mcpServers) {
    const machine = machines.use(await MachineSocket.connect({ url: rig.url, key: rig.product.key }));
    const answer = await machine.hello({ mcpServers: servers.slice(from, from + LIMITS.mcpServers) });
    if (!answer.ok) throw new Error(answer.error.message);
  }
  return machines.move();
}

/** Many that cannot run, each with words in its name and its command, and one that has tools. */
async function writeServers({ rig, words }: Stage): Promise<void> {
  const folder = join(rig.product.home, 'server');
  await mkdir(folder, { recursive: true });
  const commands = words.rows('mcpServer.reason');
  // Of a command that is no path, and has more than one word, only the first is told.
  const dead = words.rows('mcpServer.name').map((name, index) => [name, { command: `./${commands[index] ?? ''}`.replaceAll('\0', '') }]);
  const descriptions = words.rowsUpTo('serverTool.description', 2_000);
  const tools = words.rowsUpTo('serverTool.title', 200).map((title, index) => ({ title, description: descriptions[index] ?? 'Does nothing.' }));
  await writeFile(join(folder, 'tools.json'), JSON.stringify(tools));
  const alive = {
    command: process.execPath,
    args: [join(import.meta.dirname, '../../../packages/mcp/src/mcp-words-rig.ts')],
    env: { TOOLS: join(folder, 'tools.json') },
  };
  await writeFile(join(folder, 'mcp.json'), JSON.stringify({ mcpServers: { ...Object.fromEntries(dead), words: alive } }));
  await using socket = await rig.product.connect();
  await eventually(async () => {
    const listed = await socket.request('mcp:list', {});
    if (!listed.ok || listed.data.servers.some(({ state }) => state === 'starting') || listed.data.servers.length <= dead.length)
      throw new Error('they are being started');
  });
}
