import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { PRIVATE_HOSTS } from '@tendon/testing';
import { plainSurroundings } from './plain-surroundings.ts';

test('W28: a server without a policy leads to its own origin and public addresses, and nowhere else', async (t) => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(String(request.url));
    response.end('here');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const { networkFor } = plainSurroundings({ reserved: [], wayIn: () => 'ask its operator.', resolve: async () => ['127.0.0.1'] });
  const refused: string[] = [];
  const { fetch: send } = networkFor({ url: `http://mcp.example:${port}/mcp` }, (message) => refused.push(message));
  assert.equal(await (await send(new URL(`http://mcp.example:${port}/own`))).text(), 'here');
  const targets = [...PRIVATE_HOSTS, 'stranger.example'].flatMap((host) => URL.parse(`http://${host}:${port}/other`) ?? []);
  for (const target of targets) await assert.rejects(send(target), /nothing was sent to/, target.href);
  assert.deepEqual(seen, ['/own']);
  assert.ok(
    refused.some((message) => message.includes('Only public addresses are opened; ask its operator.')),
    refused[0],
  );
});
