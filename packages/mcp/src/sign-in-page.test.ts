import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BAD_PAGES, resolveName, startEvilServer } from './evil-mcp-rig.ts';
import { mcpNetwork } from './mcp-network.ts';
import { openMcpBench } from './mcp-rig.ts';
import { plainSurroundings } from './plain-surroundings.ts';

const policy = { current: async () => ({ ok: true as const, policy: {} }) };
const rules = { policy, reserved: [], resolve: resolveName };

/** What is wrong with `page`, for a server at `own`; undefined for nothing. */
const faultOf = async (page: string, own = 'https://mcp.example/mcp', allow: readonly string[] = []): Promise<string | undefined> =>
  mcpNetwork(own, { ...rules, allow }).pageFault(new URL(page));

test('E29: the fault of a page says what is wrong with it, and repeats no more of it than its host', async () => {
  const table: [page: string, says: RegExp][] = [
    ['javascript:alert(1)', /^it begins with javascript:, and only https is opened$/],
    ['file:///etc/passwd', /begins with file:/],
    ['https://ada:secret@public.example/', /holds a name or a password for public\.example/],
    [`https://public.example/${'a'.repeat(9_000)}`, /^it has more than 8000 characters$/],
    ['https://public.example/?q=%E2%80%AEgro', /leads to public\.example and holds characters that cannot be seen/],
    ['https://public.example/?q=%0A', /characters that cannot be seen/],
    ['http://public.example/', /http:\/\/public\.example is not https, as the server itself is/],
    ['https://private.example/', /private\.example:443 leads to 10\.0\.0\.1, which is not a public address/],
    ['https://none.example/', /There is no host named none\.example/],
  ];
  for (const [page, says] of table) {
    const fault = await faultOf(page);
    assert.match(fault ?? '', says, page);
    assert.doesNotMatch(fault ?? '', /secret|alert|passwd/);
  }
  assert.match((await faultOf('http://public.example/', 'http://public.example/mcp')) ?? '', /plain http over the internet/);
  assert.match((await faultOf('http://private.example/', 'https://mcp.example/mcp', ['private.example'])) ?? '', /is not https/);
});

test('E29: pages in the public, of the own origin, and of hosts that are allowed are good ones', async () => {
  const long = `https://public.example/authorize?scope=${encodeURIComponent('https://public.example/auth/calendar '.repeat(60))}`;
  for (const page of ['https://public.example/authorize?a=%C3%A9%20b&x=%ff', 'https://93.184.216.34:8443/', 'https://mcp.example/authorize', long])
    assert.equal(await faultOf(page), undefined, page);
  assert.equal(await faultOf('http://private.example/', 'http://private.example/mcp'), undefined, 'its own origin, in the own network');
  assert.equal(await faultOf('https://private.example/', 'https://mcp.example/mcp', ['private.example']), undefined);
  assert.equal(await faultOf('http://localhost:9/', 'http://127.0.0.1:1/mcp'), undefined);
});

test('E29, W29: a server whose name was in the public does not turn it round to have a page of a private address opened', async () => {
  let addresses = ['93.184.216.34'];
  const { pageFault } = mcpNetwork('http://turning.example/mcp', { ...rules, resolve: async () => addresses });
  const page = new URL('http://turning.example/admin');
  assert.match((await pageFault(page)) ?? '', /plain http over the internet/);
  addresses = ['192.168.1.1'];
  assert.match((await pageFault(page)) ?? '', /turning\.example:80 leads to 192\.168\.1\.1/);
});

test('E29: a server without a policy of a machine sends nobody to a bad page, and its state says why', async () => {
  const urls = [...BAD_PAGES, 'https://192.168.1.1/', 'https://169.254.169.254/latest', 'https://[fe80::1]/', 'https://here.example/', 'http://localhost:9'];
  await using evil = await startEvilServer('sign-in page', [...urls, 'https://public.example/authorize']);
  const surroundings = async () => plainSurroundings({ reserved: [], resolve: resolveName, wayIn: () => 'ask its operator.' });
  await using bench = await openMcpBench(evil.servers, { jitter: 1, surroundings });
  const reasonOf = (name: string) => bench.host.servers.flatMap((server) => (server.name === name && 'reason' in server ? [server.reason] : []))[0];
  await new Promise<void>((resolve) => {
    const look = (): void => void (Object.keys(evil.servers).every((name) => reasonOf(name) !== undefined) && resolve());
    bench.host.watch(look);
    look();
  });
  for (const [index, url] of urls.entries())
    assert.match(reasonOf(`s${index}`) ?? '', /nobody is sent to \(.+\): ask whoever|none that works here \(authorization_endpoint: /, url);
  assert.match(reasonOf(`s${urls.length}`) ?? '', /a person at this machine opens the address/);
  assert.equal(bench.lines.filter((line) => line.includes('open this address')).length, 1);
});
