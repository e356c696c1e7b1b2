import assert from 'node:assert/strict';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { McpCredentials } from './mcp-credentials.ts';
import { type McpBench, openMcpBench, serviceAddress, startHttpServer, textOf } from './mcp-rig.ts';
import { McpSignIn } from './mcp-sign-in.ts';
import { startOAuthServer } from './oauth-rig.ts';

/** The address that the log asks the person to open. */
async function addressToOpen(bench: McpBench): Promise<string> {
  const line = await bench.logged(/open this address/);
  const address = /this machine: (http\S+) \(it leads on to http:/.exec(line)?.[1];
  assert.ok(address, line);
  return address;
}

test('E15: a person opens the address of the log, signs in, and the server runs; the tokens outlive the gateway', async () => {
  await using oauth = await startOAuthServer();
  await using server = await startHttpServer({ oauth });
  await using bench = await openMcpBench({ web: { url: server.url, headers: { 'x-team': 'blue' } } });
  const page = await fetch(await addressToOpen(bench));
  assert.deepEqual([page.status, await page.text()], [200, 'You are signed in. You can close this window.\n']);
  await bench.announced('mcp__web__add');
  assert.equal(textOf(await bench.run('mcp__web__add', { a: 1, b: 2 })), '3');
  assert.match(oauth.registered[0]?.redirect_uris[0] ?? '', /^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  assert.ok(server.headers.every((headers) => headers['x-team'] === 'blue'));
  assert.ok(
    oauth.headers.every((headers) => headers['x-team'] === undefined),
    'headers of mcp.json stay with their server',
  );
  assert.equal((await stat(join(bench.base, 'credentials.json'))).mode & 0o777, 0o600);
  assert.ok(
    [...oauth.live].every((token) => !bench.lines.join('').includes(token)),
    'no token in the log',
  );

  await using again = await bench.reopen();
  await again.announced('mcp__web__add');
  assert.equal(oauth.registered.length, 1);
});

test('E15: a token that has run out is made new without a person; when that fails, a person is asked again', async () => {
  await using oauth = await startOAuthServer();
  await using server = await startHttpServer({ oauth });
  await using bench = await openMcpBench({ web: { url: server.url } });
  await fetch(await addressToOpen(bench));
  await bench.announced('mcp__web__add');
  oauth.live.clear();
  assert.equal(textOf(await bench.run('mcp__web__add', { a: 2, b: 2 })), '4');
  assert.ok(oauth.refreshes() > 0);

  await using again = await bench.reopen();
  await again.announced('mcp__web__add');
  oauth.live.clear();
  oauth.revoke();
  const failed = await again.run('mcp__web__add', { a: 2, b: 3 });
  assert.equal(failed.error?.code, 'mcp_failed');
  const address = await addressToOpen(again);
  const away = await again.run('mcp__web__add', { a: 2, b: 3 });
  assert.match(away.error?.message ?? '', /wants a sign-in: a person .* stands in the log/);
  assert.doesNotMatch(JSON.stringify(away), /https?:|state=/, 'the address is for the person alone');
  await fetch(address);
  while ((await again.run('mcp__web__add', { a: 2, b: 3 })).status !== 'succeeded') await new Promise(setImmediate);
});

test('E15: who comes back with another state, host or path gets nothing, and the sign-in goes on', async () => {
  await using oauth = await startOAuthServer();
  await using server = await startHttpServer({ oauth });
  await using bench = await openMcpBench({ web: { url: server.url } });
  const door = await addressToOpen(bench);
  const address = new URL(await serviceAddress(door));
  const callback = address.searchParams.get('redirect_uri') ?? '';
  const state = address.searchParams.get('state') ?? '';
  const statusOf = async (url: string): Promise<number> => (await fetch(url)).status;
  assert.equal(await statusOf(`${callback}?code=stolen&state=guessed`), 400);
  assert.equal(await statusOf(`${callback}?error=access_denied&state=${state}`), 400);
  assert.equal(await statusOf(`${callback}?code=wrong&state=${state}`), 502);
  assert.equal(await statusOf(callback.replace('/callback', '/')), 404);
  assert.equal(await statusOf(`${callback.replace('127.0.0.1', 'localhost')}?code=x&state=${state}`), 404);
  assert.deepEqual(bench.host.announced, []);
  assert.equal(await statusOf(`${door}0`), 404);
  assert.equal(await statusOf(door), 200);
  await bench.announced('mcp__web__add');
});

test('E15: an answer that names another issuer gets nothing, and the code goes to no service but the one that was asked', async () => {
  await using oauth = await startOAuthServer();
  await using other = await startOAuthServer();
  let named = oauth;
  await using server = await startHttpServer({ oauth: { ...oauth, metadataFor: (resource) => named.metadataFor(resource) } });
  await using bench = await openMcpBench({ web: { url: server.url } });
  const address = await serviceAddress(await addressToOpen(bench));
  const { origin: issuer } = new URL(address);
  const back = (await fetch(address, { redirect: 'manual' })).headers.get('location') ?? '';
  // By now the server says that somebody else signs people in.
  named = other;
  const statusOf = async (iss: string): Promise<number> => (await fetch(`${back}&iss=${encodeURIComponent(iss)}`)).status;
  for (const iss of ['https://evil.example', new URL(server.url).origin, `${issuer}.evil.example`, `${issuer}/more`, ''])
    assert.equal(await statusOf(iss), 400, iss);
  assert.equal(await statusOf(`${issuer}/`), 200);
  await bench.announced('mcp__web__add');
  // Whoever connects anew asks it who it is; nothing is posted there.
  assert.deepEqual(
    other.headers.filter((headers) => 'content-type' in headers),
    [],
    'the other service heard of it',
  );
});

test('E15: a browser that goes away before it is answered costs neither the sign-in nor the close', { timeout: 40_000 }, async () => {
  await using oauth = await startOAuthServer();
  await using server = await startHttpServer({ oauth });
  const none = { read: async () => undefined, update: async () => undefined };
  const credentials = await McpCredentials.open({ path: 'x', files: none, log: pino({ level: 'silent' }) });
  const signedIn = Promise.withResolvers<void>();
  const socketGone = Promise.withResolvers<void>();
  const patient: typeof fetch = async (address, init) => {
    if (String(address).endsWith('/token')) await socketGone.promise;
    return fetch(address, init);
  };
  const signIn = new McpSignIn({ url: server.url, credentials, fetch: patient, pageFault: async () => undefined, onSignedIn: signedIn.resolve });
  const address = await serviceAddress(await signIn.begin({}));
  const back = new URL((await fetch(address, { redirect: 'manual' })).headers.get('location') ?? '');
  const socket = connect(Number(back.port), '127.0.0.1');
  socket.write(`GET ${back.pathname}${back.search} HTTP/1.1\r\nhost: ${back.host}\r\n\r\n`, () => socket.resetAndDestroy());
  await once(socket, 'close');
  setImmediate(socketGone.resolve);
  await signedIn.promise;
  assert.equal(signIn.count, 1);
  await signIn.close();
});

test('E29: the address of the log leads on to its own sign-in and nowhere else, and to nothing when it is over or was refused', async () => {
  await using oauth = await startOAuthServer();
  await using server = await startHttpServer({ oauth });
  await using bench = await openMcpBench({ web: { url: server.url } });
  const door = new URL(await addressToOpen(bench));
  const service = await serviceAddress(door.href);
  const ask = async (path: string): Promise<[number, string | null]> => {
    const { status, headers } = await fetch(`${door.origin}${path}`, { redirect: 'manual' });
    return [status, headers.get('location')];
  };
  const elsewhere = encodeURIComponent('https://elsewhere.example/');
  for (const query of ['url', 'next', 'redirect_uri', 'address', 'location'].map((name) => `?${name}=${elsewhere}`))
    assert.deepEqual(await ask(`${door.pathname}${query}`), [302, service]);
  const strays = ['/', '//elsewhere.example/', '/https://elsewhere.example/', `/callback?url=${elsewhere}`, `${door.pathname}/x`, '/%2F%2Felsewhere.example'];
  for (const path of strays) assert.equal((await ask(path))[1], null, path);
  await fetch(door);
  await bench.announced('mcp__web__add');
  await assert.rejects(fetch(door), 'nobody listens any more');

  const none = { read: async () => undefined, update: async () => undefined };
  const credentials = await McpCredentials.open({ path: 'x', files: none, log: pino({ level: 'silent' }) });
  const pageFault = async (): Promise<string> => 'it is bad';
  const signIn = new McpSignIn({ url: server.url, credentials, fetch, pageFault, onSignedIn: () => undefined });
  await assert.rejects(signIn.begin({}), /^Error: it is bad$/);
  await assert.rejects(fetch(oauth.registered.at(-1)?.redirect_uris[0] ?? ''), 'no listener is left');
});
