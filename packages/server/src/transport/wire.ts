import type { ServerResponse } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Socket } from 'socket.io';

/** One Engine.IO connection: a WebSocket or a polling session, below any namespace. */
export type EngineConnection = Socket['conn'];

/** What a `ws` socket has read of a message that is not there as a whole: bytes of a frame, and whole frames. A test keeps that it looks so. */
interface Receiver {
  readonly _buffers: readonly Buffer[];
  readonly _fragments: readonly Buffer[];
  _maxPayload: number;
}

/** The `ws` socket inside Engine.IO's WebSocket transport. Engine.IO's types hide it, and nothing else can end a peer that does not answer. */
interface WebSocketLike {
  readonly bufferedAmount: number;
  readonly readyState: number;
  readonly isPaused: boolean;
  readonly _socket?: NetSocket | null;
  readonly _receiver?: Receiver;
  pause(): void;
  resume(): void;
  terminate(): void;
}

const WS_CLOSED = 3;

export function webSocketOf(connection: EngineConnection): WebSocketLike | undefined {
  return (connection.transport as unknown as { socket?: WebSocketLike }).socket;
}

/** The `sid` of its polls. */
export function connectionIdOf(connection: EngineConnection): string {
  return (connection as unknown as { readonly id: string }).id;
}

/** Answers of polls that are not taken yet. Engine.IO forgets each when it has written it, and answers the next poll, on whichever TCP connection. */
const ANSWERS = new WeakMap<EngineConnection, Set<ServerResponse>>();

/** Has `unsentBytes` and `takenMark` know of a polling connection's answers. */
export function watchAnswers(connection: EngineConnection): void {
  const answers = new Set<ServerResponse>();
  ANSWERS.set(connection, answers);
  connection.on('flush', () => {
    const { res } = connection.transport as unknown as { readonly res?: ServerResponse | null };
    if (!res || answers.has(res)) return;
    answers.add(res);
    res.once('close', () => answers.delete(res));
  });
}

function answersOf(connection: EngineConnection): ServerResponse[] {
  return [...(ANSWERS.get(connection) ?? [])];
}

/** Bytes handed to the WebSocket, or to the answers of polls, that the kernel has not taken yet. */
export function unsentBytes(connection: EngineConnection): number {
  return (webSocketOf(connection)?.bufferedAmount ?? 0) + answersOf(connection).reduce((sum, answer) => sum + answer.writableLength, 0);
}

/** Another text whenever the kernel has taken something of what was sent. Of a large write in the middle only libuv's own queue tells, as for Node's time limits. */
export function takenMark(connection: EngineConnection): string {
  const sockets = [webSocketOf(connection)?._socket, ...answersOf(connection).map(({ socket }) => socket)];
  return sockets.map((socket) => (socket ? `${socket.bytesWritten - socket.writableLength}:${queueOf(socket)}` : '')).join();
}

function queueOf(socket: NetSocket): number {
  return (socket as unknown as { readonly _handle?: { readonly writeQueueSize?: number } | null })._handle?.writeQueueSize ?? 0;
}

/** What is sent from now to the end of this turn of the event loop leaves in one write, instead of one for each packet. */
export function writeTogether(connection: EngineConnection): void {
  const socket = webSocketOf(connection)?._socket;
  if (!socket || socket.writableCorked > 0) return;
  socket.cork();
  process.nextTick(() => socket.uncork());
}

/** Bytes read from the peer so far; 0 for polling. */
export function inboundBytes(connection: EngineConnection): number {
  return webSocketOf(connection)?._socket?.bytesRead ?? 0;
}

/** Leaves what the peer sends unread for so long, unless that is so already. False when this connection cannot be held: it is a polling one. */
export function holdReading(connection: EngineConnection, forMs: number): boolean {
  const webSocket = webSocketOf(connection);
  if (!webSocket) return false;
  if (webSocket.isPaused) return true;
  const readOn = (): void => {
    clearTimeout(timer);
    connection.off('close', readOn);
    // At the end of the connection, too: its closing handshake has to be read.
    webSocket.resume();
  };
  const timer = setTimeout(readOn, forMs);
  timer.unref();
  connection.once('close', readOn);
  webSocket.pause();
  return true;
}

/** Ends the connection at once and frees what waits for it. `close()` alone would wait for the queue to drain. */
export function endNow(connection: EngineConnection): void {
  webSocketOf(connection)?.terminate();
  connection.close(true);
}

/** For a connection that is already closed: its WebSocket gets `graceMs` for the closing handshake, then the TCP connection goes. */
export function endSoon(connection: EngineConnection, graceMs: number): void {
  const webSocket = webSocketOf(connection);
  if (!webSocket || webSocket.readyState === WS_CLOSED) return;
  setTimeout(() => webSocket.terminate(), graceMs).unref();
}

/** A polling session that is closed between two polls waits for the next one; Engine.IO would wait half a minute, and keep the process up for it. */
export function limitPollingClose(connection: EngineConnection, graceMs: number): void {
  const transport = connection.transport as unknown as { closeTimeout?: number };
  if (transport.closeTimeout !== undefined) transport.closeTimeout = graceMs;
}
