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

const NETWORK_FAULTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up right now',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no network to it',
  ECONNRESET: 'it ended the connection',
};

/** Why a dialled server was not reached, for a person. What Socket.IO says of it is about its own transports. */
export function dialFault(error: Error & { readonly description?: unknown; readonly context?: unknown }): string {
  if (error.message === 'timeout') return 'it does not answer';
  if (typeof error.description === 'number' && error.description >= 400) return `it answered with HTTP status ${error.description}`;
  // The last transport that is tried is polling: what went wrong beneath it is the status text of its request.
  const inner = [error.description, (error.context as { readonly statusText?: unknown } | undefined)?.statusText].find((value) => value instanceof Error);
  if (!(inner instanceof Error)) return error.message;
  const code = 'code' in inner && typeof inner.code === 'string' ? inner.code : undefined;
  if (code === undefined) return inner.message;
  return `${NETWORK_FAULTS[code] ?? inner.message} (${code})`;
}
