import type { Server as HttpServer } from 'node:http';
import type { Socket } from 'node:net';
import type { Server } from 'socket.io';

/** How long clients have for their last word. */
const GRACE_MS = 500;

/**
 * What ends a server that a test has made, whoever still holds a connection to it. Socket.IO's own `close` waits without end for one that has
 * not said anything yet, and half a minute for a WebSocket that does not say goodbye. Asked for before anybody can connect.
 */
export function wholeEnd(http: HttpServer, io: Server): () => Promise<void> {
  const open = new Set<Socket>();
  http.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return async () => {
    const impatience = setTimeout(() => {
      for (const socket of open) socket.destroy();
    }, GRACE_MS);
    await io.close();
    clearTimeout(impatience);
  };
}
