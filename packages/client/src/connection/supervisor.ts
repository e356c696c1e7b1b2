import {
  AGENT_NAMESPACE,
  AGENT_NOTICES,
  type AgentNoticeName,
  type Fault,
  PROTOCOL_VERSION,
  RELAY_CUT_OFF,
  type Result,
  refusal,
  SOCKET_PATH,
} from '@tendon/protocol';
import { io, type Socket } from 'socket.io-client';
import type { Timers } from '../types.ts';
import { connectionState, firstStep, type Link, type LinkAction, type LinkInput, type LinkStep, step } from './machine.ts';
import { readDisconnect, readFarewell, readRefusal } from './refusal.ts';
import { RequestBook } from './request-book.ts';
import { TokenCache, type TokenSource } from './token-cache.ts';
import { type WakeSources, watchWake } from './wake.ts';

export interface SupervisorOptions {
  readonly url: string;
  readonly client: { readonly name: string; readonly version: string };
  readonly token: TokenSource;
  readonly requestTimeoutMs: number;
  readonly now: () => number;
  readonly random: () => number;
  readonly timers: Timers;
  readonly wakeSources?: WakeSources;
  readonly onLink: (link: Link) => void;
  readonly onPacket: (name: AgentNoticeName, payload: unknown) => void;
}

/** Token, transport and handshake together. Covers a server that accepts the connection and then says nothing. */
const DIAL_LIMIT_MS = 20_000;
const NOTICE_NAMES = Object.keys(AGENT_NOTICES) as AgentNoticeName[];

/**
 * Owns the socket and its timers, and does what the machine says (its drawing is in machine.ts). One socket at most is alive:
 * `dial` and `hang_up` end the one before, and what an ended socket still says is not heard.
 */
export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #token: TokenCache;
  readonly #requests: RequestBook;
  readonly #unwatch: () => void;
  #link: Link = firstStep.link;
  #socket: Socket | undefined;
  #timer: unknown;
  /** Raised with every dial and hang-up: an answer that carries an older one is late. */
  #generation = 0;
  #lastHeardAt = 0;
  /** The first one counts: the server's own words come before its relay's. */
  #farewell: Fault | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#token = new TokenCache(options.token);
    this.#requests = new RequestBook(options.timers);
    this.#unwatch = watchWake(() => this.#input({ kind: 'woken', now: options.now() }), options.wakeSources);
  }

  get link(): Link {
    return this.#link;
  }

  start(): void {
    this.#take(firstStep);
  }

  tryNow(): void {
    this.#input({ kind: 'try_now' });
  }

  close(): void {
    this.#unwatch();
    this.#input({ kind: 'close' });
  }

  /** One request. Never throws; offline it answers `unavailable` at once, with the state and the time of the next try. The data is as it came, unchecked. */
  ask(name: string, payload: unknown): Promise<Result<unknown>> {
    const socket = this.#socket;
    if (this.#link.kind !== 'online' || !socket)
      return Promise.resolve(refusal('unavailable', 'There is no connection to the server.', connectionState(this.#link)));
    const sentAt = this.#options.now();
    return this.#requests.ask({
      timeoutMs: this.#options.requestTimeoutMs,
      emit: (acknowledge) => void socket.emit(name, payload, acknowledge),
      onTimeout: () => this.#onTimeout(socket, sentAt),
    });
  }

  /** A slow answer is only slow. When nothing at all came since, not even a ping, the connection is dead and does not know it. */
  #onTimeout(socket: Socket, sentAt: number): void {
    if (socket !== this.#socket || this.#lastHeardAt > sentAt) return;
    this.#drop({ code: 'unavailable', message: 'The server has stopped answering.' });
  }

  #input(input: LinkInput): void {
    this.#take(step(this.#link, input));
  }

  #take(next: LinkStep): void {
    const isChanged = next.link !== this.#link || next === firstStep;
    this.#link = next.link;
    for (const action of next.actions) this.#act(action);
    if (isChanged && this.#link === next.link) this.#options.onLink(next.link);
  }

  #act(action: LinkAction): void {
    switch (action.kind) {
      case 'dial':
        this.#hangUp();
        void this.#dial(action.renewToken);
        return;
      case 'hang_up':
        this.#hangUp();
        return;
      case 'wait':
        this.#setTimer(() => this.#input({ kind: 'time_is_up' }), action.delayMs);
        return;
      case 'probe':
        void this.ask('gateway:list', {});
    }
  }

  async #dial(renewToken: boolean): Promise<void> {
    const generation = this.#generation;
    this.#setTimer(() => {
      this.#token.forgetPending();
      this.#refuse({ code: 'unavailable', message: 'The server did not answer in time.' }, 0);
    }, DIAL_LIMIT_MS);
    try {
      const token = await this.#token.get(renewToken);
      if (generation === this.#generation) this.#connect(token);
    } catch {
      if (generation === this.#generation) this.#refuse({ code: 'unavailable', message: 'No credential could be fetched for the connection.' }, 0);
    }
  }

  #connect(token: string | undefined): void {
    const { url, client } = this.#options;
    const socket = io(new URL(AGENT_NAMESPACE, url).href, {
      path: SOCKET_PATH,
      transports: ['websocket', 'polling'],
      tryAllTransports: true,
      reconnection: false,
      forceNew: true,
      withCredentials: true,
      autoConnect: false,
      timeout: DIAL_LIMIT_MS,
      auth: { protocol: PROTOCOL_VERSION, client, ...(token === undefined ? {} : { token }) },
    });
    this.#socket = socket;
    this.#farewell = undefined;
    socket.on('connect', () => this.#onConnect(socket));
    socket.on('connect_error', (error) => {
      const { reason, retryAfterMs } = readRefusal(error);
      this.#refuse(reason, retryAfterMs);
    });
    socket.on('disconnect', (reason) => this.#drop(readDisconnect(reason, this.#farewell)));
    for (const name of NOTICE_NAMES) socket.on(name, (payload: unknown) => this.#onPacket(name, payload));
    socket.connect();
  }

  #onConnect(socket: Socket): void {
    this.#clearTimer();
    socket.io.engine.on('packet', () => {
      this.#lastHeardAt = this.#options.now();
    });
    this.#input({ kind: 'connected', now: this.#options.now() });
  }

  #onPacket(name: AgentNoticeName, payload: unknown): void {
    const farewell = name === 'server:notice' ? readFarewell(payload) : undefined;
    this.#farewell ??= farewell;
    // What the state of the connection says is not told a second time.
    if (farewell?.code !== RELAY_CUT_OFF) this.#options.onPacket(name, payload);
  }

  #refuse(reason: Fault, retryAfterMs: number): void {
    const { now, random } = this.#options;
    this.#input({ kind: 'refused', now: now(), jitter: random(), reason, retryAfterMs, canRenew: this.#token.canRenew });
  }

  #drop(reason: Fault): void {
    this.#input({ kind: 'dropped', now: this.#options.now(), jitter: this.#options.random(), reason });
  }

  #hangUp(): void {
    this.#generation += 1;
    this.#clearTimer();
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      // Listeners go first: what this socket says from here on is about a connection that is over.
      socket.off();
      socket.disconnect();
    }
    this.#requests.settleAll('The connection to the server was lost.');
  }

  #setTimer(task: () => void, delayMs: number): void {
    this.#clearTimer();
    this.#timer = this.#options.timers.set(task, delayMs);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#options.timers.clear(this.#timer);
    this.#timer = undefined;
  }
}
