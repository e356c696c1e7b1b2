import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { listenByBoth } from '../sandbox/canary.test-kit.ts';

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
  const { port, udp } = await listenByBoth(async () => {
    server.listen({ port: 0, host: '::' });
    await once(server, 'listening');
    return server;
  });
  udp.on('message', touch);
  return {
    port,
    touched: () => touched,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      udp.close();
      server.close();
      await Promise.all([once(udp, 'close'), once(server, 'close')]);
    },
  };
}
