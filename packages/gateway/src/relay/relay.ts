import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import type { Log } from '@tendon/protocol';
import { AGENT_NAMESPACE, type Handshake, handshakeSchema, LIMITS, PROTOCOL_VERSION, SOCKET_PATH, validate } from '@tendon/protocol';
import { Server, type Socket } from 'socket.io';
import { CONNECT_TIMEOUT_MS } from '../link/dial.ts';
import type { LocalApprovals } from '../policy/local-approvals.ts';
import { GatewayStartError } from '../start-error.ts';
import { errorCode } from '../tools/faults.ts';
import { TokenDesk } from './issue-socket-token.ts';
import { PageConnection } from './page-connection.ts';
import { OPEN_THE_LINK, type RelayFront, relayRoutes, signInCookie } from './relay-http.ts';
import { PAGE_KEY_PREFIX, RelaySignIn } from './sign-in.ts';
import { SOCKET_TOKEN_PREFIX, SocketTokens, type TakenToken } from './socket-tokens.ts';
import type { UpstreamRefusal } from './upstream.ts';

export type { RelayFront } from './relay-http.ts';

export interface RelayOptions {
  /** The server that pages are passed on to. */
  readonly serverUrl: string;
  /** What the relay shows to the server for its own page. */
  readonly key: string;
  /** On loopback; 0 for a free one. */
  readonly port: number;
  readonly front: RelayFront;
  readonly approvals: LocalApprovals;
  readonly log: Log;
  readonly version: string;
  /** A person has no link, or one that is used up: shows them this one. */
  readonly onLink: (link: string) => void;
  /** The server no longer takes `key`. */
  readonly onKeyRefused: () => void;
  /** Monotonic milliseconds; replaceable in tests. */
  readonly now?: () => number;
}

export interface RelayHandle {
  readonly url: string;
  readonly port: number;
  /** A link that signs one browser in, once, for 15 minutes; `to` is a path of the page. */
  signInLink(to?: string): string;
  /** Ends every page's connection. */
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const MOST_PAGES = 64;
const MOST_KNOCKS = 200;
/** So that somebody who guesses does not fill the terminal. */
const LINK_EVERY_MS = 10_000;
/** How late the page of a sign-in that has run out may be ended. */
const LOOK_EVERY_MS = 60_000;
/** How long WebSockets have for their last word when the relay ends. */
const CLOSE_GRACE_MS = 500;
/** Over the largest packet that the protocol knows, with its envelope. */
const PACKET_BYTES = LIMITS.packetBytes + 64 * 1024;

/**
 * The way a browser on this machine uses a server elsewhere: serves the page on loopback, and passes `/agent` on, both ways, in order, each
 * packet measured. Nothing but this machine reaches it, no other page may use it, and it opens to nobody without a link from the terminal.
 * Errors: `GatewayStartError` when the port is taken.
 */
export async function startRelay(options: RelayOptions): Promise<RelayHandle> {
  const relay = new Relay(options);
  await relay.listen();
  return relay;
}

/** Carries a refusal through Socket.IO, which sends `data` with the `connect_error`. */
class RefusedAtHandshake extends Error {
  readonly data: UpstreamRefusal;

  constructor(data: UpstreamRefusal) {
    super(data.message);
    this.data = data;
  }
}

interface Refused {
  readonly ok: false;
  readonly refusal: UpstreamRefusal;
}

/** Who is behind a handshake: the relay's own page, with what it is let in by, or a client with a token for the server. */
interface Comer {
  readonly ok: true;
  readonly client: Handshake['client'];
  readonly by: { readonly taken: TakenToken } | { readonly token: string };
}

function refused(code: string, message: string): Refused {
  return { ok: false, refusal: { code, message } };
}

class Relay implements RelayHandle {
  readonly #options: RelayOptions;
  readonly #signIn: RelaySignIn;
  readonly #tokens: SocketTokens;
  readonly #http: HttpServer;
  readonly #io: Server;
  readonly #pages = new Map<Socket, PageConnection>();
  /** TCP connections that WebSockets stand on, or were to. */
  readonly #upgraded = new Set<Duplex>();
  #port = 0;
  /** A sign-in of 30 days is longer than a timer can be. */
  readonly #look = setInterval(() => this.#endSignedOut(), LOOK_EVERY_MS).unref();
  #lastLinkAt = Number.NEGATIVE_INFINITY;
  #closing: Promise<void> | undefined;

  constructor(options: RelayOptions) {
    this.#options = options;
    const { front, serverUrl, key, approvals, log, now = () => performance.now() } = options;
    this.#signIn = new RelaySignIn(now);
    this.#tokens = new SocketTokens(now);
    const routes = relayRoutes({
      front,
      signIn: this.#signIn,
      tokens: new TokenDesk({ signIn: this.#signIn, tokens: this.#tokens, log, now }),
      serverUrl,
      gatewayId: approvals.gatewayId,
      key,
      showLink: () => this.#showLink(),
      onSignOut: () => this.#endSignedOut(),
      port: () => this.#port,
    });
    const listener = getRequestListener(routes.fetch, { overrideGlobalObjects: false });
    this.#http = createServer({ headersTimeout: 10_000, requestTimeout: 30_000, maxHeaderSize: 16 * 1_024 }, (request, response) => {
      if (!this.#isShutOut(request, response)) void listener(request, response);
    });
    this.#io = this.#openSockets();
    this.#http.on('upgrade', (request, socket) => {
      this.#track(socket);
      // Engine.IO would end only its own half of what is not for it.
      if (!request.url?.startsWith(SOCKET_PATH)) socket.destroy();
    });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${HOST}:${this.#port}`;
  }

  async listen(): Promise<void> {
    this.#http.listen(this.#options.port, HOST);
    try {
      await once(this.#http, 'listening');
    } catch (cause) {
      throw new GatewayStartError(
        'port_taken',
        `The relay cannot listen on port ${this.#options.port} of this machine (${errorCode(cause) ?? 'unknown error'}). Set TENDON_RELAY_PORT to another one, or to 0 for a free one.`,
        { cause },
      );
    }
    const address = this.#http.address();
    this.#port = typeof address === 'object' && address !== null ? address.port : this.#options.port;
    this.#options.front.listening(this.#port);
  }

  signInLink(to?: string): string {
    const link = new URL('/sign-in', this.url);
    link.searchParams.set('token', this.#signIn.newLink());
    if (to !== undefined) link.searchParams.set('to', to);
    return link.href;
  }

  close(): Promise<void> {
    this.#closing ??= this.#end();
    return this.#closing;
  }

  async #end(): Promise<void> {
    clearInterval(this.#look);
    for (const page of this.#pages.values()) page.end();
    const closed = this.#io.close();
    // At once, and also those that have not said a word yet, as browsers hold them in advance: nothing else would end them.
    this.#http.close();
    this.#http.closeAllConnections();
    // WebSockets are not among these. One whose page is frozen never says goodbye, and is waited for for half a minute.
    const impatience = setTimeout(() => {
      for (const socket of this.#upgraded) socket.destroy();
    }, CLOSE_GRACE_MS);
    await closed;
    clearTimeout(impatience);
  }

  #track(socket: Duplex): void {
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
  }

  #openSockets(): Server {
    const io = new Server(this.#http, {
      path: SOCKET_PATH,
      transports: ['polling', 'websocket'],
      maxHttpBufferSize: PACKET_BYTES,
      // A page is let in when the server has let us in, or is told that it does not answer.
      connectTimeout: LIMITS.handshakeTimeoutMs + CONNECT_TIMEOUT_MS,
      perMessageDeflate: false,
      httpCompression: false,
      serveClient: false,
      cookie: false,
      allowEIO3: false,
    });
    // Before every poll, post and upgrade, and not only where a connection is made.
    io.engine.use((request: IncomingMessage, response: unknown, next: (error?: Error) => void) => {
      if (this.#isShutOut(request, response as ServerResponse)) return;
      // As the engine has read it: what it takes for a new one is counted as one.
      const { sid = '' } = (request as { readonly _query?: { readonly sid?: string } })._query ?? {};
      if (io.engine.clientsCount >= MOST_KNOCKS && sid === '') (response as ServerResponse).writeHead?.(503).end();
      else next();
    });
    io.use((_socket, next) => next(new RefusedAtHandshake({ code: 'unsupported_protocol', message: `Connect to ${AGENT_NAMESPACE}.` })));
    const pages = io.of(AGENT_NAMESPACE);
    pages.use((socket, next) => this.#letIn(socket, (refusal) => next(refusal && new RefusedAtHandshake(refusal))));
    pages.on('connection', (socket) => this.#pages.get(socket)?.join());
    return io;
  }

  #letIn(socket: Socket, settled: (refusal?: UpstreamRefusal) => void): void {
    // Gone with the very post in which it came: its end has been told, and would free no place.
    if (socket.conn.readyState === 'closed') {
      settled({ code: 'unavailable', message: 'The page has gone.' });
      return;
    }
    const comer = this.#readHandshake(socket);
    if (!comer.ok) {
      settled(comer.refusal);
      return;
    }
    const { serverUrl, key, approvals, log } = this.#options;
    const { by, client } = comer;
    const [token, own] = 'token' in by ? [by.token, undefined] : [key, by.taken];
    const page = new PageConnection(socket, { upstream: { serverUrl, token, client }, isOwnPage: own !== undefined, approvals, log }, (refusal) => {
      if (refusal === undefined) own?.use();
      else this.#leave(socket, own);
      settled(refusal?.code === 'unauthorized' && own !== undefined ? this.#keyEnded() : refusal);
    });
    this.#pages.set(socket, page);
    socket.conn.once('close', () => this.#leave(socket, own));
  }

  #leave(socket: Socket, own: TakenToken | undefined): void {
    this.#pages.delete(socket);
    own?.giveBack();
  }

  #readHandshake(socket: Socket): Comer | Refused {
    const signedIn = this.#signIn.find(signInCookie(socket.request, this.#port));
    if (signedIn === undefined) return refused('unauthorized', OPEN_THE_LINK);
    const checked = validate(handshakeSchema, socket.handshake.auth);
    if (!checked.ok || checked.data.protocol !== PROTOCOL_VERSION)
      return refused('unsupported_protocol', `This relay speaks protocol ${PROTOCOL_VERSION}. Reload the page.`);
    if (this.#closing !== undefined || this.#pages.size >= MOST_PAGES)
      return refused('rate_limited', `This relay has ${MOST_PAGES} pages open already, or is about to end. Close some pages.`);
    const { token, client } = checked.data;
    // A key of a page opens no socket, and what is meant for this relay goes to no server.
    if (token === undefined || token.startsWith(PAGE_KEY_PREFIX)) return refused('unauthorized', OPEN_THE_LINK);
    if (!token.startsWith(SOCKET_TOKEN_PREFIX)) return { ok: true, client, by: { token } };
    const taken = this.#tokens.take(token, signedIn);
    return taken === undefined ? refused('unauthorized', OPEN_THE_LINK) : { ok: true, client, by: { taken } };
  }

  /** Not `unauthorized`: signing in at the relay would mend nothing. */
  #keyEnded(): UpstreamRefusal {
    this.#options.onKeyRefused();
    const server = new URL(this.#options.serverUrl).origin;
    return {
      code: 'relay_key_ended',
      message: `${server} no longer accepts this machine's page. Start the gateway again to pair it anew.`,
      retryAfterMs: 30_000,
    };
  }

  /** Ends a request that may not come in. True when it did. */
  #isShutOut(request: IncomingMessage, response: ServerResponse | undefined): boolean {
    const check = this.#options.front.check(request);
    if (check.ok) return false;
    const status = check.fault === 'host' ? 421 : 403;
    this.#options.log.info({ component: 'relay', reason: check.fault }, 'a request may not come in');
    if (response?.writeHead) {
      response.writeHead(status, {
        ...this.#options.front.headers(undefined),
        'Content-Type': 'text/plain; charset=utf-8',
        'Cache-Control': 'no-store',
        Connection: 'close',
      });
      response.end(request.method === 'HEAD' ? undefined : `${check.message}\n`);
    } else {
      request.socket.on('error', () => request.socket.destroy());
      request.socket.end(`HTTP/1.1 ${status} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => request.socket.destroy());
    }
    return true;
  }

  #endSignedOut(): void {
    for (const [socket, page] of this.#pages) if (!this.#signIn.isSignedIn(signInCookie(socket.request, this.#port))) page.end();
  }

  #showLink(): void {
    if (performance.now() - this.#lastLinkAt < LINK_EVERY_MS) return;
    this.#lastLinkAt = performance.now();
    this.#options.onLink(this.signInLink());
  }
}
