import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { startHttpServer, startOAuthServer } from '@tendon/mcp/rig';
import { calls, processRig, resultText, SessionView, says, until } from '@tendon/testing';
import { hasTool, serversWhen, writeServerMcp } from './server-mcp-rig.ts';

const rig = await processRig();
after(() => rig[Symbol.asyncDispose]());

test("E15, E23, E28: a sign-in of the server's own MCP server is named in its log alone, its tokens stand in the home for nobody else, and outlive it", async () => {
  await using oauth = await startOAuthServer();
  await using web = await startHttpServer({ oauth });
  await writeServerMcp(rig.home, { web: { url: web.url } });
  const server = await rig.start();
  const socket = await rig.connect();
  const address = await until({
    what: 'the address of the sign-in',
    check: () => /open this address[^"]*?: (http\S+?)["\s]/.exec(server.output())?.[1],
    pollMs: 20,
  });
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
  const again = await rig.start();
  await serversWhen(await rig.connect(), hasTool('server_mcp__web__add'));
  assert.equal(oauth.registered.length, 1, 'nobody had to sign in again');
  const told = `${server.output()}${again.output()}${JSON.stringify([session.socket.received, rig.model.requests])}`;
  assert.ok([...oauth.live].every((token) => kept.includes(token) && !told.includes(token)));
});
