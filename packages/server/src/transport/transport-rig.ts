import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect as connectTcp, type Socket as NetSocket } from 'node:net';
import { Writable } from 'node:stream';
import { AGENT_REQUESTS, type AgentRequestName, GATEWAY_REQUESTS, type GatewayRequestName, type Result, success } from '@tendon/protocol';
import { pino } from 'pino';
import { type Socket as ClientSocket, io, type ManagerOptions, type SocketOptions } from 'socket.io-client';
import WebSocket from 'ws';
import { Refusals } from '../refusals.ts';
import type { AgentConnection, AgentHandlers, GatewayConnection, GatewayDesk, GatewayHandlers } from '../runner/ports.ts';
import type { TransportLimits } from './limits.ts';
import type { DoorVerdict, Entrance, SignInAttempt, SignInResult, UnderWay } from './options.ts';
import { createTransport, type Transport } from './transport.ts';

export const SESSION = '01890a5d-ac96-774b-bcce-b302099a8057';
export const OTHER_SESSION = '01890a5d-ac96-774b-bcce-b302099a8058';
export const CALL = '01890a5d-ac96-774b-bcce-b302099a8059';

type Handler<Connection> = (connection: Connection, payload: never) => Promise<Result<unknown>>;

export interface RigOptions {
  readonly limits?: Partial<TransportLimits>;
  readonly now?: () => number;
  readonly door?: () => DoorVerdict;
  readonly addressOf?: (request: IncomingMessage) => string;
  readonly entrance?: Entrance;
  readonly underWay?: UnderWay;
  readonly authenticate?: (attempt: SignInAttempt) => Promise<SignInResult>;
  readonly agent?: Partial<Record<AgentRequestName, Handler<AgentConnection>>>;
  readonly gateway?: Partial<Record<GatewayRequestName, Handler<GatewayConnection>>>;
  readonly isServed?: boolean;
}

/** A transport on a real port with recording handlers in place of the runner, and the ends of every client it made. */
export class TransportRig {
  readonly http: HttpServer;
  readonly transport: Transport;
  readonly refusals = new Refusals();
  readonly logLines: Record<string, unknown>[] = [];
  readonly calls: { name: string; payload: unknown; connection: AgentConnection | GatewayConnection }[] = [];
  readonly attempts: SignInAttempt[] = [];
  readonly gone: GatewayConnection[] = [];
  isDraining = false;
  readonly #options: RigOptions;
  readonly #ends: (() => void)[] = [];

  private constructor(options: RigOptions) {
    this.#options = options;
    this.http = createServer((_request, response) => response.writeHead(404).end());
    const lines = new Writable({ write: (chunk, _encoding, done) => done(void this.logLines.push(JSON.parse(String(chunk)))) });
    this.transport = createTransport({
      httpServer: this.http,
      checkDoor: () => options.door?.() ?? { ok: true },
      entrance: options.entrance,
      underWay: options.underWay,
      addressOf: (request) => options.addressOf?.(request) ?? request.socket.remoteAddress ?? '',
      authenticate: (attempt) => this.#authenticate(attempt),
      isDraining: () => this.isDraining,
      refusals: this.refusals,
      log: pino({ level: 'debug' }, lines),
      ...(options.limits && { limits: options.limits }),
      ...(options.now && { now: options.now }),
    });
  }

  static async start(options: RigOptions = {}): Promise<TransportRig> {
    const rig = new TransportRig(options);
    rig.http.listen(0, '127.0.0.1');
    await once(rig.http, 'listening');
    if (options.isServed !== false) rig.serve();
    return rig;
  }

  serve(): void {
    this.transport.serve({ agent: this.#agentHandlers(), gateways: this.#gatewayDesk() });
  }

  get port(): number {
    return (this.http.address() as AddressInfo).port;
  }

  /** Not yet connected: the caller listens first. The token's text is the user's name. */
  client(namespace: '/agent' | '/gateway' | '/', token: string | undefined, options: Partial<ManagerOptions & SocketOptions> = {}): ClientSocket {
    const auth = { protocol: 1, client: { name: 'test client', version: '1.0.0' }, ...(token !== undefined && { token }) };
    const socket = io(`http://127.0.0.1:${this.port}${namespace}`, {
      auth,
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      transports: ['websocket'],
      ...options,
    });
    this.#ends.push(() => socket.disconnect());
    return socket;
  }

  async connected(namespace: '/agent' | '/gateway', token: string, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<ClientSocket> {
    const socket = this.client(namespace, token, options);
    const outcome = Promise.race([
      new Promise<void>((resolve) => socket.once('connect', resolve)),
      new Promise<never>((_resolve, reject) => socket.once('connect_error', reject)),
    ]);
    socket.connect();
    await outcome;
    return socket;
  }

  /** A bare WebSocket that has read the engine's greeting. */
  async webSocket(headers: Record<string, string> = {}): Promise<WebSocket> {
    const socket = new WebSocket(`ws://127.0.0.1:${this.port}/socket.io/?EIO=4&transport=websocket`, { headers });
    socket.on('error', () => {});
    this.#ends.push(() => socket.terminate());
    await once(socket, 'message');
    return socket;
  }

  /** A bare WebSocket signed in to a namespace, speaking packets by hand. */
  async signedInWebSocket(namespace: '/agent' | '/gateway', token: string): Promise<WebSocket> {
    const socket = await this.webSocket();
    socket.send(`40${namespace},${JSON.stringify({ protocol: 1, token, client: { name: 'raw', version: '1' } })}`);
    await nextText(socket, (text) => text.startsWith(`40${namespace},`));
    return socket;
  }

  tcp(): NetSocket {
    const socket = connectTcp(this.port, '127.0.0.1');
    socket.on('error', () => {});
    this.#ends.push(() => socket.destroy());
    return socket;
  }

  url(query: string): string {
    return `http://127.0.0.1:${this.port}/socket.io/?EIO=4&${query}`;
  }

  logged(event: string): Record<string, unknown>[] {
    return this.logLines.filter((line) => line.event === event);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends) end();
    await this.transport.close();
    const closed = once(this.http, 'close');
    this.http.close();
    this.http.closeAllConnections();
    await closed;
  }

  #authenticate(attempt: SignInAttempt): Promise<SignInResult> {
    this.attempts.push(attempt);
    if (this.#options.authenticate) return this.#options.authenticate(attempt);
    if (attempt.token === undefined) return Promise.resolve({ ok: false, refusal: { code: 'unauthorized', message: 'no credential' } });
    return Promise.resolve({ ok: true, principal: { userId: attempt.token, credentialId: `key of ${attempt.token}` } });
  }

  #agentHandlers(): AgentHandlers {
    return this.#recorded(Object.keys(AGENT_REQUESTS), this.#options.agent ?? {}) as unknown as AgentHandlers;
  }

  #gatewayDesk(): GatewayDesk {
    const handlers = this.#recorded(Object.keys(GATEWAY_REQUESTS), this.#options.gateway ?? {}) as unknown as GatewayHandlers;
    return { handlers, disconnected: (connection) => void this.gone.push(connection) };
  }

  #recorded<Connection extends AgentConnection | GatewayConnection>(names: string[], given: Record<string, Handler<Connection>>): Record<string, unknown> {
    const entries = names.map((name) => [
      name,
      (connection: Connection, payload: never) => {
        this.calls.push({ name, payload, connection });
        return given[name]?.(connection, payload) ?? Promise.resolve(success({}));
      },
    ]);
    return Object.fromEntries(entries);
  }
}

/** Attaches whoever asks: ownership is the runner's business. */
export const attaching: RigOptions['agent'] = {
  'session:attach': async (connection, payload) => {
    connection.joinSession((payload as { sessionId: string }).sessionId);
    return success({});
  },
  'session:detach': async (connection, payload) => {
    connection.leaveSession((payload as { sessionId: string }).sessionId);
    return success({});
  },
};

/** The next text message that fits; everything else is passed over. */
export function nextText(socket: WebSocket, fits: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    const onMessage = (data: WebSocket.RawData): void => {
      const text = String(data);
      if (!fits(text)) return;
      socket.off('message', onMessage);
      socket.off('close', onClose);
      resolve(text);
    };
    const onClose = (): void => reject(new Error('the connection ended first'));
    socket.on('message', onMessage);
    socket.once('close', onClose);
  });
}

/** Sends one event by hand and gives back what its acknowledgement carries. */
export async function rawRequest(socket: WebSocket, namespace: string, { id, body }: { id: number; body: string }): Promise<unknown> {
  const head = `43${namespace},${id}`;
  const answer = nextText(socket, (text) => text.startsWith(`${head}[`));
  socket.send(`42${namespace},${id}${body}`);
  const [data] = JSON.parse((await answer).slice(head.length)) as unknown[];
  return data;
}
