import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Also by UDP on the port of a server. A port that is free by TCP may be taken by UDP: then on that of another one. */
export async function listenByBoth(listen: () => Promise<Server>): Promise<{ readonly port: number; readonly udp: UdpSocket }> {
  for (;;) {
    const server = await listen();
    const { port } = server.address() as AddressInfo;
    const udp = createSocket('udp6').bind(port, '::');
    const isBound = await once(udp, 'listening').then(
      () => true,
      () => false,
    );
    if (isBound) return { port, udp };
    udp.close();
    server.close();
    await once(server, 'close');
  }
}

/** Listens on every address of this machine, by TCP and UDP on one port, in the file system and by an abstract name. */
export interface Canary extends AsyncDisposable {
  readonly port: number;
  readonly path: string;
  readonly abstractName: string;
  /** By which way something came, once for each time. */
  readonly touched: string[];
}

export async function openCanary(): Promise<Canary> {
  const touched: string[] = [];
  const sockets = new Set<Socket>();
  const servers: Server[] = [];
  const listen = async (way: string, where: { port: number; host: string } | { path: string }): Promise<Server> => {
    const server = createServer((socket) => {
      touched.push(way);
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.end('HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nCANARY');
    });
    server.listen(where);
    await once(server, 'listening');
    servers.push(server);
    return server;
  };
  const folder = await mkdtemp(join(tmpdir(), 'tendon-canary-'));
  const path = join(folder, 'socket');
  const abstractName = `tendon-canary-${process.pid}-${Date.now()}`;
  await listen('unix', { path });
  await listen('abstract', { path: `\0${abstractName}` });
  const { port, udp } = await listenByBoth(() => listen('tcp', { port: 0, host: '::' }));
  udp.on('message', () => void touched.push('udp'));
  return {
    ...{ port, path, abstractName, touched },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      udp.close();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
