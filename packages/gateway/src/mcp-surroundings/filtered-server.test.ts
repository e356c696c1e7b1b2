import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { EVERYTHING_SERVER } from '@tendon/mcp/rig';
import { PRIVATE_HOSTS } from '@tendon/testing';
import { OPEN_POLICY } from '../policy/policy.ts';
import { type Canary, openCanary } from '../sandbox/canary.test-kit.ts';
import { DIRECT, hostTry, NETWORK_TRIES, OWN_ADDRESSES, openOrigin, resolveName, withPlaces } from '../sandbox/network-tries.test-kit.ts';
import { sandboxState } from '../sandbox/sandbox.ts';
import { textOf } from '../tools/tool-bench-rig.ts';
import { openMachineBench } from './machine-bench-rig.ts';
import { openShellBench, SHELL_SERVER, type ShellBench } from './shell-bench-rig.ts';

test('W31: this machine can make a sandbox, or these tests say nothing', async () => {
  assert.deepEqual(await sandboxState(), { kind: 'bubblewrap' });
});

describe('W31: nothing of the machine or its network hears of a filtered server', () => {
  let shell: ShellBench;
  let canary: Canary;
  let origin: Awaited<ReturnType<typeof openOrigin>>;

  before(async () => {
    canary = await openCanary();
    origin = await openOrigin();
    shell = await openShellBench({ mcp: { shell: { network: 'filtered' } }, network: { allow: [`open.example:${origin.port}`] } }, { resolve: resolveName });
    await writeFile(join(shell.bench.workspace, 'direct.mjs'), DIRECT);
  });
  after(async () => {
    await shell[Symbol.asyncDispose]();
    await canary[Symbol.asyncDispose]();
    origin.server.close();
  });

  async function runUnheard(command: string): Promise<void> {
    const text = await shell.run(command);
    assert.deepEqual(canary.touched, [], text);
    assert.doesNotMatch(text, /CANARY/);
  }

  for (const host of [...PRIVATE_HOSTS, ...OWN_ADDRESSES])
    test(`W31: ${host} by proxy, by tunnel and directly, from curl, node and bash`, () => runUnheard(hostTry(host, canary.port)));

  for (const [title, command] of Object.entries(NETWORK_TRIES)) test(`W31: ${title}`, () => runUnheard(withPlaces(command, canary, origin.port)));

  test('W31: what is allowed arrives, from the server itself too, and what is not is told in the log', async () => {
    assert.match(await shell.run(`curl -sS http://open.example:${origin.port}/`), /^ORIGIN/);
    const { bench } = shell;
    assert.equal(textOf(await bench.run('mcp__shell__fetch', { url: `http://open.example:${origin.port}/` })), 'ORIGIN');
    assert.doesNotMatch(textOf(await bench.run('mcp__shell__fetch', { url: `http://private.example:${origin.port}/` })), /ORIGIN/);
    const line = await bench.logged(/private\.example:\d+ leads to/);
    assert.match(line, /a connection of the MCP server \\"shell\\" was not made: .*\\"network\\": \{\\"allow\\": \[\\"private\.example:\d+\\"\]\}/);
  });

  test('W31: the canary is heard of when the network is the whole one', async () => {
    await using open = await openShellBench({ mcp: { shell: {} } });
    await open.run(`curl -sS http://127.0.0.1:${canary.port}/; curl -sS --unix-socket ${canary.path} http://x/`);
    assert.deepEqual(canary.touched.splice(0).toSorted(), ['tcp', 'unix']);
  });
});

test('W31: servers have a network each, and one without any reaches nothing', async () => {
  await using canary = await openCanary();
  const policy = { ...OPEN_POLICY, mcp: { '*': { network: 'filtered' as const }, none: { network: false } } };
  await using bench = await openMachineBench({ one: SHELL_SERVER, two: SHELL_SERVER, none: SHELL_SERVER }, { policy: () => policy });
  const run = async (server: string, command: string): Promise<string> => {
    await bench.announced(`mcp__${server}__run`);
    return textOf(await bench.run(`mcp__${server}__run`, { command }));
  };
  const listens = 'require("node:http").createServer((_asked, answer) => answer.end("HELLO")).listen(3456, () => console.log("ready"))';
  await run('one', `node -e '${listens}' > said 2>&1 & until grep -qs ready said; do sleep 0.05; done`);
  assert.match(await run('one', 'curl -sS http://localhost:3456/'), /^HELLO/);
  assert.doesNotMatch(await run('two', 'curl -sS http://localhost:3456/'), /HELLO/);
  await run(
    'none',
    `curl -sS http://127.0.0.1:${canary.port}/; curl -sS --unix-socket ${canary.path} http://x/; curl -sS --abstract-unix-socket ${canary.abstractName} http://x/`,
  );
  assert.deepEqual(canary.touched, []);
});

test('W30, E8: server-everything runs in a filtered network', async () => {
  await using bench = await openMachineBench(
    { everything: EVERYTHING_SERVER },
    { policy: () => ({ ...OPEN_POLICY, mcp: { everything: { network: 'filtered' } } }) },
  );
  await bench.announced('mcp__everything__echo');
  assert.match(textOf(await bench.run('mcp__everything__echo', { message: 'hello' })), /hello/);
  assert.match(textOf(await bench.run('mcp__everything__get-env', {})), /"HTTPS_PROXY": "http:\/\/\w+:\w+@127\.0\.0\.1:\d+"/);
});
