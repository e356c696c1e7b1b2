import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AGENT_NAMESPACE, SOCKET_PATH } from '@tendon/protocol';
import { wholeEnd } from '@tendon/testing';
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
  /** Why nobody is let in. */
  refusal: { readonly code: string; readonly message: string } | undefined;
  /** How many were let in. */
  readonly letIn: number;
  /** The text of the next acknowledgements, whatever it is, instead of `answer`. */
  answerRaw: string | undefined;
  /** The text of an event, whatever it is, to everyone who is connected. */
  tellRaw(text: string): void;
  /** To everyone who is connected. */
  tell(name: string, payload: unknown): void;
}

export async function evilUpstream(): Promise<EvilUpstream> {
  const http = createServer((_request, response) => void response.writeHead(404).end());
  const io = new Server(http, { path: SOCKET_PATH, serveClient: false, maxHttpBufferSize: 64 * 1024 * 1024 });
  const end = wholeEnd(http, io);
  const sockets = new Set<Socket>();
  const upstream: EvilUpstream = {
    url: '',
    heard: [],
    welcome: [],
    kicks: false,
    refusal: undefined,
    letIn: 0,
    answerRaw: undefined,
    tellRaw: (text) => {
      for (const socket of sockets) writeRaw(socket, `2${AGENT_NAMESPACE},${text}`);
    },
    answer: { ok: true, data: {} },
    tell: (name, payload) => {
      for (const socket of sockets) socket.emit(name, payload);
    },
    [Symbol.asyncDispose]: end,
  };
  io.of(AGENT_NAMESPACE).use((_socket, next) => next(upstream.refusal && Object.assign(new Error('refused'), { data: upstream.refusal })));
  io.of(AGENT_NAMESPACE).on('connection', (socket) => {
    sockets.add(socket);
    Object.assign(upstream, { letIn: upstream.letIn + 1 });
    let asked = '';
    socket.conn.on('data', (packet: unknown) => {
      asked = /^2\/agent,(\d+)/.exec(String(packet))?.[1] ?? asked;
    });
    socket.once('disconnect', () => sockets.delete(socket));
    socket.onAny((name: string, payload: unknown, acknowledge: unknown) => {
      upstream.heard.push({ name, payload });
      if (typeof acknowledge !== 'function') return;
      if (upstream.answerRaw === undefined) acknowledge(upstream.answer);
      else writeRaw(socket, `3${AGENT_NAMESPACE},${asked}${upstream.answerRaw}`);
    });
    for (const { name, payload } of upstream.welcome) socket.emit(name, payload);
    if (upstream.kicks) socket.disconnect();
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  return Object.assign(upstream, { url: `http://127.0.0.1:${(http.address() as AddressInfo).port}` });
}

/** Past Socket.IO's own encoder. */
function writeRaw(socket: Socket, packet: string): void {
  (socket.conn as unknown as { write(packet: string): void }).write(packet);
}
