import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { canonicalHost, type NetworkTarget, nameOf, type Verdict } from '@tendon/network';
import { errorCode } from '../tools/faults.ts';

/*
 * The only way out of the browser, and of commands whose network is filtered. Redirects, sub-resources, WebSockets and downloads all come
 * along here, which a hook inside of a browser or a program cannot promise.
 *
 * Loaded by the first who needs it: an import of node:http loads all of Node's own undici, for the names that it passes on.
 *
 *   request ──no pass──► 407      ──pass──► judged (the name is looked up once) ──no──► 403, and told to the pass's owner
 *                                                  └──yes──► connected to the very address that was judged
 */

/** What one session's pages, or one command, prove themselves with. Nothing else on the machine can use the proxy. */
export interface Pass {
  readonly username: string;
  readonly password: string;
}

/** A connection that was not made. */
export interface Refused {
  readonly target: string;
  readonly code: 'address_refused' | 'unknown_host' | 'no_connection';
  readonly message: string;
}

export interface EgressProxyOptions {
  readonly judge: (target: NetworkTarget) => Promise<Verdict>;
  /** Where it listens, such as in the network of a sandbox; a free port of loopback when left out. Is closed with it. */
  readonly door?: NetServer;
}

interface Admitted {
  readonly onRefused: (refused: Refused) => void;
  /** What is open for it. */
  readonly sockets: Set<Duplex>;
}

const CONNECT_MS = 15_000;
/** A flood by one of its users must leave descriptors to the rest of the gateway. */
const MOST_CONNECTIONS = 512;
/** Of one connection, not of the proxy: RFC 9110, section 7.6.1. */
const HOP_BY_HOP = /^(?:connection|keep-alive|proxy-authorization|proxy-authenticate|proxy-connection|te|trailer|transfer-encoding|upgrade)$/i;

const NO_PASS = 'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="tendon"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

export class EgressProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #options: EgressProxyOptions;
  readonly #passes = new Map<string, Admitted>();
  readonly #sockets: Set<Duplex>;

  private constructor(server: Server, sockets: Set<Duplex>, options: EgressProxyOptions) {
    this.#server = server;
    this.#sockets = sockets;
    this.#options = options;
    this.port = (server.address() as AddressInfo).port;
    // What goes wrong here ends one connection, never the gateway.
    server.on('request', (asked, answer) => void this.#forward(asked, answer).catch(() => answer.destroy()));
    server.on('connect', (asked: IncomingMessage, socket: Duplex, head: Buffer) => void this.#tunnel(asked, socket, head).catch(() => socket.destroy()));
    // A WebSocket without TLS asks for a tunnel as well; an upgrade of the proxy itself is nobody's need.
    server.on('upgrade', (_asked, socket: Duplex) => socket.destroy());
    server.on('clientError', (_error, socket) => socket.destroy());
  }

  static async open(options: EgressProxyOptions): Promise<EgressProxy> {
    const server = createServer({ keepAliveTimeout: 5_000 });
    server.maxConnections = MOST_CONNECTIONS;
    const sockets = new Set<Duplex>();
    server.on('connection', (socket) => keep(sockets, socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      if (options.door) server.listen(options.door, resolve);
      else server.listen(0, '127.0.0.1', resolve);
    });
    return new EgressProxy(server, sockets, options);
  }

  /** What it would say to a connection there. */
  judge(target: NetworkTarget): Promise<Verdict> {
    return this.#options.judge(target);
  }

  /** `onRefused` hears of every connection of this pass that was not made. */
  admit(onRefused: (refused: Refused) => void): Pass {
    const pass = { username: randomBytes(9).toString('hex'), password: randomBytes(24).toString('hex') };
    this.#passes.set(headerOf(pass), { onRefused, sockets: new Set() });
    return pass;
  }

  /** Cuts what is open for it as well. */
  dismiss(pass: Pass): void {
    const header = headerOf(pass);
    const admitted = this.#passes.get(header);
    this.#passes.delete(header);
    cut(admitted?.sockets ?? []);
  }

  /** Cuts every connection. May be called twice. */
  async close(): Promise<void> {
    this.#passes.clear();
    cut(this.#sockets);
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #forward(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    answer.on('error', () => answer.destroy());
    const admitted = this.#passes.get(asked.headers['proxy-authorization'] ?? '');
    if (!admitted) return void answer.writeHead(407, { 'proxy-authenticate': 'Basic realm="tendon"' }).end();
    const url = URL.parse(asked.url ?? '');
    if (url?.protocol !== 'http:') return void answer.writeHead(400).end();
    const target = { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 80 : Number(url.port) };
    const verdict = await this.#options.judge(target);
    if (!verdict.ok) {
      admitted.onRefused(refusedBy(target, verdict));
      return void answer.writeHead(403, { 'content-type': 'text/plain; charset=utf-8' }).end(`${verdict.message}\n`);
    }
    const upstream = await this.#dial(target, verdict.addresses);
    if (upstream instanceof Error) {
      admitted.onRefused(notMade(target, upstream));
      return void badGateway(answer, 'No connection.');
    }
    if (answer.destroyed || !this.#isAdmitted(asked, admitted)) return void cut([answer, upstream]);
    keep(admitted.sockets, upstream);
    relay({ asked, answer, url, upstream });
  }

  async #tunnel(asked: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    const admitted = this.#passes.get(asked.headers['proxy-authorization'] ?? '');
    if (!admitted) return void socket.end(NO_PASS);
    const target = authorityOf(asked.url ?? '');
    if (!target) return void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
    const verdict = await this.#options.judge(target);
    if (!verdict.ok) {
      admitted.onRefused(refusedBy(target, verdict));
      return void socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    }
    const upstream = await this.#dial(target, verdict.addresses);
    if (upstream instanceof Error) {
      admitted.onRefused(notMade(target, upstream));
      return void socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
    }
    if (socket.destroyed || !this.#isAdmitted(asked, admitted)) return void cut([socket, upstream]);
    for (const one of [socket, upstream]) keep(admitted.sockets, one);
    upstream.on('close', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    upstream.write(head);
    socket.pipe(upstream);
    upstream.pipe(socket);
  }

  /** It may have been dismissed while its connection was made. */
  #isAdmitted(asked: IncomingMessage, admitted: Admitted): boolean {
    return this.#passes.get(asked.headers['proxy-authorization'] ?? '') === admitted;
  }

  /** The first of the addresses that answers. */
  async #dial({ port }: NetworkTarget, addresses: readonly string[]): Promise<Socket | Error> {
    let failure = new Error('no address');
    for (const address of addresses) {
      const dialled = await dialOne(address, port);
      if (!(dialled instanceof Error)) {
        keep(this.#sockets, dialled);
        return dialled;
      }
      failure = dialled;
    }
    return failure;
  }
}

function dialOne(address: string, port: number): Promise<Socket | Error> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: CONNECT_MS });
    const fail = (error: Error): void => {
      socket.destroy();
      resolve(error);
    };
    socket.once('timeout', () => fail(new Error('it did not answer in time')));
    socket.once('error', fail);
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', fail);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
  });
}

interface Relay {
  readonly asked: IncomingMessage;
  readonly answer: ServerResponse;
  readonly url: URL;
  readonly upstream: Socket;
}

function relay({ asked, answer, url, upstream }: Relay): void {
  const headers = endToEnd(asked.rawHeaders).filter(([name]) => name.toLowerCase() !== 'host');
  const forwarded = request({
    createConnection: () => upstream,
    method: asked.method ?? 'GET',
    path: `${url.pathname}${url.search}`,
    headers: [...headers, ['Host', url.host]].flat(),
  });
  forwarded.on('response', (response) => {
    response.on('error', () => answer.destroy());
    if (isHandedOn(answer, response)) response.pipe(answer);
    else upstream.destroy();
  });
  // Nobody has asked for another protocol: `upgrade` is not handed on.
  forwarded.on('upgrade', () => {
    upstream.destroy();
    badGateway(answer, 'The server changed to another protocol without being asked.');
  });
  forwarded.on('error', () => answer.destroy());
  forwarded.on('close', () => {
    if (!answer.headersSent) answer.destroy();
  });
  answer.on('close', () => upstream.destroy());
  asked.on('error', () => forwarded.destroy());
  asked.pipe(forwarded);
}

/** Whether the head of the answer could be passed on. Node reads status lines that it does not write, `HTTP/1.1 099` for one. */
function isHandedOn(answer: ServerResponse, response: IncomingMessage): boolean {
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 599) {
    badGateway(answer, `The server answered with the status ${status}, which there is not.`);
    return false;
  }
  try {
    answer.writeHead(status, endToEnd(response.rawHeaders).flat());
    return true;
  } catch {
    answer.destroy();
    return false;
  }
}

function badGateway(answer: ServerResponse, why: string): void {
  answer.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' }).end(`${why}\n`);
}

/** Name and value, in their order, without those that are about one connection only. */
function endToEnd(raw: readonly string[]): [string, string][] {
  const named: string[] = [];
  const pairs: [string, string][] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    const [name = '', value = ''] = raw.slice(index, index + 2);
    if (name.toLowerCase() === 'connection') named.push(...value.toLowerCase().split(/\s*,\s*/));
    pairs.push([name, value]);
  }
  return pairs.filter(([name]) => !HOP_BY_HOP.test(name) && !named.includes(name.toLowerCase()));
}

function authorityOf(authority: string): NetworkTarget | undefined {
  const match = /^(.+):(\d{1,5})$/.exec(authority);
  const host = canonicalHost(match?.[1] ?? '');
  const port = Number(match?.[2]);
  return host !== undefined && port > 0 && port < 65_536 ? { host, port } : undefined;
}

function headerOf({ username, password }: Pass): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function refusedBy(target: NetworkTarget, verdict: Extract<Verdict, { ok: false }>): Refused {
  return { target: targetName(target), code: verdict.code, message: verdict.message };
}

function notMade(target: NetworkTarget, error: Error): Refused {
  const message = `${targetName(target)} could not be reached (${errorCode(error) ?? error.message}). Check the address, and that something listens there.`;
  return { target: targetName(target), code: 'no_connection', message };
}

function targetName(target: NetworkTarget): string {
  return nameOf({ ...target, host: canonicalHost(target.host.includes(':') ? `[${target.host}]` : target.host) ?? target.host });
}

function cut(ends: Iterable<{ destroy(): unknown }>): void {
  for (const end of ends) end.destroy();
}

function keep(sockets: Set<Duplex>, socket: Duplex): void {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
}
