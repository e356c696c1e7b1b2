import type { Log } from '@tendon/protocol';
import { type LinkInput, type LinkRefusal, type LinkState, nextLinkState } from './connection.ts';
import type { GatewaySocket, OpenSocket, SocketEnd, SocketOptions } from './gateway-socket.ts';

/** What greets the server on a fresh socket. Only when it is `ready` is the link online. */
export type Greeting =
  | { readonly kind: 'ready' }
  | { readonly kind: 'retry'; readonly cause: string; readonly retryAfterMs?: number | undefined }
  | { readonly kind: 'refused'; readonly reason: LinkRefusal };

export interface SupervisorOptions {
  readonly socket: SocketOptions;
  readonly openSocket: OpenSocket;
  readonly greet: (socket: GatewaySocket) => Promise<Greeting>;
  readonly command: (name: string, payload: unknown, answer: (data: unknown) => void) => void;
  readonly log: Log;
  readonly nowMs: () => number;
  readonly random: () => number;
}

/**
 * The one owner of the socket. Its states are those of connection.ts; what has to exist in each follows from the state alone:
 * a socket while connecting or online, a timer while waiting, nothing otherwise.
 */
export class LinkSupervisor {
  readonly #options: SupervisorOptions;
  readonly #listeners = new Set<(state: LinkState) => void>();
  #state: LinkState = { kind: 'idle' };
  #socket: GatewaySocket | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** The socket, while the link is online. */
  get online(): GatewaySocket | undefined {
    return this.#state.kind === 'online' ? this.#socket : undefined;
  }

  /** The socket, also before the server has answered the greeting: for hints that may be lost. */
  get socket(): GatewaySocket | undefined {
    return this.#socket;
  }

  /** Calls `listener` with every new state. Answers with the way to stop that. */
  subscribe(listener: (state: LinkState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    this.#take({ type: 'start' });
  }

  /** Ends socket and timer. May be called twice. */
  stop(): void {
    this.#take({ type: 'stop' });
  }

  /** Gives the present connection up, because it does not do what it should; the next try follows after a wait. */
  giveUp(cause: string): void {
    if ('attempt' in this.#state) this.#take({ type: 'lost', attempt: this.#state.attempt, cause });
  }

  #take(input: LinkInput): void {
    const before = this.#state;
    const after = nextLinkState(before, input, { nowMs: this.#options.nowMs(), random: this.#options.random() });
    if (after === before) return;
    this.#state = after;
    this.#follow(before, after);
    for (const listener of this.#listeners) listener(after);
  }

  #follow(before: LinkState, after: LinkState): void {
    if (before.kind === 'waiting') clearTimeout(this.#timer);
    if (after.kind === 'idle' || after.kind === 'waiting' || after.kind === 'failed') {
      this.#socket?.close();
      this.#socket = undefined;
    }
    if (after.kind === 'waiting') this.#timer = setTimeout(() => this.#take({ type: 'elapsed', attempt: after.attempt }), after.delayMs);
    if (after.kind === 'connecting') this.#connect(after.attempt);
    this.#tell(after);
  }

  #connect(attempt: number): void {
    const socket = this.#options.openSocket(this.#options.socket, {
      connected: () => void this.#greet(socket, attempt),
      ended: (end) => this.#ended(attempt, end),
      command: this.#options.command,
    });
    this.#socket = socket;
  }

  async #greet(socket: GatewaySocket, attempt: number): Promise<void> {
    const greeting = await this.#options.greet(socket).catch((error: unknown): Greeting => {
      this.#options.log.error({ err: error }, 'the greeting failed');
      return { kind: 'retry', cause: 'the greeting failed' };
    });
    if (greeting.kind === 'ready') this.#take({ type: 'connected', attempt });
    else if (greeting.kind === 'refused') this.#take({ type: 'refused', attempt, reason: greeting.reason });
    else this.#take({ type: 'lost', attempt, cause: greeting.cause, retryAfterMs: greeting.retryAfterMs });
  }

  #ended(attempt: number, end: SocketEnd): void {
    if (end.kind === 'refused') this.#take({ type: 'refused', attempt, reason: { code: end.code, message: end.message } });
    else this.#take({ type: 'lost', attempt, cause: end.cause, retryAfterMs: end.retryAfterMs });
  }

  #tell(state: LinkState): void {
    const { log } = this.#options;
    if (state.kind === 'online') log.info({ attempt: state.attempt }, 'connected to the server');
    else if (state.kind === 'waiting')
      log.warn({ attempt: state.attempt, waitMs: state.delayMs, reason: state.cause }, 'no connection to the server: trying again later');
    else if (state.kind === 'failed') log.error({ code: state.reason.code, reason: state.reason.message }, 'the server refuses this gateway');
  }
}
