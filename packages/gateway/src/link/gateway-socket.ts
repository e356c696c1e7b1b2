import {
  GATEWAY_NAMESPACE,
  type GatewayRequest,
  type GatewayRequestName,
  HANDSHAKE_CODES,
  type HandshakeCode,
  tryParse,
  type UNACKNOWLEDGED_REQUESTS,
} from '@tendon/protocol';
import { z } from 'zod';
import { CONNECT_TIMEOUT_MS, dial, dialFault, hangUp } from './dial.ts';

/** How a connection came to its end, or never came about. */
export type SocketEnd =
  | { readonly kind: 'lost'; readonly cause: string; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'refused'; readonly code: HandshakeCode; readonly message: string };

export interface SocketEvents {
  connected(): void;
  /** Called at most once. */
  ended(end: SocketEnd): void;
  /** `answer` must be called with the acknowledgement; it does nothing when the server asked for none. */
  command(name: string, payload: unknown, answer: (data: unknown) => void): void;
}

export interface GatewaySocket {
  /** Resolves with the raw acknowledgement. Rejects when it does not come in time or the connection ends before. */
  request<Name extends GatewayRequestName>(name: Name, payload: GatewayRequest<Name>, timeoutMs: number): Promise<unknown>;
  /** Whether what is sent now leaves at once, instead of queueing up behind a slow connection. */
  readonly isWritable: boolean;
  /** Sends what may be lost: dropped when there is no connection. */
  hint<Name extends 'tool:started' | (typeof UNACKNOWLEDGED_REQUESTS)[number]>(name: Name, payload: GatewayRequest<Name>): void;
  /** Nothing is heard of it afterwards. May be called twice. */
  close(): void;
}

export interface SocketOptions {
  readonly serverUrl: string;
  readonly token: string;
  readonly version: string;
}

export type OpenSocket = (options: SocketOptions, events: SocketEvents) => GatewaySocket;

const refusalSchema = z.object({ code: z.string(), message: z.string().max(2_000), retryAfterMs: z.number().nonnegative().optional() });

/**
 * One connection, tried once: Socket.IO's own reconnecting is off, because the supervisor alone decides about the next try.
 * The credential stands in `auth` and nowhere else. A peer that falls silent is noticed by the engine: pings come from the server, and
 * when none has come for its interval and timeout, the connection ends with `ping timeout`.
 */
export const openGatewaySocket: OpenSocket = (options, events) => {
  const client = { name: 'tendon-gateway', version: options.version };
  const socket = dial({ serverUrl: options.serverUrl, namespace: GATEWAY_NAMESPACE, token: options.token, client });
  let hasEnded = false;
  const end = (how: SocketEnd | undefined): void => {
    if (hasEnded) return;
    hasEnded = true;
    clearTimeout(deadline);
    hangUp(socket);
    if (how) events.ended(how);
  };
  // The engine's timeout ends when the transport is open; a server that then never answers the handshake is noticed here.
  const deadline = setTimeout(() => end({ kind: 'lost', cause: 'the handshake was not answered in time' }), 2 * CONNECT_TIMEOUT_MS);
  socket.on('connect', () => {
    clearTimeout(deadline);
    events.connected();
  });
  socket.on('connect_error', (error: Error & { data?: unknown }) => end(endOfConnectError(error)));
  socket.on('disconnect', (reason) => end({ kind: 'lost', cause: reason }));
  socket.onAny((name: unknown, ...args: unknown[]) => {
    const last = args.at(-1);
    const answer = typeof last === 'function' ? (data: unknown): void => void last(data) : (): void => undefined;
    events.command(String(name), typeof args[0] === 'function' ? undefined : args[0], answer);
  });
  return {
    request: (name, payload, timeoutMs) => socket.timeout(timeoutMs).emitWithAck(name, payload),
    get isWritable() {
      return socket.connected && socket.io.engine.transport.writable && socket.io.engine.writeBuffer.length === 0;
    },
    hint(name, payload) {
      if (!socket.connected) return;
      // `tool:started` alone takes an acknowledgement, and what that says is not needed.
      if (name !== 'tool:started') socket.emit(name, payload);
      else socket.emit(name, payload, () => undefined);
    },
    close: () => end(undefined),
  };
};

/** A refusal by the server carries `data`; without it the server was not reached, or its front door was shut. */
function endOfConnectError(error: Error & { data?: unknown }): SocketEnd {
  const refusal = tryParse(refusalSchema, error.data);
  if (!refusal.success) return { kind: 'lost', cause: dialFault(error) };
  const { code, message, retryAfterMs } = refusal.data;
  if (isHandshakeCode(code) && !HANDSHAKE_CODES[code].retry) return { kind: 'refused', code, message };
  return { kind: 'lost', cause: `${code}: ${message}`, retryAfterMs };
}

function isHandshakeCode(code: string): code is HandshakeCode {
  return Object.hasOwn(HANDSHAKE_CODES, code);
}
