import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { HandshakeRefusal, Log } from '@tendon/protocol';
import { GATEWAY_NAMESPACE } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import type { CutCode, Refusals } from '../refusals.ts';
import { ByteBudget } from './byte-budget.ts';
import { ConnectionCrowd, type Newcomer } from './connection-crowd.ts';
import { Inbound } from './inbound.ts';
import { InboundPace } from './inbound-pace.ts';
import type { TransportLimits } from './limits.ts';
import type { CrowdRefusal, NamespaceName, TransportOptions } from './options.ts';
import { Outbound } from './outbound.ts';
import { readInSlices } from './posted-packets.ts';
import { connectionIdOf, type EngineConnection, endNow, endSoon, inboundBytes, limitPollingClose, writeTogether } from './wire.ts';

/*
 *            track                 join                    leave last namespace
 *  (engine) ───────► unauthenticated ───────► in a namespace ───────────────────► ended
 *                        │ 5 s (Socket.IO's connectTimeout)                         ▲
 *                        │ more than `handshakeAttempts` handshakes                 │
 *                        │ its place is another's now (T25)                         │
 *                        └──────────────────────────────────────────────────────────┤
 *                          slow reader, ping timeout, close ────────────────────────┘
 */
interface Tracked extends Newcomer {
  readonly connection: EngineConnection;
  attempts: number;
  readonly namespaces: Set<string>;
  /** Who sits here, for the log: set when the first namespace has let them in. */
  who: object;
  seenBytes: number;
  readonly pace: InboundPace;
  readonly inbound: Inbound;
  readonly outbound: Outbound;
  /** The places of its person, by namespace. */
  readonly seats: Map<string, () => void>;
}

const SWEEP_MS = 1_000;

interface Cut {
  readonly event: CutCode;
  readonly text: string;
  /** What waited for it, or of it. */
  readonly bytes?: number;
}

const SLOW: Cut = { event: 'slow_consumer', text: 'its reader is too slow' };
const HANDSHAKES: Cut = { event: 'handshake_flood', text: 'too many handshakes' };
const UNFINISHED: Cut = { event: 'unfinished_message', text: 'a message of it is not finished, and too much or too old' };
const FLOOD: Cut = { event: 'packet_flood', text: 'too many packets at once' };

type EngineOptions = Pick<TransportOptions, 'log' | 'refusals' | 'addressOf' | 'now'>;

/** The physical connections below the namespaces: how many handshakes each may try, what may wait for it, and its end. */
export class EngineConnections {
  readonly #limits: TransportLimits;
  readonly #log: Log;
  readonly #refusals: Refusals;
  readonly #addressOf: TransportOptions['addressOf'];
  readonly #now: () => number;
  readonly #crowd: ConnectionCrowd;
  readonly #unsent: ByteBudget;
  readonly #unfinished: ByteBudget;
  readonly #tracked = new Map<EngineConnection, Tracked>();
  readonly #paces = new Map<string, InboundPace>();
  /** TCP connections that WebSockets stand on, or were to. */
  readonly #upgraded = new Set<Duplex>();
  readonly #sweep: NodeJS.Timeout;

  constructor(limits: TransportLimits, { log, refusals, addressOf, now = () => performance.now() }: EngineOptions) {
    this.#limits = limits;
    this.#log = log;
    this.#refusals = refusals;
    this.#addressOf = addressOf;
    this.#now = now;
    this.#crowd = new ConnectionCrowd(limits.connections, { log, now });
    this.#unsent = new ByteBudget(limits.unsent);
    this.#unfinished = new ByteBudget(limits.unfinished.budget);
    this.#sweep = setInterval(() => this.#lookAtAll(), SWEEP_MS);
    this.#sweep.unref();
  }

  /** Why nobody more may come from where this request does. */
  crowdAt(request: IncomingMessage): CrowdRefusal | undefined {
    return this.#crowd.atDoor(this.#addressOf(request));
  }

  track(connection: EngineConnection): void {
    const tracked = this.#trackedOf(connection);
    this.#tracked.set(connection, tracked);
    this.#paces.set(connectionIdOf(connection), tracked.pace);
    readInSlices(connection, (packets) => tracked.pace.mayRead(packets));
    limitPollingClose(connection, this.#limits.closeGraceMs);
    connection.on('flush', () => writeTogether(connection));
    connection.once('close', () => {
      this.#tracked.delete(connection);
      this.#paces.delete(connectionIdOf(connection));
      this.#crowd.leave(tracked);
      for (const leave of tracked.seats.values()) leave();
      endSoon(connection, this.#limits.closeGraceMs);
    });
    const displaced = this.#crowd.arrive(tracked) as Tracked | undefined;
    if (displaced) endNow(displaced.connection);
  }

  /** Where a connection came from: its polls may have lost theirs by now. */
  addressOf(socket: Socket): string {
    return this.#tracked.get(socket.conn)?.address ?? addressSeen(socket.conn);
  }

  /** One in the middle of its upgrade belongs to no connection yet: Engine.IO says goodbye to it, and waits half a minute for the answer. */
  trackUpgrade(socket: Duplex): void {
    this.#upgraded.add(socket);
    socket.once('close', () => this.#upgraded.delete(socket));
  }

  /** Counts a handshake. False when the connection tries too often, or a namespace twice; it is then being ended. */
  admitAttempt(socket: Socket): boolean {
    const tracked = this.#tracked.get(socket.conn);
    if (!tracked) return false;
    tracked.attempts += 1;
    if (tracked.attempts <= this.#limits.handshakeAttempts && !tracked.namespaces.has(socket.nsp.name)) return true;
    this.#cut(tracked, HANDSHAKES);
    return false;
  }

  /** Takes one of the places that its person has. What it is refused with, when there is none. */
  seat(socket: Socket, userId: string): HandshakeRefusal | undefined {
    const tracked = this.#tracked.get(socket.conn);
    const namespace = socket.nsp.name;
    // It has ended meanwhile, or asks twice at once, and is about to be ended.
    if (!tracked || tracked.seats.has(namespace)) return undefined;
    const seating = this.#crowd.seat(tracked, { userId, namespace: namespace.slice(1) as NamespaceName });
    if (!seating.ok) return seating.refusal;
    if (tracked.seats.size === 0) for (const held of [tracked.inbound, tracked.outbound]) held.belongTo(userId);
    tracked.seats.set(namespace, seating.leave);
    this.#crowd.leave(tracked);
    return undefined;
  }

  /** False when a second socket of the same namespace comes through on one connection. */
  join(socket: Socket, who: object): boolean {
    const tracked = this.#tracked.get(socket.conn);
    if (!tracked || tracked.namespaces.has(socket.nsp.name)) return false;
    tracked.namespaces.add(socket.nsp.name);
    tracked.who = who;
    tracked.inbound.admit();
    tracked.pace.allowBytes(socket.nsp.name === GATEWAY_NAMESPACE ? this.#limits.gatewayBytesPerSecond : this.#limits.pace.bytesPerSecond);
    return true;
  }

  /** For how long what this connection posts next is to be left unread. */
  holdPostMs(connectionId: string): number {
    return this.#paces.get(connectionId)?.holdMs() ?? 0;
  }

  leave(socket: Socket): void {
    const tracked = this.#tracked.get(socket.conn);
    if (!tracked) return;
    tracked.namespaces.delete(socket.nsp.name);
    tracked.seats.get(socket.nsp.name)?.();
    tracked.seats.delete(socket.nsp.name);
    if (tracked.namespaces.size === 0) socket.conn.close();
  }

  /** Ends all connections, letting each empty its queue for at most `graceMs`. */
  async endAll(graceMs: number): Promise<void> {
    const open = [...this.#tracked.keys()];
    const ended = [...open, ...this.#upgraded].map((one) => new Promise<void>((resolve) => one.once('close', () => resolve())));
    for (const connection of open) connection.close();
    const impatience = setTimeout(() => {
      for (const connection of open) if (connection.readyState !== 'closed') endNow(connection);
      this.#cutUpgraded();
    }, graceMs);
    await Promise.all(ended);
    clearTimeout(impatience);
    // Those that began to upgrade meanwhile.
    this.#cutUpgraded();
  }

  /** What waits to be sent, now. */
  get unsentBytes(): number {
    return [...this.#tracked.values()].reduce((sum, { outbound }) => sum + outbound.waitingBytes, 0);
  }

  /** What has come of messages that are not finished, now. */
  get unfinishedBytes(): number {
    return [...this.#tracked.values()].reduce((sum, { inbound }) => sum + inbound.waitingBytes, 0);
  }

  stop(): void {
    clearInterval(this.#sweep);
    this.#crowd.close();
  }

  #cutUpgraded(): void {
    for (const socket of this.#upgraded) socket.destroy();
  }

  #trackedOf(connection: EngineConnection): Tracked {
    const tracked: Tracked = {
      connection,
      address: this.#addressOf(connection.request) || addressSeen(connection),
      cameAt: this.#now(),
      attempts: 0,
      namespaces: new Set(),
      who: {},
      seenBytes: 0,
      pace: new InboundPace(connection, {
        limits: this.#limits.pace,
        newcomer: this.#limits.newcomerPace,
        now: this.#now,
        onFlood: () => this.#cut(tracked, FLOOD),
      }),
      inbound: new Inbound(connection, {
        limits: this.#limits.unfinished,
        messageBytes: this.#limits.hardCapBytes,
        budget: this.#unfinished,
        onCut: (bytes) => this.#cut(tracked, { ...UNFINISHED, bytes }),
      }),
      outbound: new Outbound(connection, {
        limitBytes: this.#limits.outboundBytes,
        stalledMs: this.#limits.stalledMs,
        budget: this.#unsent,
        onSlow: (bytes) => this.#cut(tracked, { ...SLOW, bytes }),
      }),
      seats: new Map(),
    };
    return tracked;
  }

  #cut({ connection, who, address }: Tracked, { event, text, bytes }: Cut): void {
    this.#refusals.countCut(event);
    this.#log.warn({ event, ...who, address, ...(bytes !== undefined && { bytes }) }, `connection cut: ${text}`);
    endNow(connection);
  }

  #lookAtAll(): void {
    const now = this.#now();
    for (const tracked of this.#tracked.values()) {
      keepSlowSenderAlive(tracked);
      tracked.inbound.look(now);
      tracked.outbound.look(now);
    }
  }
}

/** A pong queued behind a large upload on a thin line comes late, yet bytes arrive: such a peer is alive. */
function keepSlowSenderAlive(tracked: Tracked): void {
  const bytes = inboundBytes(tracked.connection);
  if (bytes !== tracked.seenBytes) pingTimerOf(tracked.connection)?.refresh();
  tracked.seenBytes = bytes;
}

function pingTimerOf(connection: EngineConnection): NodeJS.Timeout | null | undefined {
  return (connection as unknown as { pingTimeoutTimer?: NodeJS.Timeout | null }).pingTimeoutTimer;
}

/** As Engine.IO saw it. Whatever its types say, a client that had gone before it was looked at has none: the kernel has forgotten it. */
function addressSeen({ remoteAddress }: { readonly remoteAddress: string | undefined }): string {
  return remoteAddress ?? '';
}
