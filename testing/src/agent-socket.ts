import {
  AGENT_NAMESPACE,
  type AgentData,
  type AgentNoticeName,
  type AgentNotices,
  type AgentRequest,
  type AgentRequestName,
  type HandshakeRefusal,
  PROTOCOL_VERSION,
  type Result,
  SOCKET_PATH,
} from '@tendon/protocol';
import { io, type Socket } from 'socket.io-client';
import { until, within } from './until.ts';

/** Only met when something is wrong: generous, for machines that are busy with other things. */
const DEADLINE_MS = 20_000;

/** One event as it came. */
export type Notice = { readonly [Name in AgentNoticeName]: { readonly name: Name; readonly notice: AgentNotices[Name] } }[AgentNoticeName];

export interface AgentSocketOptions {
  readonly url: string;
  /** None for a browser that comes with a cookie. */
  readonly key?: string;
  /** What a browser sends besides. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The client's name, which other devices see. */
  readonly name?: string;
}

/**
 * A plain Socket.IO client of `/agent` that keeps all it hears, in order. It never connects again by itself.
 *
 *   connected ──close(), or the server's end──► closed
 */
export class AgentSocket implements AsyncDisposable {
  /** Everything that came, oldest first. */
  readonly received: Notice[] = [];
  /** Resolves with Socket.IO's reason when the connection has ended. */
  readonly ended: Promise<string>;
  readonly #socket: Socket;
  readonly #listeners = new Set<() => void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.ended = new Promise((resolve) => socket.once('disconnect', (reason) => resolve(reason)));
    socket.onAny((name: AgentNoticeName, notice: unknown) => {
      this.received.push({ name, notice } as Notice);
      for (const listener of [...this.#listeners]) listener();
    });
  }

  /** Rejects with the server's refusal as `cause` when it is not let in. */
  static async connect({ url, key, headers, name }: AgentSocketOptions): Promise<AgentSocket> {
    const socket = io(new URL(AGENT_NAMESPACE, url).href, {
      path: SOCKET_PATH,
      auth: { protocol: PROTOCOL_VERSION, ...(key === undefined ? {} : { token: key }), client: { name: name ?? 'test', version: '1.0.0' } },
      reconnection: false,
      forceNew: true,
      transports: ['websocket'],
      ...(headers === undefined ? {} : { extraHeaders: headers }),
    });
    const agent = new AgentSocket(socket);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve);
    socket.once('connect_error', (error: Error & { data?: HandshakeRefusal }) => reject(new Error(`refused: ${error.message}`, { cause: error.data })));
    try {
      await within('the socket to connect', promise, DEADLINE_MS);
      return agent;
    } catch (error) {
      socket.disconnect();
      throw error;
    }
  }

  get isConnected(): boolean {
    return this.#socket.connected;
  }

  /** The acknowledgement, refusals included. */
  request<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<Result<AgentData<Name>>> {
    const answer = this.#socket.emitWithAck(name, payload) as Promise<Result<AgentData<Name>>>;
    const gone = this.ended.then((reason): never => {
      throw new Error(`the connection ended (${reason}) before ${name} was acknowledged`);
    });
    return within(`the acknowledgement of ${name}`, Promise.race([answer, gone]), DEADLINE_MS);
  }

  /** The acknowledgement's data; a refusal throws. */
  async ask<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<AgentData<Name>> {
    const answer = await this.request(name, payload);
    if (!answer.ok) throw new Error(`${name} was refused: ${answer.error.code}: ${answer.error.message}`);
    return answer.data;
  }

  /** Sends without wanting to know: the acknowledgement is lost on its way back. */
  sendBlindly<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): void {
    this.#socket.emit(name, payload, () => undefined);
  }

  /** Resolves as soon as `check`, asked after every event, has an answer. */
  until<T>(what: string, check: () => T | undefined | false, deadlineMs = DEADLINE_MS): Promise<T> {
    return until({ what, check, on: (listener) => this.onNotice(listener), deadlineMs });
  }

  /** Calls the listener after every event; answers with the way to stop that. */
  onNotice(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#socket.disconnect();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
