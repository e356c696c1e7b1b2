import {
  type AgentData,
  type AgentNoticeName,
  type AgentNotices,
  type AgentRequest,
  type AgentRequestName,
  type Delta,
  type GatewayAnswer,
  type GatewayRequestName,
  type Result,
  refusal,
} from '@tendon/protocol';
import {
  type AgentConnection,
  createRunner,
  createStore,
  type GatewayConnection,
  type NoticeChannel,
  type NoticeEars,
  type Runner,
} from '@tendon/server/parts';
import { openDatabase } from './database.ts';
import { simulatedModel } from './model.ts';
import type { Connection } from './network.ts';
import { serverTool } from './server-tool.ts';
import { SimulatedProcess } from './virtual-time.ts';
import type { World } from './world.ts';

type Notice = <Name extends AgentNoticeName>(name: Name, notice: AgentNotices[Name]) => void;

interface Room {
  readonly connection: Connection;
  readonly userId: string;
  /** Up to which event the client has been told, by session that it is attached to; undefined until its attach is answered. */
  readonly sessions: Map<string, number | undefined>;
  readonly notice: Notice;
}

export interface AgentEnd {
  ask<Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>): Promise<Result<AgentData<Name>>>;
}

export interface GatewayEnd {
  handle(name: GatewayRequestName, payload: unknown): Promise<unknown>;
}

interface GatewayPeer {
  readonly userId: string;
  readonly command: (name: string, payload: unknown, answer: (data: unknown) => void) => void;
}

const ASK_TIMEOUT_MS = 10_000;
const LEASE_MS = 10_000;

/** A server node: the real runner and the real store, over a database, models and a network of the world. */
export class ServerNode {
  readonly #world: World;
  readonly #name: string;
  readonly #nodes: () => readonly ServerNode[];
  readonly #connections = new Set<{ connection: Connection; peer: SimulatedProcess }>();
  readonly #rooms = new Set<Room>();
  #process = new SimulatedProcess('node');
  #runner: Runner | undefined;
  #ears: NoticeEars | undefined;
  /** Turns that stream at another node: this one only passes on what it hears of them. */
  readonly #heardTurns = new Set<string>();
  #boots = 0;

  constructor(world: World, { name, nodes }: { name: string; nodes: () => readonly ServerNode[] }) {
    this.#world = world;
    this.#name = name;
    this.#nodes = nodes;
    this.#process.isDead = true;
  }

  get process(): SimulatedProcess {
    return this.#process;
  }

  get isDown(): boolean {
    return this.#process.isDead || !this.#runner;
  }

  /** Running, and not stopped. */
  get isAwake(): boolean {
    return !this.isDown && !this.#process.held;
  }

  boot(): void {
    if (!this.#process.isDead) return;
    this.#boots += 1;
    const { time, random, databaseHealth: health, tables, judge, log, newId } = this.#world;
    this.#process = new SimulatedProcess(this.#name);
    const own = this.#process;
    const database = openDatabase({ time, random, health, tables, watch: judge });
    const now = () => new Date();
    const node = `${this.#name}-${this.#boots}`;
    time.within(own, () => {
      const store = createStore(database, { now: () => now().toISOString(), newId, random: random.next, pause: (ms) => time.wait(ms) });
      const runner = createRunner({
        node,
        store,
        models: simulatedModel(this.#world),
        fanout: {
          toSession: (sessionId, name, notice) => {
            if (name === 'session:delta' && !this.#heardTurns.has((notice as Delta).messageId)) judge.streamed(notice as Delta);
            this.#tell((room) => room.sessions.has(sessionId), name, notice);
          },
          toUser: (userId, name, notice) => this.#tell((room) => room.userId === userId, name, notice),
          hasAudience: (sessionId) => [...this.#rooms].some((room) => room.sessions.has(sessionId)),
          people: () => [...new Set([...this.#rooms].map((room) => room.userId))],
        },
        channel: this.#channel(own),
        ...(this.#world.hasServerTools ? { mcp: serverTool(this.#world, { node, process: own }) } : {}),
        log,
        now,
        newId,
      });
      this.#runner = runner;
      judge.nodeIsUp(this.#name, true);
      runner.start().catch(() => undefined);
    });
  }

  /** `kill -9`. */
  crash(): void {
    if (this.isDown) return;
    this.#process.isDead = true;
    this.#dropAll();
    this.#world.judge.sometimes('a node is killed');
  }

  /** SIGTERM: leases are given back, and what was in flight stays owed. */
  async terminate(): Promise<void> {
    const runner = this.#runner;
    const own = this.#process;
    if (!runner || this.isDown) return;
    await this.#world.time.within(own, () => runner.close()).catch(() => undefined);
    if (own.isDead || this.#process !== own) return;
    own.isDead = true;
    this.#dropAll();
    this.#world.judge.sometimes('a node is terminated');
  }

  /** SIGSTOP, and SIGCONT after a while. */
  stop(ms: number): void {
    const own = this.#process;
    if (this.isDown || own.held) return;
    this.#world.time.stop(own);
    this.#world.time.after(
      ms,
      () => {
        if (ms > LEASE_MS && !own.isDead) this.#world.judge.sometimes('a node is stopped for longer than its leases');
        this.#world.time.goOn(own);
      },
      null,
    );
  }

  peerDied(peer: SimulatedProcess): void {
    for (const entry of [...this.#connections]) {
      if (entry.peer !== peer) continue;
      this.#connections.delete(entry);
      entry.connection.processDied('dialler');
    }
  }

  /** Every connection of this node, for those who cut. */
  connections(): Connection[] {
    return [...this.#connections].map((entry) => entry.connection).filter((connection) => connection.isOpen);
  }

  acceptAgent(connection: Connection, { peer, userId, notice }: { peer: SimulatedProcess; userId: string; notice: Notice }): AgentEnd {
    const entry = { connection, peer };
    const room: Room = { connection, userId, sessions: new Map(), notice };
    this.#connections.add(entry);
    this.#rooms.add(room);
    const leave = () => {
      this.#connections.delete(entry);
      this.#rooms.delete(room);
    };
    connection.listen('listener', { closed: leave });
    const caller: AgentConnection = {
      userId,
      clientName: 'simulated',
      joinSession: (sessionId) => void room.sessions.set(sessionId, undefined),
      leaveSession: (sessionId) => void room.sessions.delete(sessionId),
      showNewest: () => undefined,
      onEnd: () => undefined,
    };
    return {
      ask: (name, payload) =>
        connection.request('listener', { timeoutMs: ASK_TIMEOUT_MS, handle: (answer) => void this.#answer(caller, name, payload).then(answer) }),
    };
  }

  acceptGateway(connection: Connection, peer: GatewayPeer & { process?: SimulatedProcess }): GatewayEnd {
    const { judge, time, newId } = this.#world;
    const runner = this.#runner;
    const own = this.#process;
    const entry = { connection, peer: peer.process ?? own };
    this.#connections.add(entry);
    let hasEnded = false;
    const ended = () => {
      if (hasEnded) return;
      hasEnded = true;
      this.#connections.delete(entry);
      runner?.gateways.disconnected(atServer);
    };
    const atServer: GatewayConnection = {
      connectionId: newId(),
      userId: peer.userId,
      call: (command, timeoutMs) => {
        judge.dispatched(command);
        return connection.request('dialler', {
          timeoutMs,
          handle: (answer) => peer.command('tool:call', command, (data) => answer(data as GatewayAnswer<'tool:call'>)),
        });
      },
      cancel: async (callId, timeoutMs) => {
        await connection.request('dialler', { timeoutMs, handle: (answer) => peer.command('tool:cancel', { callId }, answer) });
      },
      endSession: async (end, timeoutMs) => {
        await connection.request('dialler', { timeoutMs, handle: (answer) => peer.command('session:end', end, answer) });
      },
      watchBrowser: async () => undefined,
      disconnect: () => {
        connection.close('listener', 'io server disconnect');
        time.after(0, ended, own);
      },
    };
    connection.listen('listener', { closed: ended });
    return {
      handle: async (name, payload) => {
        if (!runner) return refusal('unavailable');
        try {
          const answer = await (runner.gateways.handlers[name] as (connection: GatewayConnection, payload: unknown) => Promise<unknown>)(atServer, payload);
          if (name !== 'tool:output') judge.note(() => `${own.name}: ${name} ${JSON.stringify(answer)}`);
          return answer;
        } catch {
          return refusal('internal');
        }
      },
    };
  }

  async #answer(caller: AgentConnection, name: AgentRequestName, payload: unknown): Promise<never> {
    try {
      const handler = this.#runner?.agent[name] as ((connection: AgentConnection, payload: unknown) => Promise<unknown>) | undefined;
      return ((await handler?.(caller, payload)) ?? refusal('unavailable')) as never;
    } catch {
      return refusal('internal') as never;
    }
  }

  /** To everyone at this node it is meant for. */
  #tell<Name extends AgentNoticeName>(isMeant: (room: Room) => boolean, name: Name, notice: AgentNotices[Name]): void {
    for (const room of this.#rooms) {
      if (!isMeant(room)) continue;
      if (name === 'session:event') this.#noteEvent(room, notice as AgentNotices['session:event']);
      room.connection.send('dialler', () => room.notice(name, notice));
    }
  }

  #noteEvent({ sessions }: Room, { sessionId, seq }: AgentNotices['session:event']): void {
    const last = sessions.get(sessionId);
    this.#world.judge.check('I8', last === undefined || seq === last + 1, () => `a client that was told event ${last} of ${sessionId} is told ${seq} next`);
    sessions.set(sessionId, seq);
  }

  /** Notices to the other nodes: in order, late as packets are, and some of them lost without a word. */
  #channel(own: SimulatedProcess): NoticeChannel {
    const { time, random, weather, judge } = this.#world;
    let last = 0;
    const send = (text: string): void => {
      if (own.isDead) return;
      last = Math.max(last, time.nowMs + random.between(0.1, weather.latencyMs));
      for (const node of this.#nodes()) {
        if (node === this || node.isDown) continue;
        if (random.chance(weather.lostNotices)) {
          judge.sometimes('a notice between nodes is lost');
          continue;
        }
        const { process } = node;
        time.after(last - time.nowMs, () => node.#process === process && node.#hear(text), process);
      }
    };
    return {
      send,
      listen: (ears) => {
        this.#ears = ears;
      },
      close: async () => undefined,
    };
  }

  #hear(text: string): void {
    const turn = turnOf(text);
    if (turn !== undefined) {
      this.#heardTurns.add(turn);
      this.#world.judge.sometimes('a node passes on what streams at another');
    }
    this.#ears?.heard(text);
  }

  #dropAll(): void {
    this.#runner = undefined;
    this.#ears = undefined;
    this.#world.judge.nodeIsUp(this.#name, false);
    for (const { connection } of this.#connections) connection.processDied('listener');
    this.#connections.clear();
    this.#rooms.clear();
  }
}

/** Which message a notice between nodes is streaming. */
function turnOf(text: string): string | undefined {
  if (!/"(delta|live)":/.test(text)) return undefined;
  const { delta, live } = JSON.parse(text) as { delta?: Delta; live?: { message: { id: string } } };
  return delta?.messageId ?? live?.message.id;
}
