import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

export interface DatabaseCount {
  /** Statements that were sent: simple queries, and executions of prepared ones. */
  readonly statements: number;
  /** Rows that came back. */
  readonly rows: number;
}

/**
 * Stands between a server and its PostgreSQL and counts, from outside, what goes over the wire
 * (https://www.postgresql.org/docs/current/protocol-message-formats.html: after the first, every message is a letter and a length).
 */
export class DatabaseMeter implements AsyncDisposable {
  readonly url: string;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: Set<Socket>;
  readonly #count: { statements: number; rows: number };

  private constructor(server: ReturnType<typeof createServer>, parts: { url: string; sockets: Set<Socket>; count: { statements: number; rows: number } }) {
    this.#server = server;
    this.url = parts.url;
    this.#sockets = parts.sockets;
    this.#count = parts.count;
  }

  /** `target`: a database on a Unix socket (`?host=/folder`), as `testDatabase` gives it. */
  static async start(target: string): Promise<DatabaseMeter> {
    const url = new URL(target);
    const path = join(url.searchParams.get('host') ?? '', '.s.PGSQL.5432');
    const count = { statements: 0, rows: 0 };
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = createConnection(path);
      for (const socket of [near, far]) {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('close', () => sockets.delete(socket));
      }
      const asked = messageReader(true, (type) => {
        if (type === 'Q' || type === 'E') count.statements += 1;
      });
      const answered = messageReader(false, (type) => {
        if (type === 'D') count.rows += 1;
      });
      near.on('data', asked);
      far.on('data', answered);
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

  /** So far. */
  get count(): DatabaseCount {
    return { ...this.#count };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Calls `onMessage` with the letter of each message of a byte stream. A client's first message has no letter. */
function messageReader(hasStartup: boolean, onMessage: (type: string) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  let isFirst = hasStartup;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (;;) {
      const head = isFirst ? 0 : 1;
      if (rest.length < head + 4) return;
      const size = head + rest.readUInt32BE(head);
      if (rest.length < size) return;
      if (!isFirst) onMessage(String.fromCharCode(rest[0] ?? 0));
      isFirst = false;
      rest = rest.subarray(size);
    }
  };
}
