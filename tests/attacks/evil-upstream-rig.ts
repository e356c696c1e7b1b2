import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AGENT_NAMESPACE, SOCKET_PATH } from '@tendon/protocol';
import { Server, type Socket } from 'socket.io';

/** A server that says on `/agent` whatever it is told to say, and writes down what it hears. */
export interface EvilUpstream extends AsyncDisposable {
  readonly url: string;
  readonly heard: { readonly name: string; readonly payload: unknown }[];
  /** What the next requests are answered with. */
  answer: unknown;
  /** Sent as soon as somebody is let in. */
  readonly welcome: { readonly name: string; readonly payload: unknown }[];
  /** Whether whoever is let in is put out again at once. */
  kicks: boolean;
  /** To everyone who is connected. */
  tell(name: string, payload: unknown): void;
}

export async function evilUpstream(): Promise<EvilUpstream> {
  const http = createServer();
  const io = new Server(http, { path: SOCKET_PATH, serveClient: false, maxHttpBufferSize: 64 * 1024 * 1024 });
  const sockets = new Set<Socket>();
  const upstream: EvilUpstream = {
    url: '',
    heard: [],
    welcome: [],
    kicks: false,
    answer: { ok: true, data: {} },
    tell: (name, payload) => {
      for (const socket of sockets) socket.emit(name, payload);
    },
    [Symbol.asyncDispose]: async () => {
      await io.close();
    },
  };
  io.of(AGENT_NAMESPACE).on('connection', (socket) => {
    sockets.add(socket);
    socket.once('disconnect', () => sockets.delete(socket));
    socket.onAny((name: string, payload: unknown, acknowledge: unknown) => {
      upstream.heard.push({ name, payload });
      if (typeof acknowledge === 'function') acknowledge(upstream.answer);
    });
    for (const { name, payload } of upstream.welcome) socket.emit(name, payload);
    if (upstream.kicks) socket.disconnect();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return Object.assign(upstream, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}
