import type { ErrorCode, HandshakeCode, Log } from '@tendon/protocol';
import { AGENT_NAMESPACE, GATEWAY_NAMESPACE, SOCKET_PATH } from '@tendon/protocol';
import { type Namespace, Server, type Socket } from 'socket.io';
import { Places, type Seat } from '../crowd/places.ts';
import type { Waiting } from '../crowd/waiting-lines.ts';
import { RefusalLines } from '../refusal-lines.ts';
import type { RefusalPlace } from '../refusals.ts';
import type { AgentConnection, AgentHandlers, Fanout, GatewayConnection, GatewayDesk } from '../runner/ports.ts';
import { type AdmissionDesk, type Guest, guardNamespace, hasEnded } from './admission.ts';
import { agentRoutes, openAgentConnection } from './agent-desk.ts';
import { limitFirstMessages } from './arrivals.ts';
import { CredentialBook } from './credential-book.ts';
import { doorMiddleware } from './door-keeper.ts';
import { EngineConnections } from './engine-connections.ts';
import { gatewayRoutes } from './gateway-desk.ts';
import { GatewayLink } from './gateway-link.ts';
import { HandshakeError } from './handshake.ts';
import { DEFAULT_TRANSPORT_LIMITS, type TransportLimits } from './limits.ts';
import type { NamespaceName, TransportOptions } from './options.ts';
import { packetCodec } from './packet-codec.ts';
import { type RefusedEvent, type RequestDesk, type Routes, serveRequests, type Turn } from './requests.ts';
import { roomFanout } from './rooms.ts';
import { createTokenBucket } from './token-bucket.ts';

export interface Services {
  readonly agent: AgentHandlers;
  readonly gateways: GatewayDesk;
}

export interface ConnectionCounts {
  readonly agent: number;
  readonly gateway: number;
  /** Physical connections, signed in or not. */
  readonly open: number;
}

export interface Transport {
  /** Usable at once, before `serve`: the handlers are built with it. */
  readonly fanout: Fanout;
  /** Opens the door. Until then every handshake is refused as `shutting_down`. */
  serve(services: Services): void;
  /** Ends every connection that stands on a credential, those in the middle of their handshake included. */
  disconnectCredential(credentialId: string): void;
  /** The credentials that connections stand on now. */
  credentials(): readonly string[];
  connections(): ConnectionCounts;
  /** What waits for all connections to take it. */
  unsentBytes(): number;
  /** What has come of messages that are not finished. */
  unfinishedBytes(): number;
  /** Tells clients `shutting_down`, ends every connection and refuses further requests. The HTTP server stays its owner's. */
  close(): Promise<void>;
}

/** Puts the one Socket.IO server of the product on `httpServer`. */
export function createTransport(options: TransportOptions): Transport {
  return new SocketTransport(options);
}

/*
 *            serve                close                    all connections ended
 *  waiting ────────► serving ────────────► closing ─────────────────────────────► closed
 *     └────────────────── close ─────────────▲
 */
type Phase = { readonly name: 'waiting' } | Serving | { readonly name: 'closing' | 'closed'; readonly ended: Promise<void> };

interface Serving {
  readonly name: 'serving';
  readonly agentRoutes: Routes<AgentConnection>;
  readonly gatewayRoutes: Routes<GatewayConnection>;
  readonly gateways: GatewayDesk;
}

/** Engine.IO's numbers: an id of a connection that is over, a middleware's no, another version. All others are faults in the request. */
const ENGINE_CODES: Readonly<Record<number, ErrorCode | HandshakeCode>> = { 1: 'not_found', 4: 'forbidden', 5: 'unsupported_protocol' };

class SocketTransport implements Transport {
  readonly fanout: Fanout;
  readonly #options: TransportOptions;
  readonly #limits: TransportLimits;
  readonly #log: Log;
  readonly #io: Server;
  readonly #agent: Namespace;
  readonly #gateway: Namespace;
  readonly #credentials = new CredentialBook();
  readonly #connections: EngineConnections;
  /** A page that asks much keeps nothing from its person's machines. */
  readonly #places: Readonly<Record<NamespaceName, Places>>;
  /** Whatever else a person waits for, they can stop and decide. */
  readonly #reins: Places;
  readonly #refusalLines: RefusalLines;
  #phase: Phase = { name: 'waiting' };

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#limits = { ...DEFAULT_TRANSPORT_LIMITS, ...options.limits };
    this.#log = options.log;
    this.#refusalLines = new RefusalLines(options.log);
    this.#places = { agent: new Places(this.#limits.requests), gateway: new Places(this.#limits.requests) };
    this.#reins = new Places({ ...this.#limits.requests, ofHousehold: 1 });
    this.#connections = new EngineConnections(this.#limits, options);
    this.#io = openServer(options, this.#limits);
    limitFirstMessages(this.#io.engine, this.#limits.unfinished.newcomerMessageBytes);
    this.#agent = this.#io.of(AGENT_NAMESPACE);
    this.#gateway = this.#io.of(GATEWAY_NAMESPACE);
    this.fanout = roomFanout(this.#agent);
    this.#io.engine.use(
      doorMiddleware({
        checkDoor: (request) => options.checkDoor(request),
        addressOf: (request) => options.addressOf(request),
        crowdAt: (request) => this.#connections.crowdAt(request),
        phase: () => this.#doorPhase(),
        entrance: options.entrance,
        underWay: options.underWay,
        holdPostMs: (sessionId) => this.#connections.holdPostMs(sessionId),
        stalledResponseMs: this.#limits.stalledResponseMs,
        onRefused: (code) => options.refusals.count('http', code),
        refusalLines: this.#refusalLines,
        log: this.#log,
      }),
    );
    options.httpServer.on('upgrade', (_request, socket) => this.#connections.trackUpgrade(socket));
    this.#io.engine.on('connection', (connection: Socket['conn']) => this.#connections.track(connection));
    this.#guardNamespaces();
    this.#countForeign();
  }

  serve(services: Services): void {
    if (this.#phase.name !== 'waiting') throw new Error('a transport serves once');
    this.#phase = {
      name: 'serving',
      agentRoutes: agentRoutes(services.agent),
      gatewayRoutes: gatewayRoutes(services.gateways.handlers),
      gateways: services.gateways,
    };
  }

  disconnectCredential(credentialId: string): void {
    for (const socket of this.#credentials.revoke(credentialId)) socket.disconnect(true);
  }

  credentials(): readonly string[] {
    return this.#credentials.inUse;
  }

  connections(): ConnectionCounts {
    return { agent: this.#agent.sockets.size, gateway: this.#gateway.sockets.size, open: this.#io.engine.clientsCount };
  }

  unsentBytes(): number {
    return this.#connections.unsentBytes;
  }

  unfinishedBytes(): number {
    return this.#connections.unfinishedBytes;
  }

  close(): Promise<void> {
    if (this.#phase.name === 'closing' || this.#phase.name === 'closed') return this.#phase.ended;
    const ended = this.#end();
    this.#phase = { name: 'closing', ended };
    void ended.then(() => {
      this.#phase = { name: 'closed', ended };
    });
    return ended;
  }

  async #end(): Promise<void> {
    this.#agent.emit('server:notice', { code: 'shutting_down', message: 'The server is shutting down. Your session is kept.' });
    this.#agent.disconnectSockets(true);
    this.#gateway.disconnectSockets(true);
    await this.#connections.endAll(this.#limits.closeGraceMs);
    this.#connections.stop();
    this.#io.engine.close();
    this.#refusalLines.close();
  }

  #doorPhase(): 'open' | 'closing' | 'closed' {
    const { name } = this.#phase;
    return name === 'closing' || name === 'closed' ? name : 'open';
  }

  /** From the first moment on, so that nothing can connect before `serve`. */
  #guardNamespaces(): void {
    const desk: AdmissionDesk = {
      options: this.#options,
      isServing: () => this.#phase.name === 'serving',
      credentials: this.#credentials,
      connections: this.#connections,
      log: this.#log,
    };
    guardNamespace(this.#agent, 'agent', { desk, welcome: (socket, guest) => this.#openAgent(socket, guest) });
    guardNamespace(this.#gateway, 'gateway', { desk, welcome: (socket, guest) => this.#openGateway(socket, guest) });
    const { refusals } = this.#options;
    this.#io.use((socket, next) => {
      this.#connections.admitAttempt(socket);
      refusals.count('http', 'unsupported_protocol');
      next(new HandshakeError({ code: 'unsupported_protocol', message: `Connect to ${AGENT_NAMESPACE} or ${GATEWAY_NAMESPACE}.` }));
    });
  }

  /** What Socket.IO and its engine refuse by themselves. */
  #countForeign(): void {
    const { refusals } = this.#options;
    this.#io.engine.on('connection_error', ({ code }: { readonly code: number }) => refusals.count('http', ENGINE_CODES[code] ?? 'invalid_payload'));
    // Asked only for names that are not there, and they stay so.
    this.#io.of((_name, _auth, decide) => {
      refusals.count('http', 'unsupported_protocol');
      decide(null, false);
    });
  }

  #openAgent(socket: Socket, guest: Guest): void {
    if (this.#phase.name !== 'serving') return;
    const { scopes } = guest.principal;
    const address = this.#connections.addressOf(socket);
    const place = this.#whileGood(guest, this.#placesOf({ household: guest.principal.userId, connection: socket }));
    const onRefused = this.#refusing('/agent', guest, address);
    this.#answer(socket, { connection: openAgentConnection(socket, guest, address), routes: this.#phase.agentRoutes, scopes, place, onRefused });
  }

  /** A rein overtakes others, but nothing of its own connection: who sends and stops at once means it in that order (T12). */
  #placesOf(waiting: Waiting): (isRein: boolean) => Promise<Seat> {
    let before = 0;
    return async (isRein) => {
      const places = isRein && before === 0 ? this.#reins : this.#places.agent;
      before += 1;
      const seat = await places.take(waiting);
      before -= 1;
      return seat;
    };
  }

  /** What waits does so for longer than its connection may last; it is not begun with a credential that has ended meanwhile (H14). */
  #whileGood({ principal }: Guest, take: (isRein: boolean) => Promise<Seat>): (isRein: boolean) => Promise<Turn> {
    return async (isRein) => {
      const opening = this.#credentials.open();
      const seat = await take(isRein);
      this.#credentials.settle(opening);
      if (!seat.ok || !hasEnded(opening, principal)) return seat;
      seat.leave();
      return { ok: false, crowd: 'ended' };
    };
  }

  #openGateway(socket: Socket, guest: Guest): void {
    if (this.#phase.name !== 'serving') return;
    const { gateways, gatewayRoutes: routes } = this.#phase;
    const link = new GatewayLink(socket, guest);
    // Not from inside a send: a socket that is cut for slowness ends while somebody is still writing to it.
    socket.once('disconnect', () => queueMicrotask(() => this.#reportGone(gateways, link)));
    const place = this.#whileGood(guest, () => this.#places.gateway.take({ household: guest.principal.userId, connection: socket }));
    this.#answer<GatewayConnection>(socket, {
      connection: link,
      routes,
      place,
      onRefused: this.#refusing('/gateway', guest, this.#connections.addressOf(socket)),
    });
  }

  #reportGone(desk: GatewayDesk, link: GatewayLink): void {
    try {
      desk.disconnected(link);
    } catch (error) {
      this.#log.error({ event: 'handler_failed', err: error }, 'the end of a gateway connection could not be handled');
    }
  }

  #answer<Connection>(socket: Socket, desk: Pick<RequestDesk<Connection>, 'connection' | 'routes' | 'scopes' | 'place' | 'onRefused'>): void {
    const { eventsPerSecond, eventBurst, outputBytesPerSecond, outputBurstBytes } = this.#limits;
    const now = this.#options.now ?? (() => performance.now());
    const meters = {
      events: createTokenBucket({ perSecond: eventsPerSecond, burst: eventBurst }, now),
      output: createTokenBucket({ perSecond: outputBytesPerSecond, burst: outputBurstBytes }, now),
    };
    serveRequests(socket, { ...desk, meters, log: this.#log });
  }

  /** Counts and tells what is refused to one connection. */
  #refusing(where: RefusalPlace, { principal: asker }: Guest, address: string): (refused: RefusedEvent) => void {
    return ({ code, name, isLoss }) => {
      this.#options.refusals.count(where, code);
      if (!isLoss) this.#refusalLines.tell({ where, code, asker, address, what: { name } });
    };
  }
}

function openServer(options: TransportOptions, limits: TransportLimits): Server {
  return new Server(options.httpServer, {
    path: SOCKET_PATH,
    parser: packetCodec(limits),
    transports: ['polling', 'websocket'],
    maxHttpBufferSize: limits.hardCapBytes,
    connectTimeout: limits.handshakeTimeoutMs,
    upgradeTimeout: limits.handshakeTimeoutMs,
    pingInterval: limits.pingIntervalMs,
    pingTimeout: limits.pingTimeoutMs,
    perMessageDeflate: false,
    httpCompression: false,
    serveClient: false,
    cookie: false,
    allowEIO3: false,
  });
}
