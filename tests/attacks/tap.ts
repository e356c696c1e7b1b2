import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy on loopback that passes everything on and keeps what came back, byte for byte. */
export class Tap implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** By connection, so that what one was sent stands together. */
  readonly #answers: Buffer[][] = [];
  #target = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (near) => this.#pass(near));
  }

  static async start(): Promise<Tap> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Tap(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  aim(port: number): void {
    this.#target = port;
  }

  /** All that was answered so far. */
  get heard(): Buffer {
    return Buffer.concat(this.#answers.flat());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #pass(near: Socket): void {
    const far = createConnection({ host: '127.0.0.1', port: this.#target });
    const answer: Buffer[] = [];
    this.#answers.push(answer);
    far.on('data', (chunk) => answer.push(chunk));
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.once('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
  }
}
