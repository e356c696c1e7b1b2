import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/**
 * Stands between a client in this process and the page of a relay, and does what a browser does for a page by itself: names the page's own
 * origin, and brings the cookie. What ends on one side ends on the other.
 */
export interface BrowserStandIn extends AsyncDisposable {
  /** What the client connects to. */
  readonly url: string;
  /** As it stands in a header; set anew at every sign-in. */
  cookie: string;
}

/** In front of this port of 127.0.0.1. One request a connection, as Socket.IO's client in Node makes them. */
export async function browserStandIn(port: number): Promise<BrowserStandIn> {
  const sockets = new Set<Socket>();
  const own = `127.0.0.1:${port}`;
  const standIn = { cookie: '' };
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.once('error', () => socket.destroy()).once('close', () => sockets.delete(socket) && other.destroy());
    }
    near.once('data', (head) => {
      const asBrowser = head.toString('latin1').replace(/\r\nHost: .*\r\n/i, `\r\nHost: ${own}\r\nOrigin: http://${own}\r\nCookie: ${standIn.cookie}\r\n`);
      far.write(asBrowser, 'latin1');
      near.pipe(far);
    });
    far.pipe(near);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return Object.assign(standIn, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  });
}
