import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `up`: from the one who connected to the target; `down`: back. */
export type Direction = 'up' | 'down';

interface Link {
  readonly near: Socket;
  readonly far: Socket;
}

/**
 * A TCP proxy on loopback that does to a connection what networks do.
 *
 *   listening ──refuse()──► refusing ──accept()──► listening (the same port)
 *
 *   each connection:  flowing ◄──resume()──stall()──► stalled     bytes wait, nothing is lost
 *                     flowing ──blackhole()──► swallowing         bytes vanish, both ends believe in it
 *                     any ──halfOpen()──► one end closed, the other left open and silent
 *                     any ──cut()──► both ends reset
 *
 * What stalls, swallows or delays holds for connections made later as well, until `resume()`.
 */
export class LossyProxy implements AsyncDisposable {
  #target: { readonly host: string; readonly port: number };
  readonly #links = new Set<Link>();
  readonly #stalled = new Set<Direction>();
  #server: Server | undefined;
  #port: number;
  #delayMs = 0;
  #isSwallowing = false;
  #waiters: (() => void)[] = [];

  readonly #host: string;

  private constructor(target: { host: string; port: number }, listen: { host: string; port: number }) {
    this.#target = target;
    this.#host = listen.host;
    this.#port = listen.port;
  }

  /** Listens on a free port of 127.0.0.1, or where `listen` says. */
  static async start(
    target: { readonly port: number; readonly host?: string },
    listen: { readonly host: string; readonly port: number } = { host: '127.0.0.1', port: 0 },
  ): Promise<LossyProxy> {
    const proxy = new LossyProxy({ host: target.host ?? '127.0.0.1', port: target.port }, listen);
    await proxy.accept();
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${this.#host.includes(':') ? `[${this.#host}]` : this.#host}:${this.#port}`;
  }

  /** Those that are open now, each the same object as long as it is. */
  get connections(): readonly Link[] {
    return [...this.#links];
  }

  /** From now on new connections lead to this port: for a target that must know the proxy's address before it starts. */
  aim(port: number): void {
    this.#target = { ...this.#target, port };
  }

  /** Resolves when the next connection has been made. */
  nextConnection(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Resets every connection. New ones are taken. */
  cut(): void {
    for (const { near, far } of this.#links) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
    this.#links.clear();
  }

  /** Nothing moves in these directions until `resume()`; nothing is lost. */
  stall(...directions: Direction[]): void {
    for (const direction of directions.length === 0 ? (['up', 'down'] as const) : directions) this.#stalled.add(direction);
    for (const link of this.#links) this.#apply(link);
  }

  /** From now on every byte of both directions vanishes; no end is told. */
  blackhole(): void {
    this.#isSwallowing = true;
  }

  /** Each chunk arrives so many milliseconds later, in order. */
  delay(ms: number): void {
    this.#delayMs = ms;
  }

  /** Closes one end of every connection and leaves the other open and silent, as after a crash without a word. */
  halfOpen(closed: 'near' | 'far'): void {
    this.#isSwallowing = true;
    for (const link of this.#links) link[closed].resetAndDestroy();
  }

  /** Ends stalls, blackholes and delays. Bytes that were swallowed stay lost. */
  resume(): void {
    this.#stalled.clear();
    this.#isSwallowing = false;
    this.#delayMs = 0;
    for (const link of this.#links) this.#apply(link);
  }

  /** Cuts every connection and refuses new ones (connection refused) until `accept()`. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.cut();
    if (!server) return;
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  /** Listens again, on the same port as before. */
  async accept(): Promise<void> {
    if (this.#server) return;
    const server = createServer((near) => this.#connect(near));
    server.listen(this.#port, this.#host);
    await once(server, 'listening');
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  close(): Promise<void> {
    return this.refuse();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #connect(near: Socket): void {
    const far = createConnection(this.#target);
    const link: Link = { near, far };
    this.#links.add(link);
    this.#pipe(near, far);
    this.#pipe(far, near);
    this.#apply(link);
    far.once('connect', () => {
      for (const waiter of this.#waiters.splice(0)) waiter();
    });
  }

  #pipe(from: Socket, to: Socket): void {
    const later = this.#delayedInOrder();
    from.setNoDelay(true);
    from.on('data', (chunk) => later(() => !this.#isSwallowing && to.writable && to.write(chunk)));
    from.on('end', () => later(() => !this.#isSwallowing && to.end()));
    from.on('error', () => from.destroy());
    from.on('close', () => {
      if (!this.#isSwallowing) later(() => to.destroySoon());
      for (const link of this.#links) if (link.near.destroyed && link.far.destroyed) this.#links.delete(link);
    });
  }

  /** One per direction: what comes later never overtakes, also when the delay shrinks. */
  #delayedInOrder(): (act: () => void) => void {
    let waiting = 0;
    let last: Promise<void> = Promise.resolve();
    return (act) => {
      if (this.#delayMs === 0 && waiting === 0) return act();
      waiting += 1;
      const due = sleep(this.#delayMs);
      last = last
        .then(() => due)
        .then(act)
        .finally(() => {
          waiting -= 1;
        });
    };
  }

  #apply(link: Link): void {
    for (const [direction, socket] of [
      ['up', link.near],
      ['down', link.far],
    ] as const) {
      if (this.#stalled.has(direction)) socket.pause();
      else socket.resume();
    }
  }
}
