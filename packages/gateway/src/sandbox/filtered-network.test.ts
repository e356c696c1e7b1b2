import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PRIVATE_HOSTS } from '@tendon/testing';
import { openBench, type ToolBench, textOf } from '../tools/tool-bench-rig.ts';
import { type Canary, openCanary } from './canary.test-kit.ts';
import { DIRECT, hostTry, NETWORK_TRIES, OWN_ADDRESSES, openOrigin, resolveName, withPlaces } from './network-tries.test-kit.ts';
import { type SandboxSettings, sandboxState } from './sandbox.ts';

test('W18: this machine can make a sandbox and has what tries to leave it, or these tests say nothing', async () => {
  assert.deepEqual(await sandboxState(), { kind: 'bubblewrap' });
  const missing = ['nsenter', 'curl', 'git', 'npm', 'perl'].filter((name) => spawnSync('bash', ['-c', `command -v ${name}`]).status !== 0);
  assert.deepEqual(missing, [], 'install them (Debian: apt install util-linux curl git perl)');
});

const FILTERED: SandboxSettings = { mode: 'required', network: 'filtered' };

describe('W18: nothing of the machine or its network hears of a filtered command', () => {
  let bench: ToolBench;
  let canary: Canary;
  let origin: Awaited<ReturnType<typeof openOrigin>>;

  before(async () => {
    canary = await openCanary();
    origin = await openOrigin();
    bench = await openBench(FILTERED, { resolve: resolveName });
    bench.allow.push(`open.example:${origin.port}`);
    await writeFile(join(bench.root, 'direct.mjs'), DIRECT);
  });
  after(async () => {
    await bench[Symbol.asyncDispose]();
    await canary[Symbol.asyncDispose]();
    origin.server.close();
  });

  async function runUnheard(command: string): Promise<string> {
    const result = await bench.run('bash', { command, timeoutMs: 60_000 });
    const text = textOf(result);
    assert.equal(result.meta?.sandboxed, true);
    assert.deepEqual(canary.touched, [], text);
    assert.doesNotMatch(text, /CANARY/);
    return text;
  }

  for (const host of [...PRIVATE_HOSTS, ...OWN_ADDRESSES]) {
    test(`W18: ${host} by proxy, by tunnel and directly, from curl, node and bash`, async () => {
      const text = await runUnheard(hostTry(host, canary.port));
      assert.match(text, /\[network: /);
    });
  }

  for (const [title, command] of Object.entries(NETWORK_TRIES)) {
    test(`W18, W19: ${title}`, async () => {
      await runUnheard(withPlaces(command, canary, origin.port));
    });
  }

  test('W16, W19: doors of Tendon stay shut to commands, whatever is allowed', async () => {
    await using open = await openBench(FILTERED, { resolve: resolveName, reserved: [{ host: '127.0.0.1', port: canary.port }] });
    open.allow.push('localhost', '127.0.0.0/8', '::1', '0.0.0.0', 'here.example', ...OWN_ADDRESSES.map((own) => own.replaceAll(/[[\]]/g, '')));
    for (const host of ['127.0.0.1', 'localhost', '127.7.7.7', '0', '[::1]', 'here.example', ...OWN_ADDRESSES]) {
      const url = `http://${host}:${canary.port}/`;
      const result = await open.run('bash', { command: `curl -sS -g -m 5 --noproxy '' ${url}; curl -sS -g -m 5 --noproxy '' -p ${url}` });
      assert.match(textOf(result), /door of Tendon/, host);
    }
    assert.deepEqual(canary.touched, []);
  });

  test('W18: the canary is heard of when the network is the whole one, by each of its ways', async () => {
    await using open = await openBench({ mode: 'required' });
    const { port, path, abstractName } = canary;
    await open.run('bash', {
      command: `curl -sS http://127.0.0.1:${port}/; echo x > /dev/udp/127.0.0.1/${port}; curl -sS --unix-socket ${path} http://x/; curl -sS --abstract-unix-socket ${abstractName} http://x/`,
    });
    assert.deepEqual(canary.touched.splice(0).toSorted(), ['abstract', 'tcp', 'udp', 'unix']);
  });
});

test('W18: with no network at all, sockets of the machine are not there either', async () => {
  await using canary = await openCanary();
  await using bench = await openBench({ mode: 'required', network: false });
  await bench.run('bash', { command: `curl -sS --unix-socket ${canary.path} http://x/; curl -sS --abstract-unix-socket ${canary.abstractName} http://x/` });
  assert.deepEqual(canary.touched, []);
});

test('W18: without the whole network only sockets of the internet, local ones and netlink can be made, and io_uring is not there', async () => {
  const families = [1, 2, 10, 16, 17, 38, 40];
  const perl = 'for (@ARGV) { $n = socket(S, $_, $_ == 16 ? 3 : 1, 0) ? "made" : $!; print "$_: $n\\n" } $! = 0; syscall(425, 0, 0); print "io_uring: $!\\n"';
  const command = `perl -e '${perl}' ${families.join(' ')}; ls -l /proc/self/fd`;
  for (const network of ['filtered', false] as const) {
    await using bench = await openBench({ mode: 'required', network });
    const text = textOf(await bench.run('bash', { command }));
    for (const family of families) assert.match(text, new RegExp(`^${family}: ${family > 16 ? 'Address family not supported by protocol' : 'made'}$`, 'm'));
    assert.match(text, /^io_uring: Function not implemented$/m);
    assert.doesNotMatch(text, / (?:9|63) -> /);
  }
  await using open = await openBench({ mode: 'required' });
  assert.match(textOf(await open.run('bash', { command })), /^17: Operation not permitted$/m);
});
