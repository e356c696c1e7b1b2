import assert from 'node:assert/strict';
import { request } from 'node:https';
import { after, test } from 'node:test';
import { AGENT_NAMESPACE, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { processRig, within } from '@tendon/testing';
import { io } from 'socket.io-client';
import { freePort, startNginx } from './nginx.ts';

const port = await freePort();
const rig = await processRig({ env: { TENDON_PUBLIC_URL: `https://localhost:${port}`, TENDON_TRUSTED_PROXIES: '127.0.0.1' } });
const server = await rig.start('start');
const nginx = await startNginx({ port, upstream: server.port });
after(async () => {
  await nginx[Symbol.asyncDispose]();
  await rig[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly setCookies: readonly string[];
  readonly onlyHttps: string | undefined;
  readonly text: string;
}

/** A request through the proxy, from one of this machine's own addresses. */
function ask(
  path: string,
  { from = '127.0.0.1', method = 'GET', headers = {} }: { from?: string; method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: 'localhost', servername: 'localhost', port, path, method, ca: nginx.ca, localAddress: from, family: 4, agent: false, headers };
    const sent = request(options, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          setCookies: response.headers['set-cookie'] ?? [],
          onlyHttps: response.headers['strict-transport-security'],
          text: Buffer.concat(chunks).toString(),
        }),
      );
    });
    sent.on('error', reject);
    sent.end();
  });
}

function linkPath(): string {
  const link = /https:\/\/localhost:\d+(\/sign-in\?token=\S+)/.exec(server.output());
  assert.ok(link, `the printed link is not of the public address:\n${server.output()}`);
  return link[1] ?? '';
}

/** The addresses in the log's lines about who came in, newest last. */
function addresses(namespace: string): unknown[] {
  const lines = server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{'));
  const read = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return read.flatMap(({ event, namespace: where, address }) => (event === 'auth' && where === namespace ? [address] : []));
}

test('H6, H28: the printed link signs in through TLS, with a Secure cookie, and the log names the client', async () => {
  const answer = await ask(linkPath(), { from: '127.0.0.2' });
  assert.equal(answer.status, 303, answer.text);
  const [cookie = ''] = answer.setCookies;
  assert.match(cookie, /; Secure/);
  assert.match(cookie, /; HttpOnly/);
  assert.match(cookie, /; SameSite=Strict/);
  assert.equal(addresses('http').at(-1), '127.0.0.2');
  const headers = { Cookie: cookie.split(';')[0] ?? '', 'Sec-Fetch-Site': 'same-origin' };
  const me = await ask('/api/me', { headers });
  assert.equal(me.status, 200, me.text);
  const devices = JSON.parse((await ask('/api/devices', { headers })).text) as { devices: { address: string }[] };
  assert.deepEqual(
    devices.devices.map(({ address }) => address),
    ['127.0.0.2'],
  );
});

test('H1: the page is served under the public name, and under no other', async () => {
  assert.equal((await ask('/')).status, 200);
  assert.equal((await ask('/', { headers: { Host: 'evil.example' } })).status, 421);
  assert.equal((await ask('/', { headers: { Origin: 'https://evil.example' } })).status, 403);
  assert.equal((await ask('/', { headers: { Origin: `http://localhost:${port}` } })).status, 403, 'http is another origin than https');
});

test('H3: by https a browser is asked to come by https only; by plain http it is not, not even at the same server', async () => {
  for (const path of ['/', '/api/me', '/sign-in', '/nowhere', '/healthz']) {
    assert.equal((await ask(path)).onlyHttps, 'max-age=31536000', path);
    const plain = await fetch(`http://127.0.0.1:${server.port}${path}`, { redirect: 'manual' });
    assert.equal(plain.headers.get('strict-transport-security'), null, path);
  }
});

for (const transport of ['websocket', 'polling'] as const) {
  test(`T1, H28: a client comes in by ${transport} over TLS, and the log names its address`, async () => {
    const socket = io(new URL(AGENT_NAMESPACE, nginx.url).href, {
      ...{ path: SOCKET_PATH, transports: [transport], reconnection: false, forceNew: true, ca: nginx.ca },
      auth: { protocol: PROTOCOL_VERSION, token: rig.key, client: { name: 'behind a proxy', version: '1' } },
    });
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    await within('the connection', connected, 10_000);
    const answer = (await socket.emitWithAck('session:list', {})) as { ok: boolean };
    assert.equal(answer.ok, true);
    assert.equal(addresses('/agent').at(-1), '127.0.0.1');
    socket.disconnect();
  });
}

test('H12, H28: who guesses is limited by their own address, others are not, and nobody can write another one', async () => {
  const guess = (from: string, headers: Record<string, string> = {}) => ask('/sign-in?token=wrong', { from, headers });
  let last = 0;
  for (let index = 0; index < 30 && last !== 429; index += 1) last = (await guess('127.0.0.3', { 'X-Forwarded-For': `203.0.113.${index}` })).status;
  assert.equal(last, 429, 'another address in the header makes no new guesser');
  assert.equal((await guess('127.0.0.4')).status, 401);
  const direct = await fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { 'X-Forwarded-For': '127.0.0.1' } });
  assert.equal(direct.status, 401, 'what came through a proxy is not this machine');
});
