import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from 'socket.io';
import WebSocket from 'ws';
import type { EngineConnection } from './wire.ts';

/** One engine connection and the bare WebSocket at its other end. For tests. */
export interface EngineRig extends AsyncDisposable {
  readonly connection: EngineConnection;
  readonly client: WebSocket;
}

export async function engineRig(options: { readonly maxHttpBufferSize?: number } = {}): Promise<EngineRig> {
  await using stack = new AsyncDisposableStack();
  const http = stack.adopt(createServer(), async (server) => void server.closeAllConnections());
  const io = stack.adopt(new Server(http, { transports: ['websocket'], ...options }), (server) => server.close());
  const connected = once(io.engine, 'connection') as Promise<[EngineConnection]>;
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const client = stack.adopt(new WebSocket(`ws://127.0.0.1:${(http.address() as AddressInfo).port}/socket.io/?EIO=4&transport=websocket`), (socket) =>
    socket.terminate(),
  );
  const [connection] = await connected;
  const kept = stack.move();
  return { connection, client, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
