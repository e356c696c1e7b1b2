import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { after, afterEach, beforeEach, describe, test } from 'node:test';
import { LossyProxy } from './lossy-proxy.ts';
import { emits, until, within } from './until.ts';

const server = createServer({ allowHalfOpen: false });
const accepted: Socket[] = [];
server.on('connection', (socket) => {
  accepted.push(socket);
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => socket.write(`echo:${chunk}`));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());

/** Unlike `once`, does not mind an error on the way. */
const closing = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));

describe('the lossy proxy', () => {
  let proxy: LossyProxy;
  let client: Socket;
  let heard = '';

  beforeEach(async () => {
    proxy = await LossyProxy.start({ port: (server.address() as AddressInfo).port });
    heard = '';
    accepted.length = 0;
    client = await connect();
  });
  afterEach(async () => {
    client.destroy();
    await proxy.close();
    for (const socket of accepted) socket.destroy();
  });

  async function connect(): Promise<Socket> {
    const socket = createConnection({ port: proxy.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      heard += chunk.toString();
    });
    const [made, taken] = [proxy.nextConnection(), once(server, 'connection')];
    await once(socket, 'connect');
    await within('the proxy to reach its target', made);
    await within('the target to take it', taken);
    return socket;
  }

  const hears = (text: string): Promise<true> =>
    until({ what: `the client to hear ${text}`, check: () => heard.includes(text), on: emits(client, 'data') }) as Promise<true>;

  test('passes bytes both ways', async () => {
    client.write('a');
    await hears('echo:a');
  });

  test('cuts: both ends are told, and a new connection works', async () => {
    const closed = closing(client);
    proxy.cut();
    await within('the client to be cut', closed);
    client = await connect();
    client.write('b');
    await hears('echo:b');
  });

  test('stalls one direction and loses nothing', async () => {
    proxy.stall('down');
    const arrived = once(accepted[0] ?? assert.fail('no connection'), 'data');
    client.write('c');
    await within('the target to get it', arrived);
    assert.equal(heard, '');
    proxy.resume();
    await hears('echo:c');
  });

  test('delays in order, also when the delay ends', async () => {
    proxy.delay(50);
    client.write('1');
    await within('the first to be under way', once(accepted[0] ?? assert.fail('no connection'), 'data'));
    proxy.delay(0);
    client.write('2');
    await hears('echo:1echo:2');
  });

  test('swallows without telling anyone', async () => {
    proxy.blackhole();
    client.write('lost');
    client.write('lost too');
    await until({ what: 'the proxy to have read it', pollMs: 5, check: () => proxy.connections[0]?.near.bytesRead === 'lostlost too'.length });
    proxy.resume();
    client.write('kept');
    await hears('kept');
    assert.equal(heard, 'echo:kept');
    assert.ok(!client.destroyed);
  });

  test('leaves one end open when the other is gone', async () => {
    const far = accepted[0] ?? assert.fail('no connection');
    const gone = closing(far);
    proxy.halfOpen('far');
    await within('the target to lose its end', gone);
    assert.ok(!client.destroyed && client.writable);
  });

  test('refuses, and listens again on the same port', async () => {
    const { port } = proxy;
    await proxy.refuse();
    const refused = createConnection({ port, host: '127.0.0.1' });
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNREFUSED');
    await proxy.accept();
    assert.equal(proxy.port, port);
    client = await connect();
    client.write('again');
    await hears('echo:again');
  });

  test('closes its client when the target does not answer, and closes twice', async () => {
    const lonely = await LossyProxy.start({ port: 1 });
    const socket = createConnection({ port: lonely.port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    await within('the client to be closed', closing(socket.resume()));
    await lonely.close();
    await lonely.close();
  });
});
