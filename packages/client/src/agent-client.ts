import {
  AGENT_NOTICES,
  AGENT_REQUESTS,
  type AgentData,
  type AgentNoticeName,
  type AgentRequest,
  type AgentRequestName,
  ERROR_CODES,
  type Result,
  refusal,
  success,
  tryParse,
  validate,
} from '@tendon/protocol';
import { backoffMs } from './backoff.ts';
import { connectionState, type Link } from './connection/machine.ts';
import { Supervisor } from './connection/supervisor.ts';
import { GatewaysList } from './gateways-list.ts';
import { Outbox } from './outbox/outbox.ts';
import { memoryOutbox } from './outbox/storage.ts';
import { systemScheduler, systemTimers } from './scheduler.ts';
import { packetSessionId, readDelta, readEvent } from './session/inbound.ts';
import { SessionClient, type SessionHost } from './session/session-client.ts';
import { SessionsList } from './sessions-list.ts';
import { createStore, Notifier, type WritableStore } from './store.ts';
import type { AgentClientOptions, ConnectionState, GatewayList, Notice, SessionListView, Store, Timers } from './types.ts';

const REQUEST_TIMEOUT_MS = 10_000;
/** A session that nobody looks at any more is followed a little longer: going back and forth between two costs nothing. */
const LINGER_MS = 2_000;

interface OpenSession {
  readonly session: SessionClient;
  holders: number;
  linger: unknown;
}

/**
 * One person's connection to a Tendon server, and what is known through it. Connects when it is made and stays connected until
 * `close()` (connection/machine.ts has the drawing). Nothing in here throws for what a network or a server does.
 */
export class AgentClient {
  readonly connection: Store<ConnectionState>;
  readonly sessions: Store<SessionListView>;
  readonly gateways: Store<GatewayList>;
  /** Whether `gateways` has come once: until then an empty list says nothing of the person's machines. */
  readonly gatewaysLoaded: Store<boolean>;
  /** How often the server has said that `mcp:list` has another answer now. */
  readonly mcpChanges: Store<number>;
  /** The last notice of the server, or of the client itself. */
  readonly notices: Store<Notice | undefined>;
  readonly #connection: WritableStore<ConnectionState>;
  readonly #notices: WritableStore<Notice | undefined>;
  readonly #sessionsList: SessionsList;
  readonly #gatewaysList: GatewaysList;
  readonly #mcpChanges: WritableStore<number>;
  readonly #supervisor: Supervisor;
  readonly #outbox: Outbox;
  readonly #notifier: Notifier;
  readonly #timers: Timers;
  readonly #host: SessionHost;
  readonly #open = new Map<string, OpenSession>();
  #isOnline = false;
  #refreshing: { timer: unknown } | undefined;

  constructor(options: AgentClientOptions) {
    const now = options.now ?? Date.now;
    const random = options.random ?? Math.random;
    this.#timers = options.timers ?? systemTimers;
    this.#notifier = new Notifier(options.scheduler ?? systemScheduler);
    this.#connection = createStore<ConnectionState>({ kind: 'connecting', attempt: 1 }, this.#notifier);
    this.#notices = createStore<Notice | undefined>(undefined, this.#notifier);
    this.#sessionsList = new SessionsList((payload) => this.request('session:list', payload), this.#notifier);
    this.#gatewaysList = new GatewaysList(() => this.request('gateway:list', {}), this.#notifier);
    this.#mcpChanges = createStore(0, this.#notifier);
    this.connection = this.#connection;
    this.notices = this.#notices;
    this.sessions = this.#sessionsList.store;
    this.gateways = this.#gatewaysList.store;
    this.gatewaysLoaded = this.#gatewaysList.isLoaded;
    this.mcpChanges = this.#mcpChanges;
    this.#outbox = this.#makeOutbox(options, random);
    this.#host = this.#makeHost(now, random);
    this.#supervisor = new Supervisor({
      url: options.url,
      client: options.client,
      token: options.token,
      requestTimeoutMs: options.requestTimeoutMs ?? REQUEST_TIMEOUT_MS,
      now,
      random,
      timers: this.#timers,
      onLink: (link) => this.#onLink(link),
      onPacket: (name, payload) => this.#onPacket(name, payload),
    });
    this.#supervisor.start();
  }

  /** Tries to connect now instead of at the end of the wait; after a refusal for good, once more. */
  connectNow(): void {
    this.#supervisor.tryNow();
  }

  /** Loads the next page of `sessions`; the first one again when that failed. */
  async loadMoreSessions(): Promise<void> {
    await this.#sessionsList.loadMore();
  }

  /**
   * One request of the protocol, checked both ways. Never throws: offline it answers `unavailable` at once, after 10 s without an
   * answer as well (whether the server acted is then not known).
   */
  async request<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<Result<AgentData<Name>>> {
    // Checked here too, because a packet over the size limit would cost the connection and not only the request.
    const checked = validate(AGENT_REQUESTS[name].payload, payload);
    if (!checked.ok) return checked;
    const result = await this.#supervisor.ask(name, checked.data);
    if (!result.ok) return result;
    const data = tryParse(AGENT_REQUESTS[name].data, result.data);
    if (!data.success) return refusal('internal', 'The server answered in a shape that this client does not know.');
    return success(data.data as AgentData<Name>);
  }

  /** Follows a session until as many `release()` as `open()` were called. The same object for the same id. */
  open(sessionId: string): SessionClient {
    const entry = this.#open.get(sessionId) ?? this.#start(sessionId);
    entry.holders += 1;
    this.#stopLinger(entry);
    return entry.session;
  }

  /** The session if it is open, without opening it. */
  peek(sessionId: string): SessionClient | undefined {
    return this.#open.get(sessionId)?.session;
  }

  /** Ends the connection for good. Messages not yet acknowledged stay in the storage. */
  close(): void {
    this.#supervisor.close();
    this.#outbox.close();
    for (const entry of this.#open.values()) {
      this.#stopLinger(entry);
      entry.session.close();
    }
    this.#notifier.close();
  }

  #makeOutbox(options: AgentClientOptions, random: () => number): Outbox {
    return new Outbox({
      storage: options.storage ?? memoryOutbox(),
      execute: (request) => this.request('agent:execute', request),
      random,
      timers: this.#timers,
      onChange: (sessionId) => this.peek(sessionId)?.outboxChanged(),
      onAcknowledged: (message, seq) => this.peek(message.sessionId)?.acknowledged(message, seq),
      onStorageError: () =>
        this.#notices.set({ code: 'storage_failed', message: 'Unsent messages cannot be stored on this device. Keep this page open until they are sent.' }),
    });
  }

  #makeHost(now: () => number, random: () => number): SessionHost {
    return {
      notifier: this.#notifier,
      outbox: this.#outbox,
      timers: this.#timers,
      now,
      random,
      ask: (name, payload) => this.#supervisor.ask(name, payload),
      request: (name, payload) => this.request(name, payload),
      notice: (notice) => this.#notices.set(notice),
      onReleased: (sessionId) => this.#release(sessionId),
    };
  }

  #start(sessionId: string): OpenSession {
    const entry: OpenSession = { session: new SessionClient(sessionId, this.#host), holders: 0, linger: undefined };
    this.#open.set(sessionId, entry);
    if (this.#isOnline) entry.session.setOnline(true);
    return entry;
  }

  #release(sessionId: string): void {
    const entry = this.#open.get(sessionId);
    if (!entry || entry.holders === 0) return;
    entry.holders -= 1;
    if (entry.holders > 0 || this.#connection.get().kind === 'closed') return;
    entry.linger = this.#timers.set(() => this.#leave(sessionId, entry), LINGER_MS);
  }

  #leave(sessionId: string, entry: OpenSession): void {
    this.#open.delete(sessionId);
    entry.session.close();
    void this.request('session:detach', { sessionId });
  }

  #stopLinger(entry: OpenSession): void {
    if (entry.linger !== undefined) this.#timers.clear(entry.linger);
    entry.linger = undefined;
  }

  #onLink(link: Link): void {
    this.#connection.set(connectionState(link));
    const isOnline = link.kind === 'online';
    if (isOnline === this.#isOnline) return;
    this.#isOnline = isOnline;
    for (const { session } of this.#open.values()) session.setOnline(isOnline);
    this.#outbox.setOnline(isOnline);
    this.#stopRefresh();
    if (!isOnline) return;
    // A server that was ending has ended, and this one is there.
    if (this.#notices.get()?.code === 'shutting_down') this.#notices.set(undefined);
    void this.#refresh(1);
  }

  /** Loads the lists; tries again while online, since nothing else would bring them up to date. */
  async #refresh(attempt: number): Promise<void> {
    const refresh = { timer: undefined as unknown };
    this.#refreshing = refresh;
    const loaded = await Promise.all([this.#sessionsList.reload(), this.#gatewaysList.reload()]);
    if (loaded.every((isLoaded) => isLoaded) || this.#refreshing !== refresh) return;
    refresh.timer = this.#timers.set(() => void this.#refresh(attempt + 1), backoffMs(attempt, this.#host.random()));
  }

  #stopRefresh(): void {
    if (this.#refreshing?.timer !== undefined) this.#timers.clear(this.#refreshing.timer);
    this.#refreshing = undefined;
  }

  #onPacket(name: AgentNoticeName, payload: unknown): void {
    switch (name) {
      case 'session:delta':
        this.peek(packetSessionId(payload) ?? '')?.receive(readDelta(payload));
        return;
      case 'session:event':
        this.peek(packetSessionId(payload) ?? '')?.receive(readEvent(payload));
        return;
      case 'browser:frame':
      case 'browser:state':
        this.peek(packetSessionId(payload) ?? '')?.receiveBrowser(name, payload);
        return;
      case 'session:summary':
        this.#read(name, payload, ({ session, deleted }) => this.#onSummary(session, deleted === true));
        return;
      case 'gateway:presence':
        this.#read(name, payload, ({ gateway }) => this.#gatewaysList.apply(gateway));
        return;
      case 'mcp:changed':
        this.#mcpChanges.set(this.#mcpChanges.get() + 1);
        return;
      case 'server:notice':
        this.#read(name, payload, (notice) => this.#notices.set(notice));
    }
  }

  #read<Name extends AgentNoticeName>(name: Name, payload: unknown, use: (packet: ReturnType<(typeof AGENT_NOTICES)[Name]['parse']>) => void): void {
    const parsed = tryParse(AGENT_NOTICES[name], payload);
    if (parsed.success) use(parsed.data as ReturnType<(typeof AGENT_NOTICES)[Name]['parse']>);
    else this.#notices.set({ code: 'invalid_event', message: `The server sent an unreadable ${name}. ${ERROR_CODES.internal.text}` });
  }

  #onSummary(session: Parameters<SessionsList['apply']>[0], isDeleted: boolean): void {
    this.#sessionsList.apply(session, isDeleted);
    if (isDeleted) this.peek(session.id)?.deleted();
  }
}
