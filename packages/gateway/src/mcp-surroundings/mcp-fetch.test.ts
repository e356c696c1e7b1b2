import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { type McpNetworkOptions, mcpNetwork } from '@tendon/mcp/network';
import { fetchFor, inHeader, privateUrls, resolveName } from '@tendon/mcp/rig';
import type { NetworkRulesOptions } from '@tendon/network';
import { openCanary } from '../sandbox/canary.test-kit.ts';

const rules = (options: Partial<McpNetworkOptions> & { entries?: string[] } = {}): McpNetworkOptions => ({
  policy: { current: async () => ({ ok: true, policy: { version: 1, rules: [], network: { allow: options.entries ?? [] } } }) },
  ...{ reserved: [], resolve: resolveName },
  ...options,
});

/** On 127.0.0.1 alone; answers `/to?WHERE` with a redirect to there. */
async function openOrigin(t: TestContext): Promise<{ port: number; seen: string[] }> {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(request.url ?? '');
    const [path, where] = (request.url ?? '').split('?');
    if (path === '/to') response.writeHead(302, { location: inHeader(decodeURIComponent(where ?? '')) }).end();
    else response.end('ORIGIN');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, seen };
}

test('W28: a redirect that is followed ends at the border, whatever it leads to', async (t) => {
  await using canary = await openCanary();
  const { port } = await openOrigin(t);
  const url = `http://mcp.example:${port}/mcp`;
  const refused: string[] = [];
  const send = fetchFor({ kind: 'http', name: 'web', url, headers: {} }, mcpNetwork(url, rules({ onRefused: (message) => refused.push(message) })).fetch);
  const others = ['file:///etc/passwd', 'data:text/plain,x', 'ftp://127.0.0.1/', 'gopher://127.0.0.1/'];
  const targets = [...privateUrls(canary.port), ...others];
  for (const target of targets)
    await assert.rejects(send(`http://mcp.example:${port}/to?${encodeURIComponent(target)}`), /nothing was sent to|is no way to a server/, target);
  assert.equal(refused.length, targets.length);
  assert.deepEqual(canary.touched, []);
  assert.equal(await (await send(`http://mcp.example:${port}/to?${encodeURIComponent('/here')}`)).text(), 'ORIGIN');
});

test('W14, W28: a name that changes what it leads to is looked up once for a connection, which goes where it was judged to lead', async (t) => {
  const origin = await openOrigin(t);
  let lookups = 0;
  const resolve: NetworkRulesOptions['resolve'] = async () => {
    lookups += 1;
    return [lookups % 2 === 1 ? '127.0.0.2' : '127.0.0.1'];
  };
  const { fetch: send } = mcpNetwork('http://mcp.example/mcp', rules({ resolve, entries: ['turning.example'] }));
  await assert.rejects(send(new URL(`http://turning.example:${origin.port}/`)), (error: Error) =>
    /ECONNREFUSED/.test(String((error.cause as NodeJS.ErrnoException).code)),
  );
  assert.deepEqual([lookups, origin.seen], [1, []]);
  assert.equal(await (await send(new URL(`http://turning.example:${origin.port}/again`))).text(), 'ORIGIN');
  assert.equal(lookups, 2);
});

test('W28: a name in the public that leads here later is refused then', async (t) => {
  const origin = await openOrigin(t);
  const abort = new AbortController();
  let addresses = ['93.184.216.34'];
  const resolve = async (): Promise<string[]> => {
    setImmediate(() => abort.abort());
    return addresses;
  };
  const { fetch: send } = mcpNetwork('http://mcp.example/mcp', rules({ resolve }));
  const target = new URL(`http://login.example:${origin.port}/`);
  await assert.rejects(send(target, { signal: abort.signal }));
  for (addresses of [['127.0.0.1'], ['93.184.216.34', '127.0.0.1'], ['169.254.169.254'], ['::ffff:127.0.0.1']])
    await assert.rejects(send(target), /"network": \{"allow": \["login\.example:\d+"\]\}/, addresses.join());
  assert.deepEqual(origin.seen, []);
});

test('W29: the own origin may lead into the network of its person, but not from the public into it', async (t) => {
  const origin = await openOrigin(t);
  const abort = new AbortController();
  let addresses = ['127.0.0.1'];
  const url = new URL(`http://wiki.corp:${origin.port}/mcp`);
  // Nobody in the public is dialled: the way there is judged, and then given up.
  const resolve = async (): Promise<string[]> => {
    if (addresses[0] !== '127.0.0.1') setImmediate(() => abort.abort());
    return addresses;
  };
  const { fetch: send } = mcpNetwork(url.href, rules({ resolve }));
  const close = { headers: { connection: 'close' } };
  assert.equal(await (await send(url, close)).text(), 'ORIGIN');
  assert.equal(await (await send(url, close)).text(), 'ORIGIN');
  addresses = ['93.184.216.34'];
  await assert.rejects(send(url, { signal: abort.signal }));
  addresses = ['127.0.0.1'];
  await assert.rejects(send(url), /wiki\.corp:\d+ leads to 127\.0\.0\.1.*"network": \{"allow": \["wiki\.corp:\d+"\]\}/);
  assert.equal(origin.seen.length, 2);
});

test('W28: doors of Tendon stay shut, also to a server on loopback', async () => {
  await using canary = await openCanary();
  const reserved = [{ host: 'localhost', port: canary.port }];
  const { fetch: send } = mcpNetwork('http://127.0.0.1:1/mcp', rules({ reserved, entries: ['127.0.0.0/8', 'localhost'] }));
  for (const host of ['localhost', '127.0.0.1', '127.9.9.9', '[::1]', '0.0.0.0'])
    await assert.rejects(send(new URL(`http://${host}:${canary.port}/`)), /door of Tendon/, host);
  assert.deepEqual(canary.touched, []);
});

test('W28: while the policy file is broken, what it would have to allow is refused', async () => {
  await using canary = await openCanary();
  const policy = { current: async () => ({ ok: false as const, message: 'It is broken.' }) };
  await assert.rejects(mcpNetwork('http://mcp.example/mcp', rules({ policy })).fetch(new URL(`http://localhost:${canary.port}/`)), /It is broken/);
  assert.deepEqual(canary.touched, []);
});
