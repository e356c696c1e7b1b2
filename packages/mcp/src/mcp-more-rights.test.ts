import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { startRawServer } from './mcp-raw-rig.ts';
import { cancelled, type McpBench, openMcpBench, serviceAddress, startHttpServer, textOf } from './mcp-rig.ts';
import { type OAuthRig, startOAuthServer } from './oauth-rig.ts';

/** The addresses that the log has asked to open, from the first on. */
function addresses(bench: McpBench): string[] {
  return bench.lines.flatMap((line) => /"msg":.*this machine: (http[^"\s]+)/.exec(line)?.[1] ?? []);
}

async function addressNumber(bench: McpBench, count: number): Promise<string> {
  await new Promise<void>((resolve) => bench.watch(() => addresses(bench).length >= count && resolve()));
  return addresses(bench)[count - 1] ?? '';
}

/** Lets everybody greet it, and wants a token for its list and, with more in it, for its tool. */
function startDemanding(oauth: OAuthRig, scopeFor: (method: string) => string | undefined) {
  const tokens: (string | undefined)[] = [];
  const server = startRawServer(({ method, request, response }) => {
    const metadata = `resource_metadata="http://${request.headers.host}/.well-known/oauth-protected-resource/mcp"`;
    if (request.url?.includes('well-known')) return response.end(JSON.stringify(oauth.metadataFor(`http://${request.headers.host}/mcp`)));
    const scope = scopeFor(method);
    if (scope === undefined) return undefined;
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    tokens.push(token);
    if (!oauth.live.has(token)) return response.writeHead(401, { 'www-authenticate': `Bearer ${metadata}, scope="read"` }).end();
    if (oauth.scopeOf.get(token)?.split(' ').includes(scope) === true) return undefined;
    return response.writeHead(403, { 'www-authenticate': `Bearer error="insufficient_scope", ${metadata}, scope="${scope}"` }).end('no');
  });
  return { server, tokens };
}

test('E18: a server that greets everybody and wants a sign-in for its list is signed in to; one for more rights keeps the tokens in use', async () => {
  await using oauth = await startOAuthServer();
  const scopes: Record<string, string> = { 'tools/list': 'read', 'tools/call': 'write' };
  const { server: starting } = startDemanding(oauth, (method) => scopes[method]);
  await using server = await starting;
  await using bench = await openMcpBench({ web: { url: server.url } });
  await fetch(await addressNumber(bench, 1));
  await bench.announced('mcp__web__go');
  const refused = await bench.run('mcp__web__go', {});
  assert.equal(refused.error?.code, 'mcp_failed');
  assert.match(refused.error?.message ?? '', /refused this, and nothing was done: it wants a sign-in for more rights: a person at this machine opens/);
  assert.doesNotMatch(JSON.stringify(refused), /https?:|state=/);
  const more = await addressNumber(bench, 2);
  assert.equal(new URL(await serviceAddress(more)).searchParams.get('scope'), 'read write', 'what it has, and what is missing');
  await bench.run('mcp__web__go', {});
  assert.equal(addresses(bench).length, 2, 'the same address is not told again');
  scopes['tools/call'] = 'read';
  assert.equal(textOf(await bench.run('mcp__web__go', {})), 'went', 'the tokens before are in use');
  scopes['tools/call'] = 'write';
  assert.equal((await fetch(more)).status, 200);
  assert.equal(textOf(await bench.run('mcp__web__go', {})), 'went');
});

test('E18: rights that somebody has signed in for are not asked for again, however often the server wants them', async () => {
  await using oauth = await startOAuthServer();
  await using server = await startDemanding({ ...oauth, scopeOf: new Map() }, (method) => (method === 'tools/call' ? 'admin' : undefined)).server;
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  await bench.run('mcp__web__go', {});
  await fetch(await addressNumber(bench, 1));
  await bench.run('mcp__web__go', {});
  await fetch(await addressNumber(bench, 2));
  for (let again = 0; again < 3; again += 1) {
    const result = await bench.run('mcp__web__go', {});
    assert.match(result.error?.message ?? '', /more rights \(admin\), although somebody has signed in for them, which is not enough: ask whoever runs/);
  }
  assert.equal(addresses(bench).length, 2);
});

test('E18: rights beyond those of a sign-in that waits make another address, for all of them', async () => {
  await using oauth = await startOAuthServer();
  let scope = 'a';
  await using server = await startDemanding(oauth, (method) => (method === 'tools/call' ? scope : undefined)).server;
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  await bench.run('mcp__web__go', {});
  await fetch(await addressNumber(bench, 1));
  await bench.run('mcp__web__go', {});
  const first = await addressNumber(bench, 2);
  const firstAt = await serviceAddress(first);
  scope = 'b';
  await bench.run('mcp__web__go', {});
  const second = await addressNumber(bench, 3);
  const secondAt = await serviceAddress(second);
  assert.deepEqual(
    [firstAt, secondAt].map((address) => new URL(address).searchParams.get('scope')?.split(' ').sort().join(' ')),
    ['a read', 'a b read'],
  );
  await assert.rejects(fetch(first), 'nobody listens for the first one any more');
  await fetch(second);
  assert.equal(textOf(await bench.run('mcp__web__go', {})), 'went');
});

test('E18: calls that are refused together make one sign-in; one that is cancelled does not wait for a service that takes its time', async () => {
  await using oauth = await startOAuthServer();
  const { server: starting } = startDemanding(oauth, (method) => (method === 'tools/call' ? 'read' : undefined));
  await using server = await starting;
  await using bench = await openMcpBench({ web: { url: server.url } });
  await bench.announced('mcp__web__go');
  const results = await Promise.all([1, 2, 3].map(() => bench.run('mcp__web__go', {})));
  assert.ok(results.every(({ error }) => /a person at this machine opens the address/.test(error?.message ?? '')));
  assert.deepEqual([oauth.registered.length, addresses(bench).length], [1, 1]);
  await fetch(await addressNumber(bench, 1));
  assert.equal(textOf(await bench.run('mcp__web__go', {})), 'went');

  const asked = Promise.withResolvers<void>();
  await using slow = await startRawServer(({ method, response, request }) => {
    if (request.url?.includes('well-known')) {
      asked.resolve();
      return 'never';
    }
    return method === 'tools/call' ? response.writeHead(401, { 'www-authenticate': 'Bearer' }).end() : undefined;
  });
  await bench.write({ slow: { url: slow.url } });
  await bench.announced('mcp__slow__go');
  const abort = new AbortController();
  const running = bench.run('mcp__slow__go', {}, { abort });
  await asked.promise;
  abort.abort(cancelled);
  assert.equal((await running).status, 'cancelled');
  assert.deepEqual(
    bench.lines.filter((line) => line.includes('has refused a request: undefined')),
    [],
  );
});

const OWN = { id: 'tendon-by-hand', secret: 'a secret' };
const oauthEntry = { clientId: OWN.id, clientSecret: OWN.secret };

test('E19: a client of mcp.json signs in and refreshes without registering; tokens of another client are not used', async () => {
  await using oauth = await startOAuthServer(OWN);
  await using server = await startHttpServer({ oauth });
  await using bench = await openMcpBench({ web: { url: server.url } });
  assert.match(await bench.logged(/offers none that works/), /or register Tendon at the service and set \\"oauth\\": \{ \\"clientId\\"/);
  await bench.write({ web: { url: server.url, oauth: oauthEntry } });
  await fetch(await addressNumber(bench, 1));
  await bench.announced('mcp__web__add');
  oauth.live.clear();
  assert.equal(textOf(await bench.run('mcp__web__add', { a: 1, b: 2 })), '3');
  assert.ok(oauth.refreshes() > 0);
  assert.equal(oauth.registered.length, 0);

  const kept = join(bench.base, 'credentials.json');
  await bench.host.close();
  await writeFile(kept, (await readFile(kept, 'utf8')).replaceAll(OWN.id, 'another'));
  await using again = await bench.reopen({ web: { url: server.url, oauth: oauthEntry } });
  assert.match(await serviceAddress(await addressNumber(again, 1)), /client_id=tendon-by-hand/);
});

test('E19: the browser comes back to the port that mcp.json names; one that is taken is named', async () => {
  await using oauth = await startOAuthServer(OWN);
  await using server = await startHttpServer({ oauth });
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const { port } = taken.address() as AddressInfo;
  await using bench = await openMcpBench({ web: { url: server.url, oauth: { ...oauthEntry, callbackPort: port } } });
  await bench.logged(new RegExp(`the port ${port}, where its sign-in comes back to, cannot be used \\(EADDRINUSE\\): end what uses it`));
  await new Promise<void>((resolve) => void taken.close(() => resolve()));
  const address = await addressNumber(bench, 1);
  assert.equal(new URL(await serviceAddress(address)).searchParams.get('redirect_uri'), `http://127.0.0.1:${port}/callback`);
  assert.equal((await fetch(address)).status, 200);
  await bench.announced('mcp__web__add');
});
