import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, beforeEach, test } from 'node:test';
import { sessionTokenSource } from './session-token.ts';

/** A server that hands out tokens `token-1`, `token-2` … to whoever sends the CSRF token that it expects. */
const expected = { csrf: 'fresh', status: 201, hasSession: true };
let cookies = '';
let asked: IncomingMessage[] = [];
const server = createServer((request, response) => {
  asked.push(request);
  request.resume();
  if (request.url === '/api/me') {
    if (expected.hasSession) cookies = `theme=dark; tendon-${port}.csrf=${expected.csrf}; tendon-1.csrf=of-another-port`;
    response.writeHead(expected.hasSession ? 200 : 401).end('{}');
    return;
  }
  const isRight = request.headers['x-csrf-token'] === expected.csrf && request.headers['x-requested-with'] === 'tendon';
  const status = isRight ? expected.status : 403;
  response.writeHead(status).end(status === 201 ? JSON.stringify({ token: `token-${posts().length}`, expiresInMs: 60_000 }) : '{}');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
after(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  cookies = '';
  asked = [];
  Object.assign(expected, { csrf: 'fresh', status: 201, hasSession: true });
});

const posts = () => asked.filter(({ method }) => method === 'POST');
const paths = () => asked.map(({ method, url }) => `${method} ${url}`);
const source = sessionTokenSource({ origin: `http://127.0.0.1:${port}`, fetch, cookies: () => cookies });

test('K26: the first token costs two requests, the next one a single one', async () => {
  assert.equal(await source(), 'token-1');
  assert.equal(await source(), 'token-2');
  assert.deepEqual(paths(), ['GET /api/me', 'POST /api/auth/session-token', 'POST /api/auth/session-token']);
});

test('K26: a CSRF token of an earlier sign-in is replaced once', async () => {
  cookies = `tendon-${port}.csrf=stale`;
  assert.equal(await source(), 'token-2');
  assert.deepEqual(paths(), ['POST /api/auth/session-token', 'GET /api/me', 'POST /api/auth/session-token']);
});

test('K26: where no token is to be had the cookie decides', async () => {
  expected.hasSession = false;
  assert.equal(await source(), undefined);
  assert.deepEqual(paths(), ['GET /api/me']);
  expected.hasSession = true;
  for (const status of [401, 403, 404]) {
    expected.status = status;
    assert.equal(await source(), undefined);
  }
});

test('K26: a server that is busy or broken is asked again later', async () => {
  for (const status of [429, 500, 503]) {
    expected.status = status;
    await assert.rejects(source(), new RegExp(`answered ${status}`));
  }
  const nobody = sessionTokenSource({ origin: 'http://127.0.0.1:1', fetch, cookies: () => '' });
  await assert.rejects(nobody());
});
