import type { Duplex } from 'node:stream';
import type { Log } from '@tendon/protocol';
import { GATEWAY_NAMESPACE } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import type { Refusals } from '../refusals.ts';
import { InboundPace } from './inbound-pace.ts';
import type { TransportLimits } from './limits.ts';
import type { TransportOptions } from './options.ts';
import { guardOutbound } from './outbound-guard.ts';
import { readInSlices } from './posted-packets.ts';
import { connectionIdOf, type EngineConnection, endNow, endSoon, inboundBytes, limitPollingClose, writeTogether } from './wire.ts';

/*
 *            track                 join                    leave last namespace
 *  (engine) ───────► unauthenticated ───────► in a namespace ───────────────────► ended
 *                        │ 5 s (Socket.IO's connectTimeout)                         ▲
 *                        │ more than `handshakeAttempts` handshakes                 │
 *                        └──────────────────────────────────────────────────────────┤
 *                          slow reader, ping timeout, close ────────────────────────┘
 */
interface Tracked {
  readonly connection: EngineConnection;
  attempts: number;
  readonly namespaces: Set<string>;
  /** Who sits here, for the log: set when the first namespace has let them in. */
  who: object;
  seenBytes: number;
  readonly pace: InboundPace;
}

const SWEEP_MS = 1_000;

/** The physical connections below the namespaces: how many handshakes each may try, what may wait for it, and its end. */
export class EngineConnections {
  readonly #limits: TransportLimits;
  readonly #log: Log;
  readonly #refusals: Refusals;
  readonly #now: () => number;
  readonly #tracked = new Map<EngineConnection, Tracked>();
  readonly #paces = new Map<string, InboundPace>();
  /** TCP connections that WebSockets stand on, or were to. */
  readonly #upgraded = new Set<Duplex>();
  readonly #sweep: NodeJS.Timeout;

  constructor(limits: TransportLimits, { log, refusals, now }: Pick<TransportOptions, 'log' | 'refusals' | 'now'>) {
    this.#limits = limits;
    this.#log = log;
    this.#refusals = refusals;
    this.#now = now ?? (() => performance.now());
    this.#sweep = setInterval(() => this.#keepSlowSendersAlive(), SWEEP_MS);
    this.#sweep.unref();
  }

  track(connection: EngineConnection): void {
    const pace = new InboundPace(connection, { limits: this.#limits.pace, now: this.#now, onFlood: () => this.#endFlood(connection) });
    const tracked: Tracked = { connection, attempts: 0, namespaces: new Set(), who: {}, seenBytes: 0, pace };
    this.#tracked.set(connection, tracked);
    this.#paces.set(connectionIdOf(connection), pace);
    readInSlices(connection, (packets) => pace.mayRead(packets));
    limitPollingClose(connection, this.#limits.closeGraceMs);
    guardOutbound(connection, {
      limitBytes: this.#limits.outboundBytes,
      onOverflow: (waitingBytes) => {
        this.#refusals.countCut('slow_consumer');
        this.#log.warn(
          { event: 'slow_consumer', ...tracked.who, address: connection.remoteAddress, bytes: waitingBytes },
          'connection cut: its reader is too slow',
        );
        endNow(connection);
      },
    });
    connection.on('flush', () => writeTogether(connection));
    connection.once('close', () => {
      this.#tracked.delete(connection);
      this.#paces.delete(connectionIdOf(connection));
      endSoon(connection, this.#limits.closeGraceMs);
    });
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
    this.#refusals.countCut('handshake_flood');
    this.#log.warn({ event: 'handshake_flood', address: socket.conn.remoteAddress }, 'connection cut: too many handshakes');
    endNow(socket.conn);
    return false;
  }

  /** False when a second socket of the same namespace comes through on one connection. */
  join(socket: Socket, who: object): boolean {
    const tracked = this.#tracked.get(socket.conn);
    if (!tracked || tracked.namespaces.has(socket.nsp.name)) return false;
    tracked.namespaces.add(socket.nsp.name);
    tracked.who = who;
    if (socket.nsp.name === GATEWAY_NAMESPACE) tracked.pace.allowBytes(this.#limits.gatewayBytesPerSecond);
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

  stop(): void {
    clearInterval(this.#sweep);
  }

  #cutUpgraded(): void {
    for (const socket of this.#upgraded) socket.destroy();
  }

  #endFlood(connection: EngineConnection): void {
    this.#refusals.countCut('packet_flood');
    this.#log.warn(
      { event: 'packet_flood', ...this.#tracked.get(connection)?.who, address: connection.remoteAddress },
      'connection cut: too many packets at once',
    );
    endNow(connection);
  }

  /** A pong queued behind a large upload on a thin line comes late, yet bytes arrive: such a peer is alive. */
  #keepSlowSendersAlive(): void {
    for (const tracked of this.#tracked.values()) {
      const bytes = inboundBytes(tracked.connection);
      if (bytes !== tracked.seenBytes) pingTimerOf(tracked.connection)?.refresh();
      tracked.seenBytes = bytes;
    }
  }
}

function pingTimerOf(connection: EngineConnection): NodeJS.Timeout | null | undefined {
  return (connection as unknown as { pingTimeoutTimer?: NodeJS.Timeout | null }).pingTimeoutTimer;
}
