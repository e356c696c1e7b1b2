import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

/**
 * Stands between a server and its PostgreSQL and counts, from outside, what goes over the wire
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html: after the first, every message is a letter and a length).
 */
export class DatabaseMeter implements AsyncDisposable {
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: Set<Socket>;
  readonly #count: Map<string, number>;
  readonly #traffic: Traffic;

  private constructor(server: ReturnType<typeof createServer>, parts: { url: string; sockets: Set<Socket>; count: Map<string, number>; traffic: Traffic }) {
    this.#server = server;
    this.url = parts.url;
    this.#sockets = parts.sockets;
    this.#count = parts.count;
    this.#traffic = parts.traffic;
  }

  /** `target`: a database on a Unix socket (`?host=/folder`), as `testDatabase` gives it. */
  static async start(target: string): Promise<DatabaseMeter> {
    const url = new URL(target);
    const path = join(url.searchParams.get('host') ?? '', '.s.PGSQL.5432');
    const count = new Map<string, number>();
    const sockets = new Set<Socket>();
    const traffic: Traffic = { unanswered: new Map(), lastAt: performance.now() };
    const server = createServer((near) => {
      const far = createConnection(path);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => sockets.delete(socket));
      }
      const asked = messageReader((type, body) => {
        const name = statementName(type, body);
        if (name !== undefined) count.set(name, (count.get(name) ?? 0) + 1);
        if (type === 'Q' || type === 'S') note(1);
      });
      const answered = messageReader((type) => type === 'Z' && note(-1), false);
      const note = (change: number): void => {
        if (far.destroyed) return;
        traffic.unanswered.set(near, Math.max(0, (traffic.unanswered.get(near) ?? 0) + change));
        traffic.lastAt = performance.now();
      };
      near.on('data', asked);
      // What is not answered by then never is.
      far.on('data', answered).once('close', () => {
        traffic.unanswered.delete(near);
        near.destroySoon();
      });
      near.pipe(far);
      far.pipe(near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url.searchParams.delete('host');
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    return new DatabaseMeter(server, { url: url.href, sockets, count, traffic });
  }

  /** How often each statement was sent so far, by its name; the unnamed ones together. */
  get count(): ReadonlyMap<string, number> {
    return new Map(this.#count);
  }

  /** For how long nothing has been asked or answered, in milliseconds; 0 while something is. */
  get quietMs(): number {
    const { unanswered, lastAt } = this.#traffic;
    return [...unanswered.values()].some((left) => left > 0) ? 0 : performance.now() - lastAt;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

interface Traffic {
  /** By connection: what has been asked, and not been answered. */
  readonly unanswered: Map<Socket, number>;
  lastAt: number;
}

/** A simple query, or the name of the prepared statement that is bound: after the portal's name, both end with a zero. */
function statementName(type: string, body: Buffer): string | undefined {
  if (type === 'Q') return '';
  if (type !== 'B') return undefined;
  const start = body.indexOf(0) + 1;
  return body.toString('utf8', start, body.indexOf(0, start));
}

/** Calls `onMessage` with the letter and the body of each message. The first one of a client has no letter. */
function messageReader(onMessage: (type: string, body: Buffer) => void, isOfClient = true): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = isOfClient;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = isFirst ? 0 : 1;
      if (rest.length < head + 4) return;
      const size = head + rest.readUInt32BE(head);
      if (rest.length < size) return;
      if (!isFirst) onMessage(String.fromCharCode(rest[0] ?? 0), rest.subarray(head + 4, size));
      isFirst = false;
      rest = rest.subarray(size);
    }
  };
}
