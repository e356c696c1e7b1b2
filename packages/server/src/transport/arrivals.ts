import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Server } from 'socket.io';
import { type EngineConnection, webSocketOf } from './wire.ts';

/** The parts of Engine.IO's polling transport that are looked at. */
interface PollingTransport {
  readonly name: string;
  readonly dataReq: IncomingMessage | null;
  maxHttpBufferSize: number;
  onDataRequest(request: IncomingMessage, response: ServerResponse): void;
}

interface Body {
  readonly request: IncomingMessage;
  readonly transport: PollingTransport;
  bytes: number;
}

/** What the objects around each piece take: somebody may send a byte at a time. */
const PIECE_BYTES = 512;

/** What each polling connection is posting. */
const BODIES = new WeakMap<EngineConnection, Body>();

/** Tells of all that comes, as it comes, with what it takes in memory at most. */
export function watchArrivals(connection: EngineConnection, onBytes: (bytes: number) => void): void {
  const watchSocket = (): void => {
    webSocketOf(connection)?._socket?.on('data', ({ length }: Buffer) => onBytes(length + PIECE_BYTES));
  };
  watchSocket();
  connection.on('upgrade', watchSocket);
  const transport = pollingOf(connection);
  if (!transport) return;
  const handle = transport.onDataRequest.bind(transport);
  transport.onDataRequest = (request, response) => {
    handle(request, response);
    if (transport.dataReq !== request) return;
    const body: Body = { request, transport, bytes: 0 };
    BODIES.set(connection, body);
    // Engine.IO has asked for text.
    request.on('data', (text: string) => {
      const bytes = Buffer.byteLength(text) + PIECE_BYTES;
      body.bytes += bytes;
      onBytes(bytes);
    });
  };
}

/** What the unfinished message of a connection takes in memory. */
export function unfinishedBytes(connection: EngineConnection): number {
  const receiver = webSocketOf(connection)?._receiver;
  if (receiver) return memoryOf(receiver._buffers) + memoryOf(receiver._fragments);
  const body = BODIES.get(connection);
  return body && body.transport.dataReq === body.request ? body.bytes : 0;
}

/** Pieces are parts of what came at once, and keep all of it: a fragment of one byte may keep 64 KiB of pings. */
function memoryOf(pieces: readonly Buffer[]): number {
  let bytes = pieces.length * PIECE_BYTES;
  let last: ArrayBufferLike | undefined;
  for (const { buffer } of pieces) {
    if (buffer !== last) bytes += buffer.byteLength;
    last = buffer;
  }
  return bytes;
}

/** Above so much a message ends its WebSocket, and a body is refused, before the rest is read. */
export function limitMessages(connection: EngineConnection, bytes: number): void {
  const receiver = webSocketOf(connection)?._receiver;
  const polling = pollingOf(connection);
  if (receiver) receiver._maxPayload = bytes;
  if (polling) polling.maxHttpBufferSize = bytes;
}

interface WebSocketServerOptions {
  maxPayload: number;
}

/**
 * The same for WebSockets that are still to come: one in the middle of its upgrade belongs to no connection yet, and a frame may come with the
 * request for it. Engine.IO makes its WebSocket server with it, and again when the HTTP server begins to listen.
 */
export function limitFirstMessages(engine: Server['engine'], bytes: number): void {
  const { ws, opts } = engine as unknown as {
    readonly ws: { readonly options: WebSocketServerOptions };
    readonly opts: { wsEngine: new (options: WebSocketServerOptions) => object };
  };
  ws.options.maxPayload = bytes;
  opts.wsEngine = new Proxy(opts.wsEngine, { construct: (WebSocketServer, [options]) => new WebSocketServer({ ...options, maxPayload: bytes }) });
}

function pollingOf(connection: EngineConnection): PollingTransport | undefined {
  const transport = connection.transport as unknown as PollingTransport;
  return transport.name === 'polling' ? transport : undefined;
}
