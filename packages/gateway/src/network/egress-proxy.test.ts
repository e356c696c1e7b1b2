import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { judgeTarget, type Resolve } from '@tendon/network';
import { EgressProxy, type Pass, type Refused } from './egress-proxy.ts';

async function openProxy(t: TestContext, allow: string[], resolve?: Resolve): Promise<{ proxy: EgressProxy; pass: Pass; refused: Refused[] }> {
  const policy = { current: async () => ({ ok: true as const, policy: { version: 1 as const, rules: [], network: { allow } } }) };
  const proxy = await EgressProxy.open({ judge: (target) => judgeTarget(target, { policy, reserved: [], ...(resolve && { resolve }) }) });
  t.after(() => proxy.close());
  const refused: Refused[] = [];
  return { proxy, refused, pass: proxy.admit((one) => refused.push(one)) };
}

interface Origin {
  readonly port: number;
  readonly seen: IncomingMessage[];
}

async function openOrigin(t: TestContext): Promise<Origin> {
  const seen: IncomingMessage[] = [];
  const server = createServer((asked, answer) => {
    seen.push(asked);
    answer.setHeader('Set-Cookie', ['a=1', 'b=2']);
    asked.pipe(answer.writeHead(201, 'Made'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, seen };
}

function basic({ username, password }: Pass): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

async function ask(
  proxy: EgressProxy,
  url: string,
  how: { pass?: Pass; body?: string } = {},
): Promise<{ status: number | undefined; text: string; headers: IncomingMessage['headers'] }> {
  const headers = { 'X-Kept': 'yes', Connection: 'x-dropped', 'X-Dropped': 'yes', ...(how.pass && { 'Proxy-Authorization': basic(how.pass) }) };
  const asked = request({ host: '127.0.0.1', port: proxy.port, path: url, method: how.body === undefined ? 'GET' : 'POST', headers, agent: false });
  asked.end(how.body);
  const [answer] = (await once(asked, 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  return { status: answer.statusCode, text, headers: answer.headers };
}

/** The first line that comes back for a request of a tunnel. */
async function tunnel(proxy: EgressProxy, authority: string, pass?: Pass): Promise<string> {
  const socket = connect(proxy.port, '127.0.0.1');
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${pass ? `Proxy-Authorization: ${basic(pass)}\r\n` : ''}\r\n`);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString().split('\r\n')[0] ?? '';
}

test('W14: what is allowed is handed on in both directions, without what is about one connection', async (t) => {
  const origin = await openOrigin(t);
  const { proxy, pass } = await openProxy(t, ['localhost']);
  const answer = await ask(proxy, `http://localhost:${origin.port}/a?b=c`, { pass, body: 'hello '.repeat(50_000) });
  assert.deepEqual([answer.status, answer.text.length, answer.headers['set-cookie']], [201, 300_000, ['a=1', 'b=2']]);
  const [asked] = origin.seen;
  assert.deepEqual([asked?.url, asked?.headers.host, asked?.headers['x-kept']], ['/a?b=c', `localhost:${origin.port}`, 'yes']);
  for (const name of ['x-dropped', 'proxy-authorization']) assert.equal(asked?.headers[name], undefined, name);
  assert.equal(await tunnel(proxy, `localhost:${origin.port}`, pass), 'HTTP/1.1 200 Connection Established');
});

test('W17: without the pass of a session nothing is handed on', async (t) => {
  const origin = await openOrigin(t);
  const { proxy, pass, refused } = await openProxy(t, ['localhost']);
  const url = `http://localhost:${origin.port}/`;
  for (const wrong of [undefined, { username: pass.username, password: 'guess' }, { username: '', password: '' }]) {
    assert.equal((await ask(proxy, url, wrong && { pass: wrong })).status, 407);
    assert.match(await tunnel(proxy, `localhost:${origin.port}`, wrong), /^HTTP\/1.1 407/);
  }
  proxy.dismiss(pass);
  assert.equal((await ask(proxy, url, { pass })).status, 407);
  assert.deepEqual([origin.seen.length, refused.length], [0, 0]);
});

test('W14: a name that changes what it leads to is looked up once, and that address is connected to', async (t) => {
  const canary = createTcpServer();
  let touched = 0;
  canary.on('connection', (socket) => {
    touched += 1;
    socket.destroy();
  });
  canary.listen(0, '127.0.0.1');
  await once(canary, 'listening');
  t.after(() => canary.close());
  const { port } = canary.address() as AddressInfo;
  let lookups = 0;
  // Allowed by its name; at a second look it would be the canary.
  const { proxy, pass, refused } = await openProxy(t, ['rebind.example'], async () => {
    lookups += 1;
    return lookups % 2 === 1 ? ['127.0.0.2'] : ['127.0.0.1'];
  });
  assert.equal((await ask(proxy, `http://rebind.example:${port}/`, { pass })).status, 502);
  assert.equal(lookups, 1);
  lookups = 0;
  assert.match(await tunnel(proxy, `rebind.example:${port}`, pass), /502/);
  assert.deepEqual([lookups, touched], [1, 0]);
  assert.deepEqual(
    refused.map(({ code }) => code),
    ['no_connection', 'no_connection'],
  );
});

test('W14: what is refused is told to its session and sends nothing', async (t) => {
  const origin = await openOrigin(t);
  const { proxy, pass, refused } = await openProxy(t, []);
  for (const host of ['localhost', '127.0.0.1', '[::ffff:127.0.0.1]', '2130706433']) {
    const answer = await ask(proxy, `http://${host}:${origin.port}/`, { pass });
    assert.equal(answer.status, 403, host);
    assert.match(answer.text, /network.*allow/);
    assert.match(await tunnel(proxy, `${host}:${origin.port}`, pass), /^HTTP\/1.1 403/, host);
  }
  for (const odd of ['/', 'ftp://x/', 'https://example.org/', '*']) assert.equal((await ask(proxy, odd, { pass })).status, 400, odd);
  for (const odd of ['x', 'x:0', 'x:99999', ':80']) assert.match(await tunnel(proxy, odd, pass), /^HTTP\/1.1 (?:400|403)/, odd);
  assert.equal(origin.seen.length, 0);
  assert.ok(refused.length >= 8 && refused.every(({ code }) => code === 'address_refused'));
});

/** Answers whatever it is asked with these bytes. */
async function openRawOrigin(t: TestContext, bytes: string): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

test('W14: a server that answers with a status there is not, or with another protocol, ends its own connection and not the gateway', async (t) => {
  const { proxy, pass } = await openProxy(t, ['localhost']);
  const heads = ['099 x', '000 x', '600 x', '999 x', '101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade'];
  for (const head of heads) {
    const port = await openRawOrigin(t, `HTTP/1.1 ${head}\r\nContent-Length: 0\r\n\r\n`);
    assert.equal((await ask(proxy, `http://localhost:${port}/`, { pass })).status, 502, head);
  }
  for (const bytes of ['', 'HTTP/1.1 2', 'nothing\r\n\r\n']) {
    const port = await openRawOrigin(t, bytes);
    await assert.rejects(ask(proxy, `http://localhost:${port}/`, { pass }), /hang up|ECONNRESET/, bytes);
  }
  const origin = await openOrigin(t);
  assert.equal((await ask(proxy, `http://localhost:${origin.port}/`, { pass })).status, 201);
});

test('W14: a fault in judging ends the one connection', async (t) => {
  const proxy = await EgressProxy.open({ judge: () => Promise.reject(new Error('a bug')) });
  t.after(() => proxy.close());
  const pass = proxy.admit(() => undefined);
  await assert.rejects(ask(proxy, 'http://localhost:1/', { pass }), /hang up|ECONNRESET/);
  const socket = connect(proxy.port, '127.0.0.1');
  socket.on('error', () => undefined);
  socket.write(`CONNECT localhost:1 HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${basic(pass)}\r\n\r\n`);
  await once(socket, 'close');
});

test('W17: with its pass ends what is open for it, and what was being opened', async (t) => {
  const origin = await openOrigin(t);
  const held: (() => void)[] = [];
  const proxy = await EgressProxy.open({
    judge: async ({ host }) => {
      if (host === 'held') await new Promise<void>((resolve) => held.push(resolve));
      return { ok: true, addresses: ['127.0.0.1'] };
    },
  });
  t.after(() => proxy.close());
  const [pass, other] = [proxy.admit(() => undefined), proxy.admit(() => undefined)];
  const open = async (host: string, who: Pass, port = origin.port) => {
    const socket = connect(proxy.port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: ${basic(who)}\r\n\r\n`);
    if (host !== 'held') await once(socket, 'data');
    return socket;
  };
  const [mine, late, theirs] = [await open('open', pass), await open('held', pass), await open('open', other)];
  while (held.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const ends = Promise.all([once(mine, 'close'), once(late, 'close')]);
  proxy.dismiss(pass);
  for (const go of held) go();
  await ends;
  theirs.write('GET /still HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.match(String((await once(theirs, 'data'))[0]), /^HTTP\/1\.1 201/);
  theirs.destroy();
  assert.deepEqual(
    origin.seen.map(({ url }) => url),
    ['/still'],
  );
});
