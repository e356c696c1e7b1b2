import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A door of this machine that nobody may come to. */
export interface CanaryDoor extends AsyncDisposable {
  readonly url: string;
  /** How often somebody came. */
  readonly touched: number;
}

export async function startCanaryDoor(): Promise<CanaryDoor> {
  let touched = 0;
  const server = createServer((_request, response) => {
    touched += 1;
    response.end('owned');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get touched() {
      return touched;
    },
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
