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

  private constructor(server: ReturnType<typeof createServer>, parts: { url: string; sockets: Set<Socket>; count: Map<string, number> }) {
    this.#server = server;
    this.url = parts.url;
    this.#sockets = parts.sockets;
    this.#count = parts.count;
  }

  /** `target`: a database on a Unix socket (`?host=/folder`), as `testDatabase` gives it. */
  static async start(target: string): Promise<DatabaseMeter> {
    const url = new URL(target);
    const path = join(url.searchParams.get('host') ?? '', '.s.PGSQL.5432');
    const count = new Map<string, number>();
    const sockets = new Set<Socket>();
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
      });
      near.on('data', asked);
      near.pipe(far);
      far.pipe(near);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    url.searchParams.delete('host');
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    return new DatabaseMeter(server, { url: url.href, sockets, count });
  }

  /** How often each statement was sent so far, by its name; the unnamed ones together. */
  get count(): ReadonlyMap<string, number> {
    return new Map(this.#count);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A simple query, or the name of the prepared statement that is bound: after the portal's name, both end with a zero. */
function statementName(type: string, body: Buffer): string | undefined {
  if (type === 'Q') return '';
  if (type !== 'B') return undefined;
  const start = body.indexOf(0) + 1;
  return body.toString('utf8', start, body.indexOf(0, start));
}

/** Calls `onMessage` with the letter and the body of each message of a client. Its first message has no letter. */
function messageReader(onMessage: (type: string, body: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = true;
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
