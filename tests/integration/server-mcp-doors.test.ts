import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import { nodeRig } from '@tendon/testing';
import { serversWhen, writeServerMcp } from './server-mcp-rig.ts';

const rig = await nodeRig({ hasGateway: false });
after(() => rig[Symbol.asyncDispose]());

test('W16, W28: an MCP server on loopback does not lead the server to itself, by whatever name', async () => {
  const { port } = rig.server;
  const hosts = ['127.0.0.1', 'localhost', '[::1]', '127.8.8.8'];
  const evil = createServer((request, response) => {
    const host = hosts[Number(new URL(request.url ?? '', 'http://x').searchParams.get('host'))];
    response.writeHead(401, { 'www-authenticate': `Bearer resource_metadata="http://${host}:${port}/metrics"` }).end();
  }).listen(0, '127.0.0.1');
  after(() => evil.close());
  await once(evil, 'listening');
  const url = `http://127.0.0.1:${(evil.address() as AddressInfo).port}/mcp`;
  await writeServerMcp(rig.home, Object.fromEntries(hosts.map((_, index) => [`evil${index}`, { url: `${url}?host=${index}` }])));
  const shown = await serversWhen(await rig.connect(), (servers) => servers.length === hosts.length && servers.every(({ state }) => state === 'failed'));
  for (const { reason } of shown) assert.match(reason ?? '', /is a door of Tendon itself/);
});
