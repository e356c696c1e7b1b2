import assert from 'node:assert/strict';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { BAD_PAGES, startEvilServer, startHttpServer, startOAuthServer } from '@tendon/mcp/rig';
import { rotateSecretKey } from '@tendon/server/settings';
import { calls, processRig, resultText, SessionView, says, type TendonProcess, until } from '@tendon/testing';
import { hasTool, serversWhen, writeServerMcp } from './server-mcp-rig.ts';

const rig = await processRig();
after(() => rig[Symbol.asyncDispose]());

/** What a process has printed may be read after what it has said on a socket. */
function untilSaid(process: TendonProcess, words: RegExp): Promise<RegExpExecArray> {
  return until({ what: `${words} to be printed`, check: () => words.exec(process.output()) ?? undefined, pollMs: 20 });
}

test("A26, E15, E23, E28: a sign-in of the server's own MCP server is named in its log alone, its tokens stand sealed in the home, outlive it and a rotation, and a lost key asks for another sign-in", async () => {
  await using oauth = await startOAuthServer();
  await using web = await startHttpServer({ oauth });
  await writeServerMcp(rig.home, { web: { url: web.url } });
  const server = await rig.start();
  const socket = await rig.connect();
  const [, address = ''] = await untilSaid(server, /open this address[^"]*?: (http\S+?)["\s]/);
  const [waiting] = await serversWhen(socket, ([shown]) => shown?.state === 'failed');
  assert.ok(waiting?.reason !== undefined && !waiting.reason.includes(new URL(address).pathname), 'the address is for whoever reads the log');

  assert.equal((await fetch(address)).status, 200);
  await serversWhen(socket, hasTool('server_mcp__web__add'));
  const session = await SessionView.create(socket);
  rig.model.script([calls({ name: 'server_mcp__web__add', input: { a: 1, b: 2 } })], says('Three.'));
  await session.say('add');
  const asked = await session.untilCall('awaiting_approval');
  await session.decide(asked, 'approve');
  assert.equal(resultText(await session.untilCallIs(asked.id, 'succeeded')), '3');

  const path = join(rig.home, 'server', 'mcp-credentials.json');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const kept = await readFile(path, 'utf8');
  await server.end('SIGTERM');
  await rotateSecretKey(rig.home);
  const again = await rig.start();
  await serversWhen(await rig.connect(), hasTool('server_mcp__web__add'));
  assert.equal(oauth.registered.length, 1, 'nobody had to sign in again');
  const resealed = await readFile(path, 'utf8');
  const [before, after] = [kept, resealed].map((text) => /"keyId":"([0-9a-f]{16})"/.exec(text)?.[1]);
  assert.ok(before !== undefined && after !== undefined && before !== after, 'sealed with the current key');
  const told = `${kept}${resealed}${server.output()}${again.output()}${JSON.stringify([session.socket.received, rig.model.requests])}`;
  assert.ok(oauth.live.size > 0 && [...oauth.live].every((token) => !told.includes(token)));

  await again.end('SIGTERM');
  for (const name of ['secret.key', 'secret.key.previous']) await rm(join(rig.home, name));
  const late = await rig.start();
  await serversWhen(await rig.connect(), ([shown]) => shown?.state === 'failed');
  await untilSaid(late, /tokens of MCP servers do not open: the secret key that sealed them is not here/);
  await untilSaid(late, /open this address/);
  await late.end('SIGTERM');
});

test("E29, W33, W34: the server's own port stays shut to its MCP servers, and their pages are judged; what an entry allows goes through", async () => {
  await using rig = await processRig();
  const server = await rig.start();
  const socket = await rig.connect();
  const own = `http://localhost:${server.port}`;
  await using metadata = await startEvilServer('resource metadata', [own], '127.0.0.1');
  await using issuer = await startEvilServer('authorization server', [own], '127.0.0.1');
  const pages = [...BAD_PAGES, 'https://192.168.1.1/', 'http://10.0.0.1/', `${own}/sign-in`, 'https://127.0.0.2:8443/authorize', 'http://10.0.0.1/authorize'];
  await using page = await startEvilServer('sign-in page', pages, '127.0.0.1');
  const allowed = `s${pages.length - 1}`;
  const named = Object.entries(page.servers).map(([name, entry]) => [name, name === allowed ? { ...entry, networkAllow: ['10.0.0.1:80'] } : entry]);
  const networkAllow = ['localhost', '127.0.0.0/8'];
  await writeServerMcp(rig.home, {
    self: { url: `http://127.0.0.1:${server.port}/mcp`, headers: { Authorization: 'Bearer x' }, networkAllow },
    ...{ metadata: { ...metadata.servers['s0'], networkAllow }, issuer: { ...issuer.servers['s0'], networkAllow } },
    wrong: { url: 'https://mcp.example/mcp', networkAllow: ['http://10.0.0.1'] },
    ...Object.fromEntries(named),
  });
  const shown = await serversWhen(socket, (servers) => servers.length === pages.length + 4 && servers.every(({ state }) => state === 'failed'));
  const reasonOf = (name: string): string => shown.find((entry) => entry.name === name)?.reason ?? '';
  for (const name of ['self', 'issuer']) assert.match(reasonOf(name), /nothing was sent to http:\/\/\S+: \S+ is a door of Tendon itself/, name);
  // The metadata.
  await untilSaid(server, /nothing was sent to http:\/\/localhost:\d+: localhost:\d+ is a door of Tendon itself[^"]*open this address/);
  assert.match(reasonOf('wrong'), /its entry in mcp\.json is wrong/);
  for (const [index, url] of pages.slice(0, -2).entries())
    assert.match(reasonOf(`s${index}`), /nobody is sent to|none that works here \(authorization_endpoint: /, url);
  for (const index of [pages.length - 2, pages.length - 1]) assert.match(reasonOf(`s${index}`), /a person at this machine opens the address/);
});
