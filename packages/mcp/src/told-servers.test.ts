import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GATEWAY_REQUESTS, validate } from '@tendon/protocol';
import type { McpServerView } from './mcp-host.ts';
import { type McpBench, openMcpBench, serviceAddress, startHttpServer } from './mcp-rig.ts';
import { startOAuthServer } from './oauth-rig.ts';
import { toldServers } from './told-servers.ts';

const isTaken = (servers: unknown): boolean => validate(GATEWAY_REQUESTS['gateway:mcp'].payload, { mcpServers: servers }).ok;

/** What is told, as soon as it is as wanted. */
function toldWhen(bench: McpBench, look: (told: ReturnType<typeof toldServers>) => boolean): Promise<ReturnType<typeof toldServers>> {
  return new Promise((resolve) => {
    const see = (): void => {
      const told = toldServers(bench.host.servers);
      if (look(told)) resolve(told);
    };
    bench.host.watch(see);
    see();
  });
}

test('E31: what is told of servers fits a packet, whatever they are called and say; of too many the running ones are left out first', () => {
  const odd = ['', 'x'.repeat(500), `${'x'.repeat(199)}😀`, 'nul\0', '\ud800', '__proto__', '<b>bold</b>', '\u202ecod'];
  const views = odd.map(
    (name, index): McpServerView => ({ name, state: index % 2 === 0 ? 'failed' : 'sign_in', reason: `${name}${'😀'.repeat(index * 60)} end`, tools: [] }),
  );
  const told = toldServers(views);
  assert.ok(isTaken(told));
  assert.ok(told.every(({ reason = '' }) => reason.length <= 300 && reason.endsWith(' end') && reason.isWellFormed()));
  assert.deepEqual([told[0]?.name, told[1]?.name.length], ['mcp', 200]);
  const many = Array.from({ length: 120 }, (_, index): McpServerView => {
    return index < 100 ? { name: `up ${index}`, state: 'running', tools: [] } : { name: `down ${index}`, state: 'failed', reason: 'x', tools: [] };
  });
  const some = toldServers(many);
  assert.ok(isTaken(some));
  assert.deepEqual([some.length, some.filter(({ state }) => state === 'failed').length, some.at(20)?.name], [50, 20, 'up 0']);
  assert.deepEqual(
    toldServers(many.slice(0, 40)).map(({ name }) => name),
    many.slice(0, 40).map(({ name }) => name),
  );
});

test('E31: why a server of a machine fails is told without the secrets of mcp.json, and what is wrong with its entry as the log has it', async () => {
  await using bench = await openMcpBench({
    dies: { command: 'bash', args: ['-c', 'echo "no such key: $API_KEY" >&2; exit 4'], env: { API_KEY: 'canary-of-the-machine' } },
    bad: { comand: 'x' },
  });
  const told = await toldWhen(bench, (servers) => servers.every(({ state }) => state === 'failed'));
  const [dies, bad] = told;
  assert.equal(dies?.reason, 'it ended with exit code 4; it last wrote: no such key: [hidden: a secret of mcp.json]');
  assert.equal(bad?.name, 'bad');
  assert.match(bad?.reason ?? '', /mcpServers\.bad\.comand is not known: name it "command"\. Mend it: the gateway reads it again by itself\.$/);
});

test('E31, E15: a server that waits for a sign-in is told as such, with what to do and without the address, and as running after it', async () => {
  await using oauth = await startOAuthServer();
  await using server = await startHttpServer({ oauth });
  await using bench = await openMcpBench({ web: { url: server.url } });
  const told = await toldWhen(bench, ([web]) => web?.state === 'sign_in');
  assert.deepEqual(told, [{ name: 'web', state: 'sign_in', reason: 'it wants a sign-in: a person at this machine opens the address that stands in the log' }]);
  const address = /this machine: (http\S+) \(it leads on to/.exec(await bench.logged(/open this address/))?.[1] ?? '';
  await fetch(await serviceAddress(address));
  assert.deepEqual(await toldWhen(bench, ([web]) => web?.state === 'running'), [{ name: 'web', state: 'running' }]);
});
