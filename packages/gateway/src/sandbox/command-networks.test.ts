import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findCallProcesses } from '@tendon/system';
import { until } from '@tendon/testing';
import { policySchema } from '../policy/policy.ts';
import { cancelled, openBench, type ToolBench, textOf, untilSaid } from '../tools/tool-bench-rig.ts';
import type { SandboxSettings } from './sandbox.ts';

const FILTERED: SandboxSettings = { mode: 'required', network: 'filtered' };
const resolve = async (host: string): Promise<readonly string[]> => (host === 'open.example' ? ['127.0.0.1'] : host === 'private.example' ? ['10.0.0.1'] : []);

interface Origin {
  readonly port: number;
  readonly seen: string[];
}

/** Echoes what it is sent, serves files of a folder under `/files`, plays a registry, and opens WebSockets. */
async function openOrigin(t: TestContext, folder = '/missing'): Promise<Origin> {
  const seen: string[] = [];
  const server = createServer((asked, answer) => {
    seen.push(`${asked.method} ${asked.url}`);
    const url = asked.url ?? '/';
    if (url.startsWith('/files/')) {
      const file = readFile(join(folder, url.slice('/files/'.length).replace(/\?.*/, '')));
      return void file.then(
        (bytes) => answer.end(bytes),
        () => answer.writeHead(404).end(),
      );
    }
    if (url === '/package')
      return void answer.end(JSON.stringify({ name: 'package', 'dist-tags': { latest: '9.8.7' }, versions: { '9.8.7': { version: '9.8.7' } } }));
    asked.pipe(answer);
  });
  server.on('upgrade', (asked: IncomingMessage, socket) => {
    seen.push('upgrade');
    const accept = createHash('sha1').update(`${asked.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.end(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

async function said(bench: ToolBench, command: string, sessionId?: string): Promise<string> {
  return textOf(await bench.run('bash', { command }, sessionId === undefined ? {} : { sessionId }));
}

test('W19: what is allowed arrives: from curl, Node, git and npm, in tunnels, in both directions', async (t) => {
  await using bench = await openBench(FILTERED, { resolve });
  const origin = await openOrigin(t, bench.root);
  const base = `http://open.example:${origin.port}`;
  assert.match(await said(bench, `curl -sS ${base}/early`), /leads to 127.0.0.1.*"open\.example:\d+"/);
  bench.allow.push(`open.example:${origin.port}`);
  assert.match(await said(bench, `echo body | curl -sS --data-binary @- ${base}/plain`), /^body/);
  assert.match(await said(bench, `echo tunnel | curl -sS -p --data-binary @- ${base}/tunnel`), /^tunnel/);
  assert.match(await said(bench, `head -c 3000000 /dev/zero | curl -sS --data-binary @- ${base}/large | wc -c`), /^3000000$/m);
  assert.match(await said(bench, `node -e 'fetch("${base}/node", { method: "POST", body: "fetched" }).then((a) => a.text()).then(console.log)'`), /^fetched/);
  assert.match(
    await said(bench, `node -e 'new WebSocket("ws://open.example:${origin.port}/").onopen = () => { console.log("opened"); process.exit() }'`),
    /^opened/,
  );
  const repository =
    'git init -q --bare r.git && git init -q w && cd w && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m first && git push -q ../r.git HEAD:main';
  const cloned = await said(
    bench,
    `${repository} && cd .. && git -C r.git update-server-info && git clone -q -b main ${base}/files/r.git c && git -C c log --format=%s`,
  );
  assert.match(cloned, /first/);
  assert.match(await said(bench, `npm view package version --registry ${base}`), /9\.8\.7/);
  assert.deepEqual(
    ['POST /plain', 'POST /tunnel', 'POST /large', 'POST /node', 'upgrade', 'GET /package'].filter((one) => !origin.seen.includes(one)),
    [],
  );
  assert.ok(!origin.seen.includes('GET /early'));
});

test('W18: commands of one session reach on localhost what it has left running, and nobody else does', async () => {
  await using bench = await openBench(FILTERED);
  const server = `require("node:http").createServer((asked, answer) => answer.end("HELLO")).listen(3456, () => console.log("ready"))`;
  const started = await bench.run('bash', { command: `node -e '${server}'`, background: true });
  await untilSaid(bench, String(started.meta?.process), /\nready\n/);
  for (const host of ['localhost', '127.0.0.1', '[::1]', '0.0.0.0']) assert.match(await said(bench, `curl -sSg http://${host}:3456/`), /^HELLO/, host);
  assert.match(await said(bench, `node -e 'fetch("http://localhost:3456/").then((a) => a.text()).then(console.log)'`), /^HELLO/);
  assert.doesNotMatch(await said(bench, 'curl -sS http://localhost:3456/', 'another session'), /HELLO/);
  await assert.rejects(fetch('http://localhost:3456/'));
  assert.equal(bench.networks.size, 2);
});

test('W19: each command is told of its own connections alone, each once, and of no more than a few', async () => {
  await using bench = await openBench(FILTERED, { resolve });
  const [one, other] = await Promise.all([
    said(bench, 'curl -s http://10.0.0.1/; curl -s http://10.0.0.1/; curl -s http://private.example/; true'),
    said(bench, 'curl -s http://10.0.0.2/ > file'),
  ]);
  assert.equal(one.split('[network: ')[1]?.match(/10\.0\.0\.1:80 leads to/g)?.length, 1);
  assert.match(one, /private\.example:80 leads to 10\.0\.0\.1.*"network": \{"allow": \["private\.example:80"\]\}/);
  assert.doesNotMatch(one, /10\.0\.0\.2/);
  assert.match(other, /\[network: .*10\.0\.0\.2:80 leads to/);
  const many = await said(bench, 'for i in $(seq 1 12); do curl -s http://10.0.1.$i/ > file; done');
  assert.match(many, /So it was with 7 further targets\./);
  assert.ok(many.length < 3_000);
  assert.doesNotMatch(await said(bench, 'true'), /network/);
});

test('W19: a program that dials by itself is told what the matter may be', async () => {
  await using bench = await openBench(FILTERED);
  for (const command of ["curl -sS --noproxy '*' http://93.184.216.34/", "curl -sS --noproxy '*' http://example.org/", 'exec 3<>/dev/tcp/127.0.0.1/1'])
    assert.match(await said(bench, command), /\[network: it is filtered.*HTTP_PROXY.*localhost/, command);
});

test('W19: a pass is good for the processes of its command, and ends with them', async (t) => {
  await using bench = await openBench(FILTERED, { resolve });
  const origin = await openOrigin(t);
  bench.allow.push('open.example');
  const url = `http://open.example:${origin.port}`;
  const old = /^http\S+/.exec(await said(bench, `echo $HTTP_PROXY; curl -sS ${url}/first`))?.[0];
  assert.match(await said(bench, `curl -sS -o body -w '%{http_code}' -x ${old} ${url}/second`), /^407/);
  const loop = `while :; do curl -s ${url}/loop; [ -e go ] && curl -s http://10.0.0.9/ && rm go; sleep 0.05; done`;
  const started = await bench.run('bash', { command: `echo $HTTP_PROXY; ${loop}`, background: true });
  const id = String(started.meta?.['process']);
  const kept = /http:\S+/.exec(await untilSaid(bench, id, /http:\S+\n/))?.[0];
  assert.match(await said(bench, `curl -sS -o body -w '%{http_code}' -x ${kept} ${url}/third; touch go`), /^200/);
  let words = '';
  while (!/\[network: 10\.0\.0\.9:80 leads to/.test(words)) words += textOf(await bench.run('read_process', { id, waitMs: 5_000 }));
  await bench.run('stop_process', { id });
  assert.match(await said(bench, `curl -sS -o body -w '%{http_code}' -x ${kept} ${url}/fourth`), /^407/);
  const asked = origin.seen.map((line) => line.split(' ')[1]);
  assert.deepEqual(
    ['/first', '/second', '/loop', '/third', '/fourth'].map((path) => asked.includes(path)),
    [true, false, true, true, false],
  );
});

test('W14, W19: a name that changes what it leads to is looked up once for each connection of a command', async (t) => {
  const origin = await openOrigin(t);
  let lookups = 0;
  const turning = async (): Promise<string[]> => {
    lookups += 1;
    return lookups % 2 === 1 ? ['127.0.0.2'] : ['127.0.0.1'];
  };
  await using bench = await openBench(FILTERED, { resolve: turning });
  bench.allow.push('turning.example');
  assert.match(await said(bench, `curl -sS http://turning.example:${origin.port}/`), /turning\.example:\d+ could not be reached \(ECONNREFUSED\)/);
  assert.deepEqual([lookups, origin.seen], [1, []]);
});

test('W18: a network ends when nobody has used it for a while, and is made anew', async () => {
  await using bench = await openBench(FILTERED, { idleMs: 1 });
  assert.match(await said(bench, 'echo one'), /^one/);
  await until({ what: 'the network to end', pollMs: 10, check: () => bench.networks.size === 0 });
  assert.match(await said(bench, 'echo two'), /^two/);
});

test('W18, G27: a stop ends the whole tree of a filtered command', async () => {
  await using bench = await openBench(FILTERED);
  const abort = new AbortController();
  const callId = `filtered-${process.pid}`;
  const command = 'trap "" TERM; (trap "" TERM; setsid sleep 600) & echo ready; sleep 600';
  const result = await bench.run('bash', { command }, { abort, callId, onOutput: (text) => text.includes('ready') && abort.abort(cancelled) });
  assert.equal(result.status, 'cancelled');
  assert.deepEqual(await findCallProcesses({ callId, leader: bench.spawned[0] }), []);
});

test('W19: a flood of connections is cut at the door, and the next command is served', async (t) => {
  await using bench = await openBench(FILTERED, { resolve });
  const origin = await openOrigin(t);
  bench.allow.push('open.example');
  // More than the proxy takes at once: those beyond are closed, and that is what is waited for.
  const flood = `const { connect } = require("node:net"); const port = Number(process.env.HTTP_PROXY.split(":").pop()); let cut = 0;
    const over = () => { cut += 1; if (cut === 100) { console.log("cut"); process.exit(); } };
    for (let count = 0; count < 700; count += 1) connect(port, "127.0.0.1").on("error", () => {}).on("close", over).write("CONNECT x:1 HTTP/1.1\\r\\n");`;
  assert.match(await said(bench, `cat > flood.cjs <<'END'\n${flood}\nEND\nnode flood.cjs`), /^cut/);
  assert.match(await said(bench, `curl -sS -d after http://open.example:${origin.port}/`), /^after/);
});

test('W20: where no such network can be made nothing is run, and the result says what is needed; without bubblewrap it is as the mode says', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'tendon-path-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await symlink(execFileSync('sh', ['-c', 'command -v bwrap'], { encoding: 'utf8' }).trim(), join(folder, 'bwrap'));
  await symlink('/usr/bin/true', join(folder, 'true'));
  const script = `
    const { shellStart } = await import(${JSON.stringify(join(import.meta.dirname, 'sandbox.ts'))});
    const { CommandNetworks } = await import(${JSON.stringify(join(import.meta.dirname, 'command-networks.ts'))});
    const networks = new CommandNetworks({ policy: {}, reserved: [] });
    const place = { workspace: { root: '/', forbidden: '/missing' }, folder: '/', joinNetwork: () => networks.join('s') };
    const told = [];
    for (const settings of [{ network: 'filtered' }, { mode: 'required', network: 'filtered' }])
      told.push(await shellStart('echo', place, settings).catch((error) => ({ code: error.code, message: error.message })));
    console.log(JSON.stringify({ told, size: networks.size }));
  `;
  const tell = (PATH: string) => JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { env: { PATH }, encoding: 'utf8' }));
  const { told, size } = tell(folder);
  assert.deepEqual([told[0].code, told[1].code, size], ['no_network', 'no_network', 0]);
  assert.match(told[0].message, /Nothing was run.*nsenter ENOENT.*apt install bubblewrap util-linux.*"network" under "sandbox"/);
  const bare = tell('/missing').told;
  assert.deepEqual([bare[0].isSandboxed, bare[1].code], [false, 'no_sandbox']);
});

test('W20: the policy file takes true, false and "filtered", and says so of anything else', () => {
  const parsed = (network: unknown) => policySchema.safeParse({ version: 1, rules: [], sandbox: { network } });
  for (const network of [true, false, 'filtered']) assert.equal(parsed(network).success, true);
  for (const network of ['filter', 'none', 1, null]) assert.match(parsed(network).error?.issues[0]?.message ?? '', /true, false or "filtered"/);
});
