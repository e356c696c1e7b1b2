import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BAD_PAGES, type McpBench, privateUrls, resolveName, serviceAddress, startEvilServer, WAYS, type Way } from '@tendon/mcp/rig';
import type { NetworkTarget } from '@tendon/network';
import { OPEN_POLICY, type Policy } from '../policy/policy.ts';
import { openCanary } from '../sandbox/canary.test-kit.ts';
import { openMachineBench } from './machine-bench-rig.ts';

/** What each server comes to, by its name: the first line of the log that says that it does not run, or what its page says at the end of the sign-in. */
async function outcomes(bench: McpBench, servers: readonly string[], way: Way): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const all = Promise.withResolvers<void>();
  const note = (server: string, words: string): void => {
    if (!found.has(server)) found.set(server, words);
    if (found.size === servers.length) all.resolve();
  };
  bench.watch((line) => {
    const { mcpServer, reason } = JSON.parse(line) as { mcpServer?: string; reason?: string };
    if (mcpServer === undefined || reason === undefined) return;
    const address = way === 'token endpoint' ? /open this address in a browser on this machine: (\S+)/.exec(reason)?.[1] : undefined;
    if (address === undefined) note(mcpServer, reason);
    else comeBack(address).then((page) => note(mcpServer, page), all.reject);
  });
  await all.promise;
  return found;
}

/** As a browser does whose person has signed in. */
async function comeBack(address: string): Promise<string> {
  const { searchParams } = new URL(await serviceAddress(address));
  const back = new URL(searchParams.get('redirect_uri') ?? '');
  back.search = new URLSearchParams({ code: 'code', state: searchParams.get('state') ?? '' }).toString();
  return (await fetch(back)).text();
}

const allowing = (...allow: string[]): Policy => ({ ...OPEN_POLICY, network: { allow } });

interface Play {
  readonly urls: readonly string[];
  readonly allow?: readonly string[];
  readonly host?: string;
  readonly reserved?: readonly NetworkTarget[];
}

async function play(way: Way, { urls, allow = [], host, reserved = [] }: Play): Promise<string[]> {
  await using evil = await startEvilServer(way, urls, host);
  await using bench = await openMachineBench(evil.servers, { jitter: 1, resolve: resolveName, reserved, policy: () => allowing(...allow) });
  const found = await outcomes(bench, Object.keys(evil.servers), way);
  assert.equal(found.size, urls.length);
  return urls.map((_url, index) => found.get(`s${index}`) ?? '');
}

for (const way of WAYS) {
  test(`W28: no address of this machine or its network is reached by way of the ${way} of a server in the public`, async () => {
    await using canary = await openCanary();
    const urls = privateUrls(canary.port);
    assert.ok(urls.length >= 60, String(urls.length));
    const said = await play(way, { urls });
    assert.deepEqual(canary.touched, []);
    // The SDK follows no redirect to elsewhere; where it went, it would be refused as the others are.
    const words =
      way === 'redirect' ? /Redirect to \S+ not followed/ : /nothing was sent to \S+: .*(?:leads to .*"network": \{"allow": \["|There is no host named)/;
    for (const [index, text] of said.entries()) assert.match(text, words, urls[index]);
  });
}

for (const way of WAYS.filter((one) => one !== 'redirect')) {
  test(`W28: what the policy names is reached by way of the ${way}, and nothing else`, async () => {
    await using canary = await openCanary();
    const [open, shut] = [`http://here.example:${canary.port}`, `http://localhost:${canary.port}`];
    const [allowed, refused] = await play(way, { urls: [open, shut], allow: [`here.example:${canary.port}`] });
    assert.doesNotMatch(allowed ?? '', /nothing was sent to http:\/\/here/);
    assert.match(refused ?? '', /nothing was sent to http:\/\/localhost/);
    assert.ok(canary.touched.length > 0, 'the canary hears what reaches it');
  });

  test(`W28: a server on loopback reaches loopback by way of the ${way}, by its own names alone, and no other network`, async () => {
    await using canary = await openCanary();
    const strangers = privateUrls(canary.port).filter((url) => /\/\/(?:10\.|169\.254|192\.168|\[fe80|\[fd00|here\.|six\.|metadata\.|0\.0\.0\.0)/.test(url));
    assert.ok(strangers.length >= 8);
    const said = await play(way, { urls: strangers, host: '127.0.0.1' });
    assert.deepEqual(canary.touched, []);
    for (const [index, text] of said.entries()) assert.match(text, /nothing was sent to/, strangers[index]);
    const [fine] = await play(way, { urls: [`http://localhost:${canary.port}`], host: '127.0.0.1' });
    assert.doesNotMatch(fine ?? '', /nothing was sent to/);
    assert.ok(canary.touched.length > 0);
  });
}

/** How a page is refused: by what is wrong with it, or because nothing could be read of its description. */
const NOBODY_IS_SENT =
  /^it wants a sign-in (?:at an address that nobody is sent to \(.+\): ask whoever runs the server|and offers none that works here \(authorization_endpoint: .+\): get a token)/s;

test('E29: no person is sent to a page that is no page of the web, misleads, is plain http, or stands on this machine or in its network', async () => {
  const plain = ['http://192.168.1.1', 'http://localhost:9', 'http://here.example:9', 'http://metadata.example'];
  const urls = [...BAD_PAGES, ...plain, ...new Set(privateUrls(9).map((url) => url.replace(/^http:/, 'https:')))];
  assert.ok(BAD_PAGES.length >= 30);
  const said = await play('sign-in page', { urls });
  for (const [index, text] of said.entries()) assert.match(text, NOBODY_IS_SENT, urls[index]);
});

test('E29: a server on loopback sends a person to pages of loopback by its own names, and to no other network; a door of Tendon stays shut', async () => {
  const strangers = ['http://here.example:9', 'https://192.168.1.1', 'http://10.0.0.1/', 'http://169.254.169.254/', 'http://0.0.0.0:9', 'http://localhost:7'];
  const reserved = [{ host: 'localhost', port: 7 }];
  const urls = [...BAD_PAGES, ...strangers];
  const said = await play('sign-in page', { urls, reserved, host: '127.0.0.1' });
  for (const [index, text] of said.entries()) assert.match(text, NOBODY_IS_SENT, urls[index]);
  assert.match(said.at(-1) ?? '', /is a door of Tendon itself/);
});

test('E29: a person is sent to public pages over https, to those of the server itself, and to those that the policy names', async () => {
  const pages = [
    'https://public.example/authorize?audience=x#y',
    'https://93.184.216.34:8443/',
    'https://private.example/',
    'http://private.example:81/authorize',
  ];
  const allow = ['private.example'];
  for (const text of await play('sign-in page', { urls: pages, allow })) assert.match(text, /open this address in a browser on this machine: /);
  const here = ['http://localhost:9/authorize', 'http://127.0.0.1:9/', 'https://[::1]:9/', 'https://public.example/'];
  for (const text of await play('sign-in page', { urls: here, host: '127.0.0.1' })) assert.match(text, /open this address/);
});
