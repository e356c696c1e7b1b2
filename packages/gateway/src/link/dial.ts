import { PROTOCOL_VERSION, SOCKET_PATH } from '@tendon/protocol';
import { io, type Socket } from 'socket.io-client';

export interface Dial {
  readonly serverUrl: string;
  readonly namespace: string;
  readonly token: string;
  readonly client: { readonly name: string; readonly version: string };
}

export const CONNECT_TIMEOUT_MS = 15_000;

/** A socket of its own, tried once: whoever holds it decides about the next try. The credential stands in `auth` and nowhere else. */
export function dial({ serverUrl, namespace, token, client }: Dial): Socket {
  return io(new URL(namespace, serverUrl).href, {
    path: SOCKET_PATH,
    auth: { protocol: PROTOCOL_VERSION, token, client },
    reconnection: false,
    forceNew: true,
    multiplex: false,
    transports: ['websocket', 'polling'],
    tryAllTransports: true,
    timeout: CONNECT_TIMEOUT_MS,
  });
}

/** Ends it for good; nothing is heard of it afterwards. */
export function hangUp(socket: Socket): void {
  socket.offAny();
  socket.removeAllListeners();
  // The manager's own errors after this point have nobody to hear them, and must not be thrown for it.
  socket.io.off();
  socket.disconnect();
  socket.io.engine?.close();
}
