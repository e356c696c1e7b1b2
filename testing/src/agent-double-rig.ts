import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AGENT_NAMESPACE, type Handshake, type HandshakeRefusal } from '@tendon/protocol';
import { Server } from 'socket.io';
import { wholeEnd } from './whole-end.ts';

/** A server that says to a client what the test has it say, over a real socket: for clients that trust no server. */
export interface AgentDouble extends AsyncDisposable {
  readonly url: string;
  /** To every client. */
  emit(name: string, payload: unknown): void;
}

export interface AgentDoubleBehaviour {
  /** A refusal of the handshake. */
  readonly refuse: (handshake: Handshake) => HandshakeRefusal | undefined;
  /** The acknowledgement of a request. */
  readonly answer: (name: string, payload: Record<string, unknown>, handshake: Handshake) => unknown;
  /** The answer to whatever is asked over HTTP. */
  readonly http: (method: string, path: string) => { readonly status: number; readonly body: unknown };
}

export async function startAgentDouble({ refuse, answer, http }: AgentDoubleBehaviour): Promise<AgentDouble> {
  const server = createServer((request, response) => {
    const { status, body } = http(String(request.method), String(request.url));
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });
  const io = new Server(server, { serveClient: false });
  const end = wholeEnd(server, io);
  const namespace = io.of(AGENT_NAMESPACE);
  namespace.use((socket, next) => {
    const refusal = refuse(socket.handshake.auth as Handshake);
    next(refusal ? Object.assign(new Error(refusal.message), { data: refusal }) : undefined);
  });
  namespace.on('connection', (socket) => {
    socket.onAny((name: string, payload: Record<string, unknown>, acknowledge?: (given: unknown) => void) =>
      acknowledge?.(answer(name, payload, socket.handshake.auth as Handshake)),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    emit: (name, payload) => void namespace.emit(name, payload),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await end();
    },
  };
}
