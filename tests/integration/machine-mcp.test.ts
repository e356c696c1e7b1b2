import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Gateway } from '@tendon/protocol';
import { type AgentSocket, nodeRig } from '@tendon/testing';
import { MachineSocket } from '../attacks/machine-socket.ts';

const GATEWAY_ID = '0199c0de-0000-7000-8000-0000000000bb';
const DOWN = { name: 'files', state: 'failed', reason: 'it ended with exit code 4' };
const UP = { name: 'files', state: 'running' };

const listed = async (socket: AgentSocket): Promise<Gateway | undefined> => (await socket.ask('gateway:list', {})).gateways[0];
const told = (socket: AgentSocket): Gateway[] => socket.received.flatMap((entry) => (entry.name === 'gateway:presence' ? [entry.notice.gateway] : []));
const untilTold = (socket: AgentSocket, state: string): Promise<unknown> =>
  socket.until(`an MCP server that is ${state}`, () => told(socket).at(-1)?.mcpServers?.[0]?.state === state);

test('E31: people are shown how the MCP servers of their machine are, and each change; nothing of it stays when the machine has left', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  const socket = await rig.connect();
  const write = (mcpServers: object) => writeFile(join(rig.home, 'mcp.json'), JSON.stringify({ mcpServers }));
  await write({ gone: { command: '/nowhere/uvx' } });
  const gateway = await rig.startGateway();
  await untilTold(socket, 'failed');
  const [gone] = (await listed(socket))?.mcpServers ?? [];
  assert.match(gone?.reason ?? '', /^the command "\/nowhere\/uvx" was not found\. Install uv/);
  await write({});
  await socket.until('no server', () => told(socket).at(-1)?.mcpServers?.length === 0);
  await gateway.close();
  await socket.until('its leave', () => told(socket).at(-1)?.online === false);
  assert.ok(!('mcpServers' in (told(socket).at(-1) ?? {})));
  assert.ok(!('mcpServers' in ((await listed(socket)) ?? {})));
});

test('E31: an older machine says nothing of it and is shown; what is no such list is refused, and only who has said hello is heard', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  const socket = await rig.connect();
  await using machine = await MachineSocket.connect({ url: rig.url, key: rig.key });
  const early = await machine.request('gateway:mcp', { mcpServers: [] });
  assert.equal(early.ok ? '' : early.error.code, 'conflict');
  assert.ok((await machine.hello({ gatewayId: GATEWAY_ID })).ok);
  assert.ok(!('mcpServers' in ((await listed(socket)) ?? {})));
  const wrong: unknown[] = [
    ...['files', {}, null, [null], [{ name: 'files' }], [{ name: '', state: 'running' }], [{ name: 'x'.repeat(201), state: 'running' }]],
    ...[[{ name: 'files', state: 'asleep' }], [{ ...DOWN, reason: 'x'.repeat(301) }], [{ ...DOWN, reason: 7 }], Array.from({ length: 51 }, () => UP)],
  ];
  for (const mcpServers of wrong) {
    for (const answer of [await machine.request('gateway:mcp', { mcpServers }), await machine.hello({ gatewayId: GATEWAY_ID, mcpServers })])
      assert.equal(answer.ok ? '' : answer.error.code, 'invalid_payload', JSON.stringify(mcpServers));
  }
  assert.ok((await machine.request('gateway:mcp', { mcpServers: [{ ...DOWN, reason: 'nul\0', more: 'x' }] })).ok);
  assert.deepEqual((await listed(socket))?.mcpServers, [{ ...DOWN, reason: 'nul\ufffd' }]);
  await using stranger = await MachineSocket.connect({ url: rig.url, key: (await rig.addUser()).key });
  assert.equal((await stranger.hello({ gatewayId: GATEWAY_ID, mcpServers: [] })).ok, false);
  assert.equal((await stranger.request('gateway:mcp', { mcpServers: [] })).ok, false);
  assert.equal((await listed(socket))?.mcpServers?.length, 1);
  await using older = await MachineSocket.connect({ url: rig.url, key: rig.key });
  assert.ok((await older.hello({ gatewayId: GATEWAY_ID })).ok);
  assert.ok(!('mcpServers' in ((await listed(socket)) ?? {})), 'what the connection before has said does not stay');
});

test('E31, N5: every node shows it, whichever holds the machine: at its hello, at each change, and at a node that comes later', async () => {
  await using rig = await nodeRig({ hasGateway: false });
  const other = await rig.startNode();
  const [here, there] = [await rig.connect(), await other.connect()];
  await using machine = await MachineSocket.connect({ url: rig.url, key: rig.key });
  assert.ok((await machine.hello({ gatewayId: GATEWAY_ID, mcpServers: [DOWN] })).ok);
  for (const socket of [here, there]) await untilTold(socket, 'failed');
  assert.deepEqual((await listed(there))?.mcpServers, [DOWN]);
  assert.ok((await machine.request('gateway:mcp', { mcpServers: [UP] })).ok);
  for (const socket of [here, there]) await untilTold(socket, 'running');
  const third = await rig.startNode();
  const later = await third.connect();
  // It may have heard of the machine before anybody was there to be told.
  if ((await listed(later))?.mcpServers === undefined) await untilTold(later, 'running');
  assert.deepEqual((await listed(later))?.mcpServers, [UP]);
  await using moved = await MachineSocket.connect({ url: other.url, key: rig.key });
  assert.ok((await moved.hello({ gatewayId: GATEWAY_ID, mcpServers: [DOWN] })).ok);
  for (const socket of [here, there, later]) await untilTold(socket, 'failed');
  await moved[Symbol.asyncDispose]();
  for (const socket of [here, there, later]) {
    await socket.until('its leave', () => told(socket).at(-1)?.online === false);
    assert.ok(!('mcpServers' in ((await listed(socket)) ?? {})));
  }
});
