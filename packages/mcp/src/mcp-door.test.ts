import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { pino } from 'pino';
import type { McpServerConfig } from './mcp-config.ts';
import { McpCredentials } from './mcp-credentials.ts';
import { fetchFor, SignInDoor } from './mcp-door.ts';
import { openMcpBench } from './mcp-rig.ts';
import type { ServerFetch } from './mcp-surroundings.ts';

interface Rig extends AsyncDisposable {
  readonly origin: string;
  readonly requests: IncomingMessage[];
}

async function serve(answer: RequestListener): Promise<Rig> {
  const requests: IncomingMessage[] = [];
  const http = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise<void>((resolve) => void http.close(() => resolve()));
    },
  };
}

/** Who is held is held for a minute or for good. That of a busy machine that loads the SDK for the first time is within it. */
const HELD_MS = 40_000;

const sendOnce: ServerFetch = (target, init) => fetch(target, { ...init, redirect: 'manual' });
const configOf = (url: string): Extract<McpServerConfig, { kind: 'http' }> => ({ kind: 'http', name: 'web', url, headers: { 'X-Api-Key': 'secret' } });

test('E14: no header goes with a redirect to another origin, and all go within their own', async () => {
  await using stranger = await serve((_request, response) => response.end('{}'));
  await using front = await serve((request, response) => {
    if (request.url === '/mcp') return response.end('here');
    const location = request.url?.startsWith('/near') ? '/mcp' : `${stranger.origin}/.well-known/oauth-protected-resource`;
    return response.writeHead(307, { location }).end();
  });
  const send = fetchFor(configOf(`${front.origin}/mcp`), sendOnce);
  assert.equal(await (await send(`${front.origin}/near`)).text(), 'here');
  assert.equal(front.requests.at(-1)?.headers['x-api-key'], 'secret');

  const init = { headers: { authorization: 'Bearer token', accept: 'application/json', 'mcp-session-id': 'id' } };
  assert.equal((await send(`${front.origin}/.well-known/oauth-protected-resource`, init)).status, 200);
  const { 'x-api-key': key, authorization, 'mcp-session-id': session, accept } = stranger.requests[0]?.headers ?? {};
  assert.deepEqual([key, authorization, session, accept], [undefined, undefined, undefined, 'application/json']);

  assert.equal((await send(`${front.origin}/far`, { ...init, method: 'POST', body: 'code' })).status, 307, 'a body stays with its origin');
  assert.equal(stranger.requests.length, 1);
});

test('E14: a server that redirects for ever is answered with its last redirect', async () => {
  await using server = await serve((_request, response) => response.writeHead(302, { location: '/mcp' }).end());
  const response = await fetchFor(configOf(`${server.origin}/mcp`), sendOnce)(`${server.origin}/mcp`);
  assert.deepEqual([response.status, server.requests.length], [302, 6]);
});

test('E15: a refresh that failed for a moment is asked again with the same token', async () => {
  let answers = 0;
  await using server = await serve((_request, response) => {
    answers += 1;
    response.writeHead(answers === 1 ? 503 : 200).end('{}');
  });
  const none = { read: async () => undefined, update: async () => undefined };
  const credentials = await McpCredentials.open({ path: 'x', files: none, log: pino({ level: 'silent' }) });
  const door = new SignInDoor(configOf(`${server.origin}/mcp`), {
    credentials,
    surroundings: { networkFor: () => ({ fetch: sendOnce, pageFault: async () => undefined }) },
    onSignedIn: () => undefined,
  });
  const refresh = () =>
    door.fetch(`${server.origin}/token`, { method: 'POST', body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: 'r' }) });
  assert.deepEqual([(await refresh()).status, (await refresh()).status, (await refresh()).status], [503, 200, 200]);
  assert.equal(answers, 2, 'what was granted is shared');
  await door.close();
});

test('E15: a sign-in whose service never answers does not hold the close of the gateway', { timeout: HELD_MS }, async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await serve((request, response) => {
    if (request.url?.startsWith('/.well-known')) asked.resolve();
    else response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  });
  await using bench = await openMcpBench({ web: { url: `${server.origin}/mcp` } });
  await asked.promise;
  await bench.host.close();
});

test('E9: a server that answers the greeting and nothing after it does not hold the close of the gateway', { timeout: HELD_MS }, async () => {
  const asked = Promise.withResolvers<void>();
  await using server = await serve(async (request, response) => {
    const [chunk] = (await once(request, 'data')) as [Buffer];
    const { id, method } = JSON.parse(chunk.toString('utf8')) as { id: number; method: string };
    if (method !== 'initialize') return asked.resolve();
    const result = { protocolVersion: '2025-06-18', capabilities: {}, serverInfo: { name: 'slow', version: '1' } };
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ jsonrpc: '2.0', id, result }));
  });
  await using bench = await openMcpBench({ web: { url: `${server.origin}/mcp`, headers: { Authorization: 'x' } } });
  await asked.promise;
  await bench.host.close();
});
