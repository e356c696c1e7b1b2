import { memoryOutbox, type OutboxStorage, type SessionView } from '@tendon/client';
import { Notifier, Outbox, readDelta, readEvent, SessionClient, type SessionHost } from '@tendon/client/parts';
import {
  type AgentData,
  type AgentNoticeName,
  type AgentNotices,
  type AgentRequest,
  type AgentRequestName,
  type Call,
  type Result,
  refusal,
} from '@tendon/protocol';
import type { Connection } from './network.ts';
import type { AgentEnd, ServerNode } from './server-node.ts';
import { SimulatedProcess } from './virtual-time.ts';
import type { World } from './world.ts';

const UNAVAILABLE = 'No connection to the server.';

/** One page or terminal of a person: the real session client and its outbox, over a network of the world. */
export class Device {
  readonly userId: string;
  readonly name: string;
  readonly #world: World;
  readonly #nodes: () => readonly ServerNode[];
  /** Survives a reload, as a browser's storage does. */
  readonly #storage: OutboxStorage = memoryOutbox();
  #process = new SimulatedProcess('device');
  #sessions = new Map<string, SessionClient>();
  #outbox: Outbox;
  #notifier: Notifier;
  #link: { connection: Connection; end: AgentEnd } | undefined;

  constructor(world: World, { userId, nodes }: { userId: string; nodes: () => readonly ServerNode[] }) {
    this.#world = world;
    this.userId = userId;
    this.name = `device ${world.newId().slice(-3)}`;
    this.#nodes = nodes;
    const made = this.#makeClient();
    this.#outbox = made.outbox;
    this.#notifier = made.notifier;
    this.#dialSoon(1);
  }

  get sessionIds(): string[] {
    return [...this.#sessions.keys()];
  }

  view(sessionId: string): SessionView | undefined {
    return this.#sessions.get(sessionId)?.view.get();
  }

  /** Online, and every open session as new as the server last said. */
  get isUpToDate(): boolean {
    return this.#link !== undefined && this.sessionIds.every((id) => this.view(id)?.phase === 'ready' && this.view(id)?.error === undefined);
  }

  /** Whether everything that was written here has been acknowledged or refused. */
  get hasSentAll(): boolean {
    return this.sessionIds.every((id) => this.#outbox.of(id).every((message) => message.state === 'refused'));
  }

  open(sessionId: string): SessionClient {
    const known = this.#sessions.get(sessionId);
    if (known) return known;
    return this.#within(() => {
      const session = new SessionClient(sessionId, this.#host());
      this.#sessions.set(sessionId, session);
      if (this.#link) session.setOnline(true);
      return session;
    });
  }

  say(sessionId: string, text: string, mode: 'queue' | 'interrupt'): void {
    this.#within(() => {
      const messageId = this.#world.newId();
      this.#world.judge.said({ messageId, sessionId, text });
      this.#outbox.add({ sessionId, messageId, text, mode, createdAt: new Date().toISOString(), state: 'waiting' });
    });
  }

  /** One request as a person's click makes it. */
  ask<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<Result<AgentData<Name>>> {
    return this.#within(() => this.#request(name, payload));
  }

  /** Calls in this state, as this person's pages show them. */
  callsIn(state: Call['state']): Call[] {
    return this.sessionIds.flatMap((id) => Object.values(this.view(id)?.calls ?? {}).filter((call) => call.state === state));
  }

  disconnect(): void {
    const link = this.#link;
    if (!link) return;
    this.#within(() => {
      link.connection.close('dialler', 'client namespace disconnect');
      this.#ended(link.connection);
    });
  }

  /** Everything but the stored outbox is forgotten. */
  reload(): void {
    const ids = this.sessionIds;
    this.#process.isDead = true;
    this.#link?.connection.processDied('dialler');
    this.#link = undefined;
    this.#process = new SimulatedProcess('device');
    this.#sessions = new Map();
    const made = this.#makeClient();
    this.#outbox = made.outbox;
    this.#notifier = made.notifier;
    for (const id of ids) this.open(id);
    this.#dialSoon(1);
    this.#world.judge.sometimes('a page is reloaded');
  }

  #within<T>(work: () => T): T {
    return this.#world.time.within(this.#process, work);
  }

  #makeClient(): { outbox: Outbox; notifier: Notifier } {
    return this.#within(() => ({
      notifier: new Notifier((flush) => this.#world.time.after(1, flush)),
      outbox: new Outbox({
        storage: this.#storage,
        execute: async (request) => {
          const result = await this.#request('agent:execute', request);
          if (result.ok) this.#world.judge.acknowledged(request.messageId, request.sessionId);
          return result;
        },
        random: this.#world.random.next,
        timers: { set: (task, ms) => this.#world.time.after(ms, task), clear: (cancel) => (cancel as () => void)() },
        onChange: (sessionId) => this.#sessions.get(sessionId)?.outboxChanged(),
        onAcknowledged: (message, seq) => this.#sessions.get(message.sessionId)?.acknowledged(message, seq),
        onStorageError: () => undefined,
      }),
    }));
  }

  #host(): SessionHost {
    return {
      notifier: this.#notifier,
      outbox: this.#outbox,
      timers: { set: (task, ms) => this.#world.time.after(ms, task), clear: (cancel) => (cancel as () => void)() },
      now: () => Date.now(),
      random: this.#world.random.next,
      ask: (name, payload) => this.#request(name, payload as AgentRequest<typeof name>),
      request: (name, payload) => this.#request(name, payload),
      notice: (notice) => this.#world.judge.noticed(notice),
      onReleased: () => undefined,
    };
  }

  async #request<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<Result<AgentData<Name>>> {
    const link = this.#link;
    if (!link) return refusal('unavailable', UNAVAILABLE);
    const { judge } = this.#world;
    try {
      const result = await link.end.ask(name, payload);
      judge.note(() => `${this.name}: ${name} ${result.ok ? 'ok' : result.error.code}`);
      return result;
    } catch (error) {
      judge.note(() => `${this.name}: ${name} lost: ${String(error)}`);
      return refusal('unavailable', UNAVAILABLE);
    }
  }

  #dialSoon(ms: number): void {
    this.#within(() => this.#world.time.after(ms, () => this.#dial()));
  }

  #dial(): void {
    const { random } = this.#world;
    const node = random.pick(this.#nodes());
    if (node.isDown) {
      this.#dialSoon(random.between(100, 2_000));
      return;
    }
    const own = this.#process;
    const connection = this.#world.connect(own, node.process);
    const notice = <Name extends AgentNoticeName>(name: Name, data: AgentNotices[Name]) => {
      if (this.#process === own) this.#hear(name, data);
    };
    const end = node.acceptAgent(connection, { peer: own, userId: this.userId, notice });
    connection.listen('dialler', { closed: () => this.#ended(connection) });
    this.#link = { connection, end };
    this.#world.judge.note(() => `${this.name} is online`);
    for (const session of this.#sessions.values()) session.setOnline(true);
    this.#outbox.setOnline(true);
  }

  #ended(connection: Connection): void {
    if (this.#link?.connection !== connection) return;
    this.#world.judge.note(() => `${this.name} is offline`);
    this.#link = undefined;
    for (const session of this.#sessions.values()) session.setOnline(false);
    this.#outbox.setOnline(false);
    this.#dialSoon(this.#world.random.between(100, 2_000));
  }

  #hear<Name extends AgentNoticeName>(name: Name, notice: AgentNotices[Name]): void {
    if (name === 'session:event') {
      const event = notice as AgentNotices['session:event'];
      this.#world.judge.heard(this.userId, event.sessionId);
      this.#sessions.get(event.sessionId)?.receive(readEvent(event));
    } else if (name === 'session:delta') {
      const delta = notice as AgentNotices['session:delta'];
      this.#world.judge.heard(this.userId, delta.sessionId);
      this.#sessions.get(delta.sessionId)?.receive(readDelta(delta));
    }
  }
}
