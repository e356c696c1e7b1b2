import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';

export interface CutProxy {
  /** The database through the proxy. */
  readonly url: string;
  /** The next message that names this statement reaches the server; its answer reaches nobody, and the connection ends. */
  arm(statement: string): void;
  close(): Promise<void>;
}

/** A relay that can lose the answer to a statement which the server has carried out. For the contract suite. */
export async function cutAfterNextAnswer(databaseUrl: string): Promise<CutProxy> {
  const target = new URL(databaseUrl);
  const folder = target.searchParams.get('host');
  const open = (): Socket => (folder ? connect(join(folder, '.s.PGSQL.5432')) : connect(Number(target.port || 5432), target.hostname));
  let armed: string | undefined;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = open();
    let isCut = false;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    client.on('data', (data) => {
      isCut ||= armed !== undefined && data.includes(armed);
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (isCut) client.destroy();
      else client.write(data);
    });
    client.on('close', () => upstream.end());
    upstream.on('close', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const through = new URL(databaseUrl);
  through.searchParams.delete('host');
  through.hostname = '127.0.0.1';
  through.port = String(typeof address === 'object' && address ? address.port : 0);
  return {
    url: through.href,
    arm: (statement) => {
      armed = statement;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
