import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer, type Socket as NetSocket } from 'node:net';
import { after, before, mock, test } from 'node:test';
import { AGENT_NAMESPACE, PROTOCOL_VERSION, type Result, SOCKET_PATH } from '@tendon/protocol';
import { type RelayRig, relayRig } from '@tendon/testing';
import { Server, type Socket as ServerSocket } from 'socket.io';
import { io, type Socket } from 'socket.io-client';
import { LocalApprovals } from '../policy/local-approvals.ts';

/* Real sockets, and a clock that stands still until the test moves it. Once for all: a socket that ends late clears what was set for its test. */

// The types do not know of the last one.
before(() => mock.timers.enable({ apis: ['setTimeout', 'AbortSignal.timeout' as 'setTimeout'] }));
after(() => mock.timers.reset());

async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** The clock of the machine goes on. */
async function come(what: string, hasCome: () => boolean): Promise<void> {
  for (const end = performance.now() + 10_000; !hasCome(); await turns()) if (performance.now() > end) throw new Error(`${what} did not come`);
}

async function listen(server: NetServer): Promise<{ readonly url: string } & AsyncDisposable> {
  const sockets: NetSocket[] = [];
  server.on('connection', (socket: NetSocket) => sockets.push(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const openRelay = (serverUrl: string): Promise<RelayRig> => relayRig({ serverUrl, key: 'a key', approvals: new LocalApprovals('a machine') });

async function openPage(front: RelayRig): Promise<Socket> {
  const browser = await front.signIn();
  const token = await front.token(browser);
  return io(new URL(AGENT_NAMESPACE, front.relay.url).href, {
    ...{ path: SOCKET_PATH, reconnection: false, forceNew: true, transports: ['websocket'] },
    auth: { protocol: PROTOCOL_VERSION, token, client: { name: 'a page', version: '1' } },
    extraHeaders: { Cookie: browser.cookie, Origin: front.relay.url },
  });
}

/** Servers that are there and do not let a page in, with what says that the relay waits for them. */
const UNDECIDED: Readonly<Record<string, () => { server: NetServer; asked: Promise<unknown> }>> = {
  'takes the connection and does not open it': () => {
    const server = createServer((socket) => socket.resume());
    return { server, asked: once(server, 'connection') };
  },
  'opens the connection and does not let it in': () => {
    const server = createHttpServer();
    const { promise, resolve } = Promise.withResolvers<void>();
    new Server(server, { path: SOCKET_PATH, serveClient: false }).of(AGENT_NAMESPACE).use(() => resolve());
    return { server, asked: promise };
  },
};

for (const [title, make] of Object.entries(UNDECIDED)) {
  test(`L4: a server that ${title} is waited for for 15 s, and then the page is told which one does not answer`, async () => {
    const { server, asked } = make();
    await using upstream = await listen(server);
    await using front = await openRelay(upstream.url);
    const page = await openPage(front);
    const told: { code?: string; message?: string }[] = [];
    // Anything that tells the page that it is over.
    page.on('connect_error', ({ data }: Error & { data?: { code: string; message: string } }) => told.push(data ?? {}));
    page.on('disconnect', (reason) => told.push({ message: reason }));
    await asked;
    mock.timers.tick(14_999);
    await turns();
    assert.equal(told.length, 0);
    mock.timers.tick(1);
    await come('the refusal', () => told.length > 0);
    page.disconnect();
    assert.deepEqual(
      told.map(({ code }) => code),
      ['unavailable'],
    );
    assert.match(told[0]?.message ?? '', new RegExp(`^The relay on this machine cannot reach ${upstream.url}: it does not answer\\. It tries again`));
  });
}

test('L4: what the server leaves unanswered for 9.5 s is answered by the relay, a later answer goes nowhere, and the page goes on', async () => {
  const server = createHttpServer();
  const asked: { name: string; acknowledge: (answer: unknown) => void }[] = [];
  const requests = new EventTarget();
  new Server(server, { path: SOCKET_PATH, serveClient: false }).of(AGENT_NAMESPACE).on('connection', (socket: ServerSocket) => {
    socket.onAny((name, _payload, acknowledge) => {
      asked.push({ name, acknowledge });
      requests.dispatchEvent(new Event('asked'));
    });
  });
  await using upstream = await listen(server);
  await using front = await openRelay(upstream.url);
  const page = await openPage(front);
  await come('the page', () => page.connected);
  const answers: Result<unknown>[] = [];
  page.emit('model:list', {}, (answer: Result<unknown>) => answers.push(answer));
  await once(requests, 'asked');
  mock.timers.tick(9_499);
  await turns();
  assert.equal(answers.length, 0);
  mock.timers.tick(1);
  await come('the answer of the relay', () => answers.length > 0);
  const unanswered = { code: 'unavailable', message: 'The server did not answer the relay in time. Whether it has acted is not known.' };
  assert.deepEqual(answers, [{ ok: false, error: unanswered }]);
  asked[0]?.acknowledge({ ok: true, data: { models: [] } });
  const next = page.emitWithAck('agent:stop', { sessionId: '0199c0de-0000-7000-8000-000000000001' });
  await once(requests, 'asked');
  asked[1]?.acknowledge({ ok: true, data: { stopped: false } });
  assert.deepEqual(await next, { ok: true, data: { stopped: false } });
  assert.equal(answers.length, 1);
  page.disconnect();
});

test('L3: a server that does not say within 10 s who somebody is cannot be reached', async () => {
  const server = createHttpServer();
  await using upstream = await listen(server);
  await using front = await openRelay(upstream.url);
  const { cookie } = await front.signIn();
  const asked = once(server, 'request');
  const answers: Response[] = [];
  void fetch(new URL('/api/me', front.relay.url), { headers: { Cookie: cookie } }).then((answer) => answers.push(answer));
  await asked;
  mock.timers.tick(9_999);
  await turns();
  assert.equal(answers.length, 0);
  mock.timers.tick(1);
  await come('the answer of the relay', () => answers.length > 0);
  assert.deepEqual(
    [answers[0]?.status, await answers[0]?.json()],
    [503, { error: { code: 'unavailable', message: `${upstream.url} cannot be reached from this machine right now.` } }],
  );
});
