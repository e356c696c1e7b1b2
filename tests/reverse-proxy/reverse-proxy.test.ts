import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { after, test } from 'node:test';
import { type ConnectionOptions, connect } from 'node:tls';
import { AGENT_NAMESPACE, PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { processRig, SessionView, says, until, within } from '@tendon/testing';
import { io } from 'socket.io-client';
import { RawPeer } from '../attacks/raw-peer.ts';
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

interface Asking {
  readonly from?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** A request through the proxy, from one of this machine's own addresses. */
function ask(path: string, { from = '127.0.0.1', method = 'GET', headers = {}, body }: Asking = {}): Promise<Answer> {
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
    sent.end(body);
  });
}

function linkPath(): string {
  const link = /https:\/\/localhost:\d+(\/sign-in\?token=\S+)/.exec(server.output());
  assert.ok(link, `the printed link is not of the public address:\n${server.output()}`);
  return link[1] ?? '';
}

function logged(event: string): Record<string, unknown>[] {
  const lines = server
    .output()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.endsWith('}'));
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['event'] === event);
}

/** The address in the next of the log's lines about who came in: what a process has printed may be read after what it has answered. */
function nextAddress(namespace: string): Promise<unknown> {
  const before = addresses(namespace).length;
  return until({ what: 'the line about who came in', pollMs: 20, check: () => addresses(namespace)[before] });
}

/** The addresses in the log's lines about who came in, newest last. */
function addresses(namespace: string): unknown[] {
  return logged('auth').flatMap(({ namespace: where, address }) => (where === namespace ? [address] : []));
}

test('H6, H28: the printed link signs in through TLS, with a Secure cookie, and the log names the client', async () => {
  const address = nextAddress('http');
  const answer = await ask(linkPath(), { from: '127.0.0.2' });
  assert.equal(answer.status, 303, answer.text);
  const [cookie = ''] = answer.setCookies;
  assert.match(cookie, /; Secure/);
  assert.match(cookie, /; HttpOnly/);
  assert.match(cookie, /; SameSite=Strict/);
  assert.equal(await address, '127.0.0.2');
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
    const address = nextAddress('/agent');
    const socket = io(new URL(AGENT_NAMESPACE, nginx.url).href, {
      ...{ path: SOCKET_PATH, transports: [transport], reconnection: false, forceNew: true, ca: nginx.ca },
      auth: { protocol: PROTOCOL_VERSION, token: rig.key, client: { name: 'behind a proxy', version: '1' } },
    });
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    await within('the connection', connected);
    const answer = (await socket.emitWithAck('session:list', {})) as { ok: boolean };
    assert.equal(answer.ok, true);
    assert.equal(await address, '127.0.0.1');
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

const POLLING = `${SOCKET_PATH}?EIO=4&transport=polling`;

/** A WebSocket through the proxy, from one of this machine's own addresses. */
async function webSocket(from: string): Promise<RawPeer> {
  const socket = connect({ host: 'localhost', servername: 'localhost', port, ca: nginx.ca, localAddress: from, family: 4 } as ConnectionOptions);
  socket.on('error', () => socket.destroy());
  await once(socket, 'secureConnect');
  return within('the WebSocket', RawPeer.over(socket, `localhost:${port}`), 10_000);
}

/** What has whom refused or cut, from which address. */
const ODD_CLIENTS: Readonly<Record<string, (from: string) => Promise<unknown>>> = {
  door_refused: (from) => ask(POLLING, { from, headers: { Origin: 'https://evil.example' } }),
  handshake_flood: async (from) => {
    const peer = await webSocket(from);
    for (let isIn: string | undefined = ''; isIn !== undefined; ) isIn = await peer.join(AGENT_NAMESPACE, 'wrong');
  },
  packet_flood: async (from) => {
    const sid = /"sid":"([^"]+)"/.exec((await ask(POLLING, { from })).text)?.[1] ?? '';
    const body = Array.from({ length: 3_000 }, () => '3').join('\u001e');
    return ask(`${POLLING}&sid=${sid}`, { from, method: 'POST', body }).catch(() => undefined);
  },
  slow_consumer: async (from) => {
    const session = await longSession();
    const peer = await webSocket(from);
    await peer.join(AGENT_NAMESPACE, rig.key);
    peer.socket.pause();
    // As many as the buffers on the way hold and eight mebibytes more.
    for (let id = 0; id < 60 && logged('slow_consumer').length === 0; id += 1) {
      peer.send(`42${AGENT_NAMESPACE},${id}["session:attach",{"sessionId":"${session.id}"}]`);
      await session.socket.ask('session:list', {});
    }
  },
};

/** Of about a mebibyte. */
async function longSession(): Promise<SessionView> {
  const session = await SessionView.create(await rig.connect('writer'));
  for (let left = 4; left > 0; left -= 1) {
    rig.model.script(says('x'.repeat(250_000)));
    await session.say('more');
    await session.untilStatus('idle');
  }
  return session;
}

for (const [index, [event, misbehave]] of Object.entries(ODD_CLIENTS).entries()) {
  test(`H28: the line ${event} of a socket names the client's address and not the proxy's`, async () => {
    const from = `127.0.0.${20 + index}`;
    const before = logged(event).length;
    await misbehave(from);
    const line = await until({ what: `the line ${event}`, pollMs: 20, deadlineMs: 20_000, check: () => logged(event)[before] });
    assert.equal(line['address'], from);
  });
}
