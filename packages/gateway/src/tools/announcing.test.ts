import assert from 'node:assert/strict';
import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LOCAL_TOOLS } from '@tendon/protocol';
import { type DoubleBehaviour, type ServerDouble, startServerDouble } from '@tendon/testing';
import { pino } from 'pino';
import { startGateway } from '../index.ts';
import { textOf } from './tool-bench-rig.ts';

const ODD_SERVER = { command: process.execPath, args: [join(import.meta.dirname, '../../../mcp/src/mcp-stdio-rig.ts')] };

interface Rig extends AsyncDisposable {
  readonly server: ServerDouble;
  readonly home: string;
}

async function startRig(behaviour: DoubleBehaviour = {}, mcp: unknown = { mcpServers: { odd: ODD_SERVER } }): Promise<Rig> {
  const base = await realpath(await mkdtemp(join(tmpdir(), 'tendon gateway ')));
  const [workspace, home] = [join(base, 'work'), join(base, 'home')];
  for (const folder of [workspace, home]) await mkdir(folder);
  await writeFile(join(home, 'mcp.json'), typeof mcp === 'string' ? mcp : JSON.stringify(mcp));
  const server = await startServerDouble(behaviour);
  const log = pino({ level: 'silent' });
  const options = { serverUrl: server.url, token: 'key', home, workspaces: [workspace], log, version: '0', name: 'machine', random: () => 0.001 };
  const gateway = await startGateway(options);
  assert.equal((await gateway.ready()).kind, 'online');
  return {
    server,
    home,
    async [Symbol.asyncDispose]() {
      await gateway.close();
      await server[Symbol.asyncDispose]();
      await rm(base, { recursive: true, force: true });
    },
  };
}

const BUILTIN = Object.keys(LOCAL_TOOLS).sort();
const names = (tools: readonly { name: string }[] | undefined): string[] => (tools ?? []).map(({ name }) => name);
const hasGreet = (tools: readonly { name: string }[] | undefined): boolean => names(tools).includes('mcp__odd__greet');

test('E4: tools that come and change after the hello are told by gateway:tools, and the next hello has them', async () => {
  await using rig = await startRig();
  assert.deepEqual(names(rig.server.hellos[0]?.tools).sort(), BUILTIN);
  await rig.server.until(() => hasGreet(rig.server.tools.at(-1)));
  assert.deepEqual(names(rig.server.tools.at(-1)).slice(0, BUILTIN.length).sort(), BUILTIN);
  assert.equal(textOf(await rig.server.run('mcp__odd__greet', { name: 'Ada' })), 'hello Ada');
  assert.equal((await rig.server.run('mcp__odd__rename', {})).status, 'succeeded');
  await rig.server.until(() => rig.server.tools.at(-1)?.some(({ name, isChanged }) => name === 'mcp__odd__greet' && isChanged === true));
  rig.server.cut();
  await rig.server.until(() => rig.server.hellos.length === 2);
  assert.ok(rig.server.hellos[1]?.tools.some(({ name, isChanged }) => name === 'mcp__odd__greet' && isChanged === true));
  assert.deepEqual(rig.server.faults, []);
});

test('E4: an older server, which does not take changed tools, learns of them in the next hello', async () => {
  await using rig = await startRig({ tools: () => ({ ok: false, error: { code: 'invalid_payload', message: 'there is no such event' } }) });
  await rig.server.until(() => hasGreet(rig.server.tools.at(-1)));
  assert.equal(textOf(await rig.server.run('mcp__odd__greet', { name: 'Ada' })), 'hello Ada', 'the connection stands');
  assert.equal(rig.server.hellos.length, 1);
  rig.server.cut();
  await rig.server.until(() => hasGreet(rig.server.hellos[1]?.tools));
});

test('E31: how the MCP servers are is told by gateway:mcp when it changes, and by the next hello', async () => {
  const write = (home: string, mcpServers: object) => writeFile(join(home, 'mcp.json'), JSON.stringify({ mcpServers }));
  await using rig = await startRig({}, { mcpServers: { odd: ODD_SERVER, gone: { command: '/nowhere/uvx' } } });
  const { mcpServers, hellos } = rig.server;
  assert.deepEqual(
    hellos[0]?.mcpServers?.map(({ name }) => name),
    ['odd', 'gone'],
  );
  const gone = {
    name: 'gone',
    state: 'failed',
    reason: 'the command "/nowhere/uvx" was not found. Install uv: curl -LsSf https://astral.sh/uv/install.sh | sh',
  };
  await rig.server.until(() => mcpServers.at(-1)?.every(({ state }) => state !== 'starting'));
  assert.deepEqual(mcpServers.at(-1), [{ name: 'odd', state: 'running' }, gone]);
  await write(rig.home, { odd: ODD_SERVER });
  await rig.server.until(() => mcpServers.at(-1)?.length === 1);
  rig.server.cut();
  await rig.server.until(() => hellos.length === 2);
  assert.deepEqual(hellos[1]?.mcpServers, [{ name: 'odd', state: 'running' }]);
  assert.deepEqual(rig.server.faults, []);
});

test('E31: an older server, which does not take it, is told once for each change and is not left for it', async () => {
  await using rig = await startRig({ mcp: () => ({ ok: false, error: { code: 'invalid_payload', message: 'there is no such event' } }) });
  await rig.server.until(() => rig.server.mcpServers.at(-1)?.[0]?.state === 'running');
  assert.equal(textOf(await rig.server.run('mcp__odd__greet', { name: 'Ada' })), 'hello Ada', 'the connection stands');
  assert.equal(rig.server.hellos.length, 1);
});

test('E4: a server that cannot take them now is greeted again', async () => {
  await using rig = await startRig({ tools: () => ({ ok: false, error: { code: 'unavailable', message: 'not now' } }) });
  await rig.server.until(() => hasGreet(rig.server.hellos[1]?.tools));
});

test('E1: a faulty mcp.json keeps no gateway from starting', async () => {
  await using rig = await startRig({}, '{ "mcpServers": [');
  assert.deepEqual(names(rig.server.hellos[0]?.tools).sort(), BUILTIN);
});

test('E6, E11: the machine’s policy and a changed description each refuse a dispatch', async () => {
  await using rig = await startRig();
  await rig.server.until(() => hasGreet(rig.server.tools.at(-1)));
  await rig.server.run('mcp__odd__rename', {});
  await rig.server.until(() => rig.server.tools.at(-1)?.some(({ isChanged }) => isChanged === true));
  const byRule = { grant: { by: 'policy' as const, rule: 'rule', at: new Date().toISOString() } };
  const changed = await rig.server.call('mcp__odd__greet', { name: 'Ada' }, byRule);
  assert.equal(!changed.answer.accepted && changed.answer.error.code, 'approval_needed');
  assert.ok((await rig.server.call('mcp__odd__pid', {}, byRule)).answer.accepted, 'a tool that has not changed may run by a rule');
  await writeFile(join(rig.home, 'gateway-policy.json'), JSON.stringify({ version: 1, rules: [{ action: 'deny', tool: 'mcp__odd__*' }] }));
  const denied = await rig.server.call('mcp__odd__greet', { name: 'Ada' });
  assert.equal(!denied.answer.accepted && denied.answer.error.code, 'denied_by_machine');
});

test('E4, E16: a server that is written into mcp.json while the gateway runs is announced, and one that is taken out is no more', async () => {
  await using rig = await startRig({}, {});
  await writeFile(join(rig.home, 'mcp.json'), JSON.stringify({ mcpServers: { odd: ODD_SERVER } }));
  await rig.server.until(() => hasGreet(rig.server.tools.at(-1)));
  assert.equal(textOf(await rig.server.run('mcp__odd__greet', { name: 'Ada' })), 'hello Ada');
  await rm(join(rig.home, 'mcp.json'));
  await rig.server.until(() => rig.server.tools.length > 1 && !hasGreet(rig.server.tools.at(-1)));
  assert.deepEqual(names(rig.server.tools.at(-1)).sort(), BUILTIN);
  assert.equal(rig.server.hellos.length, 1, 'the connection stood');
});
