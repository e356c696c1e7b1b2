import { randomUUID } from 'node:crypto';
import { GATEWAY_NAMESPACE, type GatewayRequestName, PROTOCOL_VERSION, type Result, SOCKET_PATH } from '@tendon/protocol';
import { within } from '@tendon/testing';
import { io, type Socket } from 'socket.io-client';

/** Only met when something is wrong: as long as that of a person's socket. */
const DEADLINE_MS = 20_000;

/** A machine that says whatever it is told to say. */
export class MachineSocket implements AsyncDisposable {
  /** The commands that the server has sent, oldest first. */
  readonly commands: { readonly name: string; readonly payload: unknown; readonly answer: (answer: unknown) => void }[] = [];
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.onAny((name: string, payload: unknown, answer: (answer: unknown) => void) => this.commands.push({ name, payload, answer }));
  }

  static async connect({ url, key }: { readonly url: string; readonly key: string }): Promise<MachineSocket> {
    const auth = { protocol: PROTOCOL_VERSION, token: key, client: { name: 'evil', version: '1' } };
    const socket = io(new URL(GATEWAY_NAMESPACE, url).href, { path: SOCKET_PATH, auth, reconnection: false, forceNew: true, transports: ['websocket'] });
    const connected = new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    await within('the machine to connect', connected, DEADLINE_MS);
    return new MachineSocket(socket);
  }

  get isConnected(): boolean {
    return this.#socket.connected;
  }

  request(name: GatewayRequestName, payload: object): Promise<Result<Record<string, unknown>>> {
    return within(`an answer to ${name}`, this.#socket.emitWithAck(name, payload) as Promise<Result<Record<string, unknown>>>, DEADLINE_MS);
  }

  /** What takes no acknowledgement. */
  tell(name: GatewayRequestName, payload: object): void {
    this.#socket.emit(name, payload);
  }

  hello(more: object): Promise<Result<Record<string, unknown>>> {
    const tools = [{ name: 'bash', description: 'Runs a command.', inputSchema: {}, effect: 'execute', source: 'builtin' }];
    const plain = { gatewayId: randomUUID(), instanceId: randomUUID(), name: 'evil', platform: 'linux', version: '1', workspaces: [{ path: '/', name: '/' }] };
    return this.request('gateway:hello', { ...plain, tools, calls: [], ...more });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.disconnect();
  }
}
