import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { PRIVATE_HOSTS } from '../network/private-hosts.test-kit.ts';
import { openBench, type ToolBench, textOf } from '../tools/tool-bench-rig.ts';
import { type Canary, openCanary } from './canary.test-kit.ts';
import { type SandboxSettings, sandboxState } from './sandbox.ts';

test('W18: this machine can make a sandbox and has what tries to leave it, or these tests say nothing', async () => {
  assert.deepEqual(await sandboxState(), { kind: 'bubblewrap' });
  const missing = ['nsenter', 'curl', 'git', 'npm', 'perl'].filter((name) => spawnSync('bash', ['-c', `command -v ${name}`]).status !== 0);
  assert.deepEqual(missing, [], 'install them (Debian: apt install util-linux curl git perl)');
});

/** Allowed by its name; it answers `/to?WHERE` with a redirect to there. */
async function openOrigin(): Promise<{ server: Server; port: number }> {
  const server = createServer((asked, answer) => {
    const [path, where] = (asked.url ?? '').split('?');
    if (path === '/to') answer.writeHead(302, { location: decodeURIComponent(where ?? '') }).end();
    else answer.end('ORIGIN');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const NAMES: Readonly<Record<string, readonly string[]>> = {
  localhost: ['127.0.0.1', '::1'],
  [hostname()]: ['127.0.0.1'],
  'open.example': ['127.0.0.1'],
  'private.example': ['10.0.0.1'],
  'here.example': ['127.0.0.1'],
  'six.example': ['::1'],
  'mapped.example': ['::ffff:127.0.0.1'],
  'metadata.example': ['169.254.169.254'],
  'mixed.example': ['93.184.216.34', '127.0.0.1'],
};

/** Past the proxy where there is a way, by TCP and UDP. */
const DIRECT = `
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
const [host = '', port] = process.argv.slice(2);
const bare = host.replace(/^\\[|\\]$/g, '');
const get = () => fetch('http://' + host + ':' + port + '/').then((answer) => answer.text(), (error) => 'fetch: ' + error.message);
const dial = () => new Promise((resolve) => {
  const socket = connect(Number(port), bare);
  socket.once('connect', () => resolve('CANARY')).once('error', (error) => resolve('dial: ' + error.message));
  socket.setTimeout(5000, () => resolve('dial: late'));
});
const send = () => new Promise((resolve) => {
  const socket = createSocket(bare.includes(':') ? 'udp6' : 'udp4');
  socket.once('error', (error) => resolve('send: ' + error.message));
  socket.send('x', Number(port), bare, (error) => resolve('send: ' + (error?.message ?? 'sent')));
});
console.log(...(await Promise.all([get(), dial(), send()])));
process.exit();
`;

/** Of this machine, besides loopback. */
const OWN_ADDRESSES = Object.values(networkInterfaces()).flatMap((addresses) =>
  (addresses ?? []).filter((own) => !own.internal && !own.address.startsWith('fe80')).map((own) => (own.family === 'IPv6' ? `[${own.address}]` : own.address)),
);

const FILTERED: SandboxSettings = { mode: 'required', network: 'filtered' };
const resolve = async (host: string): Promise<readonly string[]> => NAMES[host] ?? [];

describe('W18: nothing of the machine or its network hears of a filtered command', () => {
  let bench: ToolBench;
  let canary: Canary;
  let origin: Awaited<ReturnType<typeof openOrigin>>;

  before(async () => {
    canary = await openCanary();
    origin = await openOrigin();
    bench = await openBench(FILTERED, { resolve });
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
      const url = `'http://${host}:${canary.port}/'`;
      const text = await runUnheard(`
        curl -sS -g -m 5 --noproxy '' ${url} & curl -sS -g -m 5 --noproxy '' -p ${url} & curl -sS -g -m 5 --noproxy '*' ${url} &
        node direct.mjs '${host}' ${canary.port} &
        (exec 3<>'/dev/tcp/${host.replaceAll(/[[\]]/g, '')}/${canary.port}' && cat <&3) &
        echo x > '/dev/udp/${host.replaceAll(/[[\]]/g, '')}/${canary.port}' & wait`);
      assert.match(text, /\[network: /);
    });
  }

  const P = '$CANARY_PORT';
  const O = '$ORIGIN_PORT';
  const bare = 'env -u HTTP_PROXY -u HTTPS_PROXY -u ALL_PROXY -u http_proxy -u https_proxy -u all_proxy -u NODE_USE_ENV_PROXY';
  const door = `D=$(echo "$HTTP_PROXY" | sed 's/.*://'); B=$(echo "$HTTP_PROXY" | sed 's#http://##; s#@.*##' | tr -d '\\n' | base64 -w0)`;
  const say = (text: string) => `${door}; exec 3<>/dev/tcp/127.0.0.1/$D; printf '${text}' >&3; timeout 3 cat <&3`;
  const tries: Readonly<Record<string, string>> = {
    ...Object.fromEntries(
      ['private', 'here', 'six', 'mapped', 'metadata', 'mixed', 'none'].map((name) => [
        `a name that leads to what is private: ${name}`,
        `curl -sS -m 5 http://${name}.example:${P}/; curl -sS -m 5 -p http://${name}.example:${P}/; curl -sSk -m 5 https://${name}.example:${P}/`,
      ]),
    ),
    ...Object.fromEntries(
      ['127.0.0.1', '[::1]', 'localhost', '2130706433', '0x7f.1', '[::ffff:7f00:1]', 'here.example', '169.254.169.254', '10.0.0.1'].map((host) => [
        `a redirect to ${host}`,
        `curl -sS -g -L -m 5 --noproxy '' "http://open.example:${O}/to?http://${host}:${P}/"; curl -sS -g -L -m 5 "http://open.example:${O}/to?http://${host}:${P}/"; node -e 'fetch(process.argv[1]).then((a) => a.text()).then(console.log, console.log)' "http://open.example:${O}/to?http://${host}:${P}/"`,
      ]),
    ),
    'a redirect to another scheme': `for s in ftp gopher telnet dict file; do curl -sS -L -m 5 --proto-redir =all "http://open.example:${O}/to?$s://127.0.0.1:${P}/"; done`,
    'a WebSocket through the proxy': `for h in 127.0.0.1 [::1] here.example; do node -e 'const s = new WebSocket(process.argv[1]); s.onerror = () => console.log("no"); s.onopen = () => console.log("CANARY")' ws://$h:${P}/; done`,
    'an upgrade': `curl -sS -m 5 --noproxy '' -H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==' http://127.0.0.1:${P}/`,
    'an environment without the proxy': `${bare} curl -sS -m 5 http://127.0.0.1:${P}/; ${bare} curl -sS -m 5 http://open.example:${P}/; env -i /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/${'$0'}' ${P}`,
    'a proxy of its own choice': `curl -sS -m 5 -x http://127.0.0.1:${P} http://open.example/; curl -sS -m 5 -x socks5h://127.0.0.1:$(echo $HTTP_PROXY | sed 's/.*://') http://127.0.0.1:${P}/`,
    'a tunnel asked for by hand': say('CONNECT 127.0.0.1:%s HTTP/1.1\\r\\nHost: x\\r\\nProxy-Authorization: Basic %s\\r\\n\\r\\n').replace(
      "' >&3",
      `' ${P} "$B" >&3`,
    ),
    'no pass': say('GET http://open.example:%s/ HTTP/1.1\\r\\nHost: open.example\\r\\nConnection: close\\r\\n\\r\\n').replace("' >&3", `' ${P} >&3`),
    'a Host that is not the target': say(
      'GET http://open.example:%s/ HTTP/1.1\\r\\nHost: 127.0.0.1:%s\\r\\nProxy-Authorization: Basic %s\\r\\nConnection: close\\r\\n\\r\\n',
    ).replace("' >&3", `' ${O} ${P} "$B" >&3`),
    'a second request behind the first': say(
      'GET http://open.example:%s/ HTTP/1.1\\r\\nHost: x\\r\\nProxy-Authorization: Basic %s\\r\\n\\r\\nGET http://127.0.0.1:%s/ HTTP/1.1\\r\\nHost: x\\r\\nProxy-Authorization: Basic %s\\r\\nConnection: close\\r\\n\\r\\n',
    ).replace("' >&3", `' ${O} "$B" ${P} "$B" >&3`),
    'user information that looks like a host': `curl -sS -m 5 "http://open.example:${O}@127.0.0.1:${P}/" --noproxy ''; curl -sS -m 5 --noproxy '' "http://127.0.0.1:${P}#@open.example:${O}/"`,
    'names asked of resolvers': `node -e 'const dns = require("node:dns"); const r = new dns.promises.Resolver({ timeout: 500, tries: 1 }); r.setServers(["127.0.0.1:" + process.argv[1], "[::1]:" + process.argv[1]]); r.resolve4("canary.example").then(console.log, (e) => console.log(e.code))' ${P}; getent hosts canary.example; grep -h ^nameserver /etc/resolv.conf | while read -r _ n; do echo x > /dev/udp/$n/${P}; done`,
    'another interface': `for i in $(ls /sys/class/net); do curl -sS -m 2 --interface $i --noproxy '*' http://127.0.0.1:${P}/; done; ip link add dummy9 type dummy; ip link; ip addr add 192.0.2.9/24 dev lo; ip route add default dev lo; curl -sS -m 2 --noproxy '*' http://192.0.2.1:${P}/`,
    'raw sockets': `ping -c 1 -W 1 127.0.0.1; ping -c 1 -W 1 10.0.0.1; python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'; python3 -c 'import socket; socket.socket(socket.AF_PACKET, socket.SOCK_RAW)'`,
    'the network of another process': `for p in /proc/[0-9]*; do nsenter --net=$p/ns/net curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; done; nsenter -t 1 -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; nsenter -t $PPID -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/`,
    'a network of its own': `unshare -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; unshare -Urn curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; unshare -Ur nsenter -t 1 -n curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/`,
    'descriptors it has inherited': `for f in /proc/self/fd/*; do nsenter --net=$f curl -sS -m 2 --noproxy '*' http://127.0.0.1:${P}/; done; for f in /proc/$$/fd/*; do readlink $f; done | grep -E 'net:|user:' && echo CANARY`,
    'a socket in the file system': `curl -sS -m 5 --unix-socket $CANARY_PATH http://x/; ls -l $CANARY_PATH`,
    'an abstract socket': `curl -sS -m 5 --abstract-unix-socket $CANARY_NAME http://x/`,
    'git, npm and wget': `git ls-remote http://127.0.0.1:${P}/x.git; git -c http.proxy= ls-remote http://here.example:${P}/x.git; npm view x --registry http://here.example:${P}/ --fetch-retries 0; wget -q -T 5 -t 1 -O- http://here.example:${P}/; GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=no' timeout 5 git ls-remote ssh://127.0.0.1:${P}/x.git`,
  };
  for (const [title, command] of Object.entries(tries)) {
    test(`W18, W19: ${title}`, async () => {
      const known = { CANARY_PORT: canary.port, ORIGIN_PORT: origin.port, CANARY_PATH: canary.path, CANARY_NAME: canary.abstractName };
      const lines = Object.entries(known).map(([name, value]) => `export ${name}='${value}'`);
      await runUnheard(`${lines.join('\n')}\n${command}`);
    });
  }

  test('W16, W19: doors of Tendon stay shut to commands, whatever is allowed', async () => {
    await using open = await openBench(FILTERED, { resolve, reserved: [{ host: '127.0.0.1', port: canary.port }] });
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
