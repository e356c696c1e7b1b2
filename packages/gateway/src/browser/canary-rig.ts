import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** Listens on every address of this machine, by TCP and UDP on one port. */
export interface Canary extends AsyncDisposable {
  readonly port: number;
  /** How often somebody came. */
  readonly touched: () => number;
}

/** `onTouch` hears of everybody who comes. */
export async function openCanary(onTouch: () => void = () => undefined): Promise<Canary> {
  let touched = 0;
  const touch = (): void => {
    touched += 1;
    onTouch();
  };
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    touch();
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.end('HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n');
  });
  const udp = await listen(server);
  udp.on('message', touch);
  return {
    port: (server.address() as AddressInfo).port,
    touched: () => touched,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      udp.close();
      server.close();
      await Promise.all([once(udp, 'close'), once(server, 'close')]);
    },
  };
}

/** By UDP a port that is free by TCP may be taken. */
async function listen(server: Server): Promise<UdpSocket> {
  for (;;) {
    server.listen({ port: 0, host: '::' });
    await once(server, 'listening');
    const udp = createSocket('udp6').bind((server.address() as AddressInfo).port, '::');
    const isBound = await once(udp, 'listening').then(
      () => true,
      () => false,
    );
    if (isBound) return udp;
    udp.close();
    server.close();
    await once(server, 'close');
  }
}
