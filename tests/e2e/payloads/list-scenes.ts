import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { WatchedPage } from '../watched-page.ts';
import type { Stage } from './stage.ts';
import type { StoredCall } from './stored-rows.ts';

const placed = new WeakMap<Stage, Promise<void>>();

/** The lists that several tests look at, put there by the first. */
export function listsOf(stage: Stage): Promise<void> {
  const lists = placed.get(stage) ?? putLists(stage);
  placed.set(stage, lists);
  return lists;
}

async function putLists(stage: Stage): Promise<void> {
  const { words } = stage;
  const machineIds = await putMachines(stage);
  const paths = words.rows('session.workspace');
  const sessions = words.rows('session.title').map((title, index) => ({ title, workspace: paths[index] ?? '', gatewayId: machineIds[index] ?? '' }));
  await putRules(stage, await stage.rows.sessions(sessions), machineIds);
}

/** Sessions, rules, and machines with their folders and tools. */
export function listScenes(stage: Stage): void {
  const { rig, words } = stage;

  test('U29: through the list of sessions with their machines and folders, rules, and the folders to choose from', async () => {
    await listsOf(stage);
    const seen = await stage.visit('/');
    await loadAll(seen);
    await stage.sees('session list', seen, { part: seen.device.page.getByRole('navigation', { name: 'Sessions' }) });
    await seen.device.link('Permissions').click();
    await stage.sees('permissions', seen, { part: seen.device.page.getByRole('main') });
    await stage.visit('/', seen);
    await seen.device.button(/^Folder:/).click();
    await stage.sees('folders of a session', seen, { part: seen.device.page.getByRole('menu') });
  });

  test('U29: through what a machine says of itself and its tools, on cards that ask', async () => {
    await listsOf(stage);
    const [id] = await stage.rows.sessions([{ status: 'waiting_for_user', calls: await callsOnMachines(stage) }]);
    const seen = await stage.visit(`/s/${id}`);
    await stage.sees('approvals by machine', seen, { part: seen.device.transcript });
  });

  test('U29: through the names of models, and the title and model of a session', async () => {
    rig.model.models = words.rowsOf('model:list.models[].name', 10);
    const [id] = await stage.rows.sessions([{ title: words.all('session.title'), model: words.all('session.model') }]);
    const seen = await stage.visit(`/s/${id}`);
    await stage.sees('session head', seen);
    await seen.device.button(/^Model:/).click();
    await stage.sees('models of a session', seen, { part: seen.device.page.getByRole('menu') });
  });
}

/** The list of sessions comes in pages. */
export async function loadAll({ device }: WatchedPage): Promise<void> {
  const older = device.button('Load older sessions');
  await older.click();
  await older.waitFor({ state: 'detached' });
}

function platforms({ words }: Stage): readonly string[] {
  return words.rows('gateway.platform');
}

/** Their ids, in the order of their names' rows. Those without a sandbox say why, the others what makes it. */
async function putMachines(stage: Stage): Promise<readonly string[]> {
  const { words } = stage;
  const paths = words.rows('workspace.path');
  const folderNames = words.rowsUpTo('workspace.name', 255);
  const reasons = words.rowsUpTo('sandbox.reason', 500);
  const tools = toolsOf(stage);
  const names = words.rows('gateway.name');
  const withoutSandbox = names.map((name, index) => ({
    ...{ name, platform: platforms(stage)[index] ?? '', tools: JSON.stringify([tools[index], BASH]) },
    workspaces: JSON.stringify(
      folderNames.filter((_, at) => at % names.length === index).map((folder, at) => ({ path: `${paths[index]}${at}`, name: folder })),
    ),
    sandbox: JSON.stringify({ kind: 'none', reason: reasons[index] ?? 'none' }),
  }));
  const withSandbox = words.shortOf('sandbox.kind', 50).map((kind, index) => ({
    ...{ name: `machine ${index}`, platform: 'linux', tools: '[]', workspaces: '[]' },
    sandbox: JSON.stringify({ kind }),
  }));
  const rows = [...withoutSandbox, ...withSandbox].map((row) => ({
    ...{ id: randomUUID(), owner_id: stage.rows.ownerId, instance_id: randomUUID(), last_seen_at: new Date() },
    ...row,
  }));
  await stage.rows.insert('gateways', rows);
  return rows.slice(0, names.length).map(({ id }) => id);
}

const BASH = { name: 'bash', description: '', inputSchema: {}, effect: 'execute', source: 'builtin' };

/** Of their names the server keeps no NUL, neither here nor in a call. */
function toolsOf({ words }: Stage) {
  const sources = words.rows('gateway.tools[].source');
  const titles = words.rows('gateway.tools[].title');
  const descriptions = words.rows('gateway.tools[].description');
  return words.rows('gateway.tools[].name').map((name, index) => ({
    name: name.replaceAll('\0', '\uFFFD'),
    source: sources[index],
    title: titles[index],
    description: descriptions[index],
    inputSchema: {},
    effect: 'execute',
  }));
}

async function putRules(stage: Stage, sessionIds: readonly string[], machineIds: readonly string[]): Promise<void> {
  const { words } = stage;
  const tools = words.rows('rule.tool');
  const folders = words.rows('rule.workspace');
  const rules = words.rows('rule.subject').map((subject, index) => ({
    ...{ id: randomUUID(), owner_id: stage.rows.ownerId, tool: tools[index] ?? '', subject, workspace: folders[index] ?? '' },
    ...{ gateway_id: machineIds[index] ?? null, session_id: sessionIds[index] ?? null, created_at: new Date() },
  }));
  await stage.rows.insert('permission_rules', rules);
}

/** On each machine one of its own tool, and a command. */
async function callsOnMachines({ rig, words }: Stage): Promise<StoredCall[]> {
  const names = words.rows('gateway.name');
  const machines = await rig.product.sql<{ id: string; name: string; tools: readonly { name: string }[] }>('select id, name, tools from gateways');
  return machines
    .filter(({ tools }) => tools.length === 2)
    .flatMap(({ id, tools }) => tools.map((tool): StoredCall => ({ tool: tool.name, input: { command: 'x' }, gatewayId: id, state: 'awaiting_approval' })))
    .slice(0, names.length * 2);
}
