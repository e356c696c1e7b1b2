import type { Server } from 'node:http';
import type { Config } from '../config.ts';
import { StartError } from '../start-error.ts';

/** Starts listening and returns the real port. A taken port or a wrong host is a StartError that names the variable. */
export async function listen(server: Server, config: Pick<Config, 'host' | 'port'>): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException) => reject(explain(error, config));
    server.once('error', onError);
    server.listen({ host: config.host, port: config.port }, () => {
      server.off('error', onError);
      resolve();
    });
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server listens on no port');
  return address.port;
}

function explain(error: NodeJS.ErrnoException, { host, port }: Pick<Config, 'host' | 'port'>): Error {
  const options = { cause: error };
  if (error.code === 'EADDRINUSE') return new StartError(`TENDON_PORT is ${port}, which another program uses: stop that one, or give another port (--port ${port + 1}, or 0 for any free one)`, options);
  if (error.code === 'EACCES') return new StartError(`TENDON_PORT is ${port}, which this user may not open: give a port above 1023`, options);
  if (error.code === 'EADDRNOTAVAIL' || error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN') return new StartError(`TENDON_HOST is "${host}", which is no address of this machine: give 127.0.0.1, 0.0.0.0 or one of its own addresses`, options);
  return error;
}
