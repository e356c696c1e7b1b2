import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { openMcpBench, startHttpServer, textOf } from './mcp-rig.ts';

test('E14: a server over HTTP gets its headers with every request, and its tools run', async () => {
  await using server = await startHttpServer({ wants: 'Bearer right' });
  await using bench = await openMcpBench({ web: { type: 'http', url: server.url, headers: { Authorization: 'Bearer right' } } });
  await bench.announced('mcp__web__add');
  assert.equal(textOf(await bench.run('mcp__web__add', { a: 1, b: 2 })), '3');
  assert.ok(server.headers.every(({ authorization }) => authorization === 'Bearer right'));
  assert.match(textOf(await bench.run('mcp_get_prompt', { server: 'web', name: 'review', arguments: { file: 'a.ts' } })), /Review a\.ts\./);
});

test('E4: a tool that is added while the gateway runs is announced', async () => {
  await using server = await startHttpServer();
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__add');
  server.addTool('later');
  assert.equal((await bench.announced('mcp__web__later')).isChanged, undefined);
  assert.equal(textOf(await bench.run('mcp__web__later', {})), 'later');
});

test('E9, E14: a server that has forgotten its session is greeted anew, and the call is not sent again', async () => {
  await using server = await startHttpServer();
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__add');
  server.forget();
  const lost = await bench.run('mcp__web__add', { a: 1, b: 2 });
  assert.equal(lost.error?.code, 'mcp_failed');
  while (server.initialized() < 2 || bench.lines.filter((line) => line.includes('is ready')).length < 2) await new Promise(setImmediate);
  assert.equal(textOf(await bench.run('mcp__web__add', { a: 1, b: 2 })), '3');
});

test('E12: a server that wants a sign-in is told with the header to set', async () => {
  await using server = await startHttpServer({ wants: 'Bearer right' });
  await using bench = await openMcpBench({ web: { url: server.url }, wrong: { url: server.url, headers: { authorization: 'Bearer wrong' } } });
  assert.match(await bench.logged(/offers none that works/), /get a token from the service and set it in mcp\.json as .*\\"Authorization\\"/);
  await bench.logged(/does not take the Authorization of mcp\.json \(401\)/);
});

test('E14: the headers of a server do not follow a redirect to another origin', async () => {
  const seen: unknown[] = [];
  const stranger = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.end();
  });
  const front = createServer((_request, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}/mcp` }).end(),
  );
  for (const server of [stranger, front]) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  {
    const url = `http://127.0.0.1:${(front.address() as AddressInfo).port}/mcp`;
    await using bench = await openMcpBench({ web: { url, headers: { Authorization: 'Bearer secret' } } });
    await bench.logged(/does not run/);
  }
  for (const server of [stranger, front]) {
    server.closeAllConnections();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
  assert.deepEqual(seen, []);
});
