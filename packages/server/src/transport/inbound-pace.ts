import { type EngineConnection, holdReading } from './wire.ts';

/*
 *   reading ── more than its pace ──► held (its TCP connection, or the next body that it posts, is not read) ── debt paid, at most 2 s ──► reading
 *      └── one body that was posted holds far too many packets ──► flooded: ended before any of them is read
 */

export interface PaceLimits {
  readonly packetsPerSecond: number;
  readonly packetBurst: number;
  readonly bytesPerSecond: number;
  readonly byteBurst: number;
  /** How many packets over its pace one that polls may be: what it has posted is there as a whole. */
  readonly packetDebt: number;
}

/** Of a connection that has not signed in: enough for its handshakes. */
export type NewcomerPace = Pick<PaceLimits, 'bytesPerSecond' | 'byteBurst'>;

export interface PaceOptions {
  readonly limits: PaceLimits;
  readonly newcomer: NewcomerPace;
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  readonly onFlood: () => void;
}

/** Well under the time after which a peer that says nothing is given up. */
const LONGEST_HOLD_MS = 2_000;
/** Of a connection that is held no more is remembered than it pays in so long: whoever has stopped is heard again. */
const LONGEST_DEBT_S = 10;

/**
 * Reads a connection no faster than its pace. Refusing is not enough against a flood: a refusal costs as much as what it refuses, and
 * Node reads two megabytes of one socket before anybody else has a turn. What is not read waits with its sender.
 */
export class InboundPace {
  readonly #options: PaceOptions;
  #packets: number;
  #bytes: number;
  #bytesPerSecond: number;
  #byteBurst: number;
  #countedAt: number;

  constructor(connection: EngineConnection, options: PaceOptions) {
    const { limits, newcomer, now } = options;
    this.#options = options;
    this.#packets = limits.packetBurst;
    this.#bytes = newcomer.byteBurst;
    this.#byteBurst = newcomer.byteBurst;
    this.#bytesPerSecond = newcomer.bytesPerSecond;
    this.#countedAt = now();
    connection.on('packet', ({ data }: { readonly data?: unknown }) => this.#count(connection, bytesOf(data)));
  }

  /** It has signed in, and what it is for needs so much. */
  allowBytes(perSecond: number): void {
    this.#refill();
    const { byteBurst } = this.#options.limits;
    this.#bytes += byteBurst - this.#byteBurst;
    this.#byteBurst = byteBurst;
    this.#bytesPerSecond = Math.max(this.#bytesPerSecond, perSecond);
  }

  /** Whether one that polls may have so many packets read, which are there already. When not, it is ended. */
  mayRead(packets: number): boolean {
    this.#refill();
    if (packets - this.#packets <= this.#options.limits.packetDebt) return true;
    this.#options.onFlood();
    return false;
  }

  /** For how long it is to be left unread from now on. */
  holdMs(): number {
    this.#refill();
    const { packetsPerSecond } = this.#options.limits;
    const debtMs = 1_000 * Math.max(-this.#packets / packetsPerSecond, -this.#bytes / this.#bytesPerSecond);
    return Math.max(0, Math.min(LONGEST_HOLD_MS, debtMs));
  }

  #count(connection: EngineConnection, bytes: number): void {
    this.#refill();
    this.#packets -= 1;
    this.#bytes -= bytes;
    const holdMs = this.holdMs();
    if (holdMs === 0 || connection.readyState !== 'open') return;
    if (holdReading(connection, holdMs)) this.#forgivePackets();
    this.#forgiveBytes();
  }

  #refill(): void {
    const { limits, now } = this.#options;
    const at = now();
    const seconds = Math.max(0, at - this.#countedAt) / 1_000;
    this.#countedAt = at;
    this.#packets = Math.min(limits.packetBurst, this.#packets + seconds * limits.packetsPerSecond);
    this.#bytes = Math.min(this.#byteBurst, this.#bytes + seconds * this.#bytesPerSecond);
  }

  #forgivePackets(): void {
    this.#packets = Math.max(this.#packets, -LONGEST_DEBT_S * this.#options.limits.packetsPerSecond);
  }

  #forgiveBytes(): void {
    this.#bytes = Math.max(this.#bytes, -LONGEST_DEBT_S * this.#bytesPerSecond);
  }
}

function bytesOf(data: unknown): number {
  if (typeof data === 'string') return Buffer.byteLength(data);
  return data instanceof ArrayBuffer || ArrayBuffer.isView(data) ? data.byteLength : 0;
}
