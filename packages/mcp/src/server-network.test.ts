import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { NetworkTarget } from '@tendon/network';
import { privateUrls, resolveName, startEvilServer, WAYS, type Way } from './evil-mcp-rig.ts';
import { openMcpBench, PLACE, serviceAddress } from './mcp-rig.ts';
import { plainSurroundings } from './plain-surroundings.ts';

/** Listens on loopback and notes what it is asked for. */
async function openCanary() {
  const heard: string[] = [];
  const http = createServer((request, response) => {
    heard.push(`${request.headers.host} ${request.url}`);
    response.end('CANARY');
  }).listen(0, '127.0.0.1');
  await once(http, 'listening');
  return {
    heard,
    port: (http.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise<void>((resolve) => void http.close(() => resolve()));
    },
  };
}

interface Play {
  /** Where each server leads, and what its entry says. */
  readonly urls: readonly string[];
  readonly entry?: Record<string, unknown>;
  /** The place of one whose entry says nothing. */
  readonly without?: number;
  readonly host?: string;
  readonly place?: 'gateway' | 'server';
  readonly doors?: readonly NetworkTarget[];
}

/** What the log says of each server first, or the page at the end of its sign-in. */
async function play(way: Way, { urls, entry = {}, without, host, place = 'server', doors = [] }: Play): Promise<string[]> {
  await using evil = await startEvilServer(way, urls, host);
  const servers = Object.fromEntries(Object.entries(evil.servers).map(([name, { url }]) => [name, { url, ...(name === `s${without}` ? {} : entry) }]));
  const wayIn = (allowed: string): string => `the operator says "networkAllow": [${allowed}].`;
  const surroundings = async () => plainSurroundings({ reserved: doors, resolve: resolveName, wayIn });
  await using bench = await openMcpBench(servers, { jitter: 1, surroundings, place: { ...PLACE, name: place } });
  const said = urls.map(async (_url, index) => {
    const line = await bench.logged(new RegExp(`"mcpServer":"s${index}".*"reason":`));
    const { reason } = JSON.parse(line) as { reason: string };
    const address = way === 'token endpoint' ? /this machine: (\S+)/.exec(reason)?.[1] : undefined;
    return address === undefined ? reason : comeBack(address);
  });
  // Not before: what is in use ends with this function.
  return await Promise.all(said);
}

/** As a browser does whose person has signed in. */
async function comeBack(address: string): Promise<string> {
  const { searchParams } = new URL(await serviceAddress(address));
  const back = new URL(searchParams.get('redirect_uri') ?? '');
  back.search = new URLSearchParams({ code: 'code', state: searchParams.get('state') ?? '' }).toString();
  return (await fetch(back)).text();
}

for (const way of WAYS.filter((one) => one !== 'redirect')) {
  test(`W33: on the server, what an entry allows is reached by way of the ${way}, for that server alone and nothing else`, async () => {
    await using canary = await openCanary();
    const open = `http://here.example:${canary.port}`;
    const shut = privateUrls(canary.port).filter((url) => !url.includes('//here.example:'));
    const [none] = await play(way, { urls: [open] });
    assert.match(none ?? '', /nothing was sent to http:\/\/here\.example:\d+: .*the operator says "networkAllow": \["here\.example:\d+"\]/);
    const others = await play(way, { urls: shut, entry: { networkAllow: [`here.example:${canary.port}`, 'elsewhere.corp'] } });
    for (const [index, text] of others.entries()) assert.match(text, /nothing was sent to /, shut[index]);
    await play(way, { urls: [open], entry: { networkAllow: [`here.example:${canary.port}`] }, place: 'gateway' });
    assert.equal(canary.heard.join(), '', 'not by default, not elsewhere, and not by the mcp.json of a machine');

    const [allowed, other] = await play(way, { urls: [open, open], entry: { networkAllow: [`here.example:${canary.port}`] }, without: 1 });
    assert.doesNotMatch(allowed ?? '', /nothing was sent to/);
    assert.match(other ?? '', /nothing was sent to/);
    assert.ok(canary.heard.length > 0 && canary.heard.every((line) => line.startsWith(`here.example:${canary.port} `)), canary.heard.join());
  });

  test(`W34: the server's own door is not reached by way of the ${way}, whatever the entry allows and wherever the MCP server stands`, async () => {
    await using canary = await openCanary();
    const doors = [{ host: 'localhost', port: canary.port }];
    const urls = ['127.0.0.1', 'localhost', '127.9.9.9', '[::1]', '0.0.0.0', 'here.example', 'app.localhost'].map((host) => `http://${host}:${canary.port}`);
    const entry = { networkAllow: ['localhost', '127.0.0.0/8', '::1', '0.0.0.0', 'here.example'] };
    for (const host of ['mcp.example', '127.0.0.1'])
      for (const [index, text] of (await play(way, { urls, entry, host, doors })).entries())
        assert.match(text, /door of Tendon|no host named app/, urls[index]);
    assert.deepEqual(canary.heard, []);
  });
}

test('W33: a page to sign in at, in the own network, is told of where the entry allows it', async () => {
  const urls = ['https://private.example/authorize', 'http://private.example/authorize'];
  for (const text of await play('sign-in page', { urls })) assert.match(text, /nobody is sent to \(private\.example:\d+ leads to 10\.0\.0\.1/);
  for (const text of await play('sign-in page', { urls, entry: { networkAllow: ['private.example'] } })) assert.match(text, /open this address/);
});

test('W34: a door is shut from when it is added, also for an entry that names it itself', async () => {
  await using canary = await openCanary();
  const doors: NetworkTarget[] = [];
  const { networkFor } = plainSurroundings({ reserved: doors, resolve: resolveName });
  const urls = ['127.0.0.1', 'localhost', 'mcp.example', '[::ffff:127.0.0.1]'].map((host) => `http://${host}:${canary.port}/mcp`);
  const networks = urls.map((url) => ({ url: new URL(url), network: networkFor({ url }) }));
  doors.push({ host: 'localhost', port: canary.port });
  for (const { url, network } of networks) {
    await assert.rejects(network.fetch(url), /is a door of Tendon itself/, url.href);
    assert.match((await network.pageFault(url)) ?? '', /is a door of Tendon itself/);
  }
  assert.deepEqual(canary.heard, []);
  doors.pop();
  assert.equal(await (await networks[0]?.network.fetch(new URL(urls[0] ?? '')))?.text(), 'CANARY');
});
