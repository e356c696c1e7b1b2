import { once } from 'node:events';
import { createServer, type Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  AGENT_NAMESPACE,
  AGENT_REQUESTS,
  type AgentRequestName,
  type Gateway,
  type Handshake,
  type HandshakeRefusal,
  type Result,
  refusal,
  success,
  validate,
} from '@tendon/protocol';
import { Server, type Socket } from 'socket.io';
import { FakeSession } from './fake-session.ts';

export interface SeenRequest {
  readonly name: string;
  readonly payload: unknown;
}

type Payload = Record<string, unknown>;

/** Of this process alone: while a server of it is away, who asks for any port or connects to somebody is given one of 127.0.0.1, and not its own. */
const HOST = `127.${64 + (process.pid >> 16)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

/**
 * The `/agent` side of a server, in memory, on a real socket.io: it keeps the protocol's promises and breaks the network's.
 * Sessions survive `stop` and `start`, as a database would.
 */
export class FakeAgentServer {
  readonly sessions = new Map<string, FakeSession>();
  readonly requests: SeenRequest[] = [];
  readonly handshakes: Handshake[] = [];
  gateways: Gateway[] = [];
  /** Decides on a handshake; undefined lets it in. */
  admit: (handshake: Handshake) => HandshakeRefusal | undefined = () => undefined;
  /** Answers in place of the server, when it returns something. */
  intercept: (name: string, payload: Payload) => Result<unknown> | undefined = () => undefined;
  /** What becomes of an acknowledgement that the server is about to give. */
  acknowledgement: (name: string, payload: Payload) => 'send' | 'lose' | Promise<void> = () => 'send';
  /** How often a packet reaches a client: 0 loses it, 2 repeats it. */
  copies: (name: string, packet: unknown) => number = () => 1;
  #http: HttpServer | undefined;
  #io: Server | undefined;
  #port = 0;

  static async started(): Promise<FakeAgentServer> {
    const server = new FakeAgentServer();
    await server.start();
    return server;
  }

  get url(): string {
    return `http://${HOST}:${this.#port}`;
  }

  get sockets(): Socket[] {
    return [...(this.#io?.of(AGENT_NAMESPACE).sockets.values() ?? [])];
  }

  /** Listens, after a `stop` on the same port as before. */
  async start(): Promise<void> {
    const http = createServer();
    const io = new Server(http, { serveClient: false, maxHttpBufferSize: 4 * 1024 * 1024 });
    const namespace = io.of(AGENT_NAMESPACE);
    namespace.use((socket, next) => {
      const handshake = socket.handshake.auth as Handshake;
      this.handshakes.push(handshake);
      const refused = this.admit(handshake);
      next(refused ? Object.assign(new Error(refused.message), { data: refused }) : undefined);
    });
    namespace.on('connection', (socket) => this.#serve(socket));
    http.listen(this.#port, HOST);
    await once(http, 'listening');
    this.#port = (http.address() as AddressInfo).port;
    this.#http = http;
    this.#io = io;
  }

  /** Closes every connection and the port, and keeps the sessions. */
  async stop(): Promise<void> {
    const io = this.#io;
    this.#io = undefined;
    this.#http?.closeAllConnections();
    await io?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Cuts every connection under the protocol, as a lost network does. */
  cut(): void {
    for (const socket of this.sockets) socket.conn.close();
  }

  session(): FakeSession {
    const session: FakeSession = new FakeSession({
      event: (event) => this.#emit(event.sessionId, 'session:event', event),
      delta: (delta) => this.#emit(delta.sessionId, 'session:delta', delta),
      summary: (summary) => this.broadcast('session:summary', { session: summary }),
    });
    this.sessions.set(session.id, session);
    return session;
  }

  /** To every client, in a room or not. */
  broadcast(name: string, payload: unknown): void {
    this.#io?.of(AGENT_NAMESPACE).emit(name, payload);
  }

  seen(name: string): SeenRequest[] {
    return this.requests.filter((request) => request.name === name);
  }

  #emit(sessionId: string, name: string, packet: unknown): void {
    for (const socket of this.sockets) {
      if (!socket.rooms.has(sessionId)) continue;
      for (let copy = this.copies(name, packet); copy > 0; copy -= 1) socket.emit(name, packet);
    }
  }

  #serve(socket: Socket): void {
    socket.onAny((name: string, payload: Payload, acknowledge?: (answer: unknown) => void) => {
      this.requests.push({ name, payload });
      const result = this.intercept(name, payload) ?? this.#answer(socket, name, payload);
      const fate = this.acknowledgement(name, payload);
      if (fate === 'lose') return;
      if (fate === 'send') acknowledge?.(result);
      else void fate.then(() => acknowledge?.(result));
    });
  }

  #answer(socket: Socket, name: string, payload: Payload): Result<unknown> {
    if (!Object.hasOwn(AGENT_REQUESTS, name)) return refusal('invalid_payload');
    const checked = validate(AGENT_REQUESTS[name as AgentRequestName].payload, payload);
    if (!checked.ok) return checked;
    if (name === 'session:list') return success({ sessions: [...this.sessions.values()].map((session) => session.session).slice(-100) });
    if (name === 'gateway:list') return success({ gateways: this.gateways });
    const session = this.sessions.get(String(payload.sessionId));
    if (!session) return refusal('not_found');
    return this.#answerFor(session, { socket, name, payload });
  }

  #answerFor(session: FakeSession, { socket, name, payload }: { socket: Socket; name: string; payload: Payload }): Result<unknown> {
    switch (name) {
      case 'session:attach':
        void socket.join(session.id);
        return success(session.attach(payload.afterSeq as number | undefined));
      case 'session:detach':
        void socket.leave(session.id);
        return success({});
      case 'session:history':
        return success(session.page(payload.before as number));
      case 'agent:execute':
        return session.execute(payload as Parameters<FakeSession['execute']>[0]);
      case 'agent:stop':
        return success({ stopped: true });
      default:
        return refusal('unavailable', `${name} is not played here`);
    }
  }
}
