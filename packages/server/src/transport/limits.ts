import { LIMITS } from '@tendon/protocol';
import type { PlaceLimits } from '../crowd/places.ts';
import type { BudgetLimits } from './byte-budget.ts';
import type { ConnectionLimits } from './connection-crowd.ts';
import type { InboundLimits } from './inbound.ts';
import type { NewcomerPace, PaceLimits } from './inbound-pace.ts';

/** What one connection may cost the server. Tests put smaller numbers in. Sizes are bytes, times milliseconds. */
export interface TransportLimits {
  /** Largest payload of an event. Above it the request is refused as `too_large`. */
  readonly packetBytes: number;
  /** Largest WebSocket message or polling body. Above it the connection ends before the rest is read. */
  readonly hardCapBytes: number;
  /** Largest handshake packet, which arrives before anybody has signed in. */
  readonly handshakeBytes: number;
  readonly handshakeTimeoutMs: number;
  readonly handshakeAttempts: number;
  /** A half-open peer is noticed after at most the sum of the two. */
  readonly pingIntervalMs: number;
  readonly pingTimeoutMs: number;
  /** The answer of a poll of which nothing is taken for so long is given up. */
  readonly stalledResponseMs: number;
  /** A connection for which more than this waits to be sent is cut. */
  readonly outboundBytes: number;
  /** So is the heaviest, when more than this waits for all connections of a person, or of everybody. */
  readonly unsent: BudgetLimits;
  /** So is one of which nothing is taken for so long while something waits: who answers pings may read nothing all the same. */
  readonly stalledMs: number;
  /** What may have come of messages that are not finished. */
  readonly unfinished: InboundLimits;
  readonly connections: ConnectionLimits;
  readonly eventsPerSecond: number;
  readonly eventBurst: number;
  /** How many requests are under way at once: of one person, for their clients and for their machines, and in all. */
  readonly requests: PlaceLimits;
  /** Live output of a gateway has a meter of its own: it is large, frequent and may be lost. */
  readonly outputBytesPerSecond: number;
  readonly outputBurstBytes: number;
  /** How fast a connection is read. */
  readonly pace: PaceLimits;
  /** As long as it has not signed in. */
  readonly newcomerPace: NewcomerPace;
  /** The same for the bytes of a machine, whose output and results are large. */
  readonly gatewayBytesPerSecond: number;
  /** How long a closing connection may take to empty its queue. */
  readonly closeGraceMs: number;
}

const MEBIBYTE = 1024 * 1024;

export const DEFAULT_TRANSPORT_LIMITS: TransportLimits = {
  packetBytes: LIMITS.packetBytes,
  hardCapBytes: 2 * LIMITS.packetBytes,
  handshakeBytes: 64 * 1024,
  handshakeTimeoutMs: LIMITS.handshakeTimeoutMs,
  handshakeAttempts: 5,
  pingIntervalMs: 3_000,
  pingTimeoutMs: 6_000,
  stalledResponseMs: 30_000,
  outboundBytes: 8 * MEBIBYTE,
  unsent: { ofPerson: 64 * MEBIBYTE, ofAll: 256 * MEBIBYTE },
  stalledMs: 30_000,
  unfinished: { newcomerMessageBytes: 128 * 1024, messageMs: 120_000, budget: { ofPerson: 64 * MEBIBYTE, ofAll: 256 * MEBIBYTE } },
  connections: {
    // An address is let in 200 times a second (H29): more than come in the second that each has.
    newcomers: { ofHousehold: 256, ofAll: 1_000, graceMs: 1_000 },
    // Of pages and programs more than anybody has open; of machines the 500 of a large site, which all come back at once.
    ofPerson: { agent: 300, gateway: 600 },
    ofAll: 2_000,
  },
  eventsPerSecond: LIMITS.eventsPerSecond,
  eventBurst: LIMITS.eventBurst,
  // Fewer of a person than there are connections to the database, so that nobody alone can take them all.
  requests: { ofHousehold: 6, ofAll: 256, waitingOfHousehold: 400, waitingOfAll: 2_000, waitMs: 5_000 },
  outputBytesPerSecond: 4 * MEBIBYTE,
  outputBurstBytes: 8 * MEBIBYTE,
  pace: { packetsPerSecond: 100, packetBurst: 400, bytesPerSecond: MEBIBYTE, byteBurst: 8 * MEBIBYTE, packetDebt: 2_000 },
  // A handshake is at most 64 KiB.
  newcomerPace: { bytesPerSecond: 64 * 1024, byteBurst: 128 * 1024 },
  gatewayBytesPerSecond: 4 * MEBIBYTE,
  closeGraceMs: 1_000,
};
