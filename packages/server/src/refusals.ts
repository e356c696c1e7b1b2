import { ERROR_CODES, type ErrorCode, HANDSHAKE_CODES, type HandshakeCode } from '@tendon/protocol';
import type { Sample } from './http/metrics.ts';

/** `http` is all that is outside of the two namespaces: routes, polls, upgrades, and handshakes with no namespace of ours. */
const PLACES = ['http', '/agent', '/gateway'] as const;
/** What a machine that waits for its pairing is told (H27), and `other`: a code that somebody forgot to put here. */
const MORE_CODES = ['slow_down', 'access_denied', 'expired_token', 'other'] as const;
const CUTS = ['slow_consumer', 'handshake_flood', 'packet_flood', 'unfinished_message'] as const;

export type RefusalPlace = (typeof PLACES)[number];
export type RefusalCode = ErrorCode | HandshakeCode | (typeof MORE_CODES)[number];
export type CutCode = (typeof CUTS)[number];

const CODES = [...new Set<RefusalCode>([...(Object.keys(ERROR_CODES) as ErrorCode[]), ...(Object.keys(HANDSHAKE_CODES) as HandshakeCode[]), ...MORE_CODES])];

/**
 * What was refused since the start, by where and why. Both come from fixed lists and every pair is there from the first moment on: nobody can
 * make this grow, and a rate has its zero.
 */
export class Refusals {
  readonly #refused = new Map(PLACES.map((where) => [where, new Map(CODES.map((code) => [code, 0]))]));
  readonly #cut = new Map(CUTS.map((code) => [code, 0]));

  count(where: RefusalPlace, code: string): void {
    const counts = this.#refused.get(where);
    const known = counts?.has(code as RefusalCode) ? (code as RefusalCode) : 'other';
    counts?.set(known, (counts.get(known) ?? 0) + 1);
  }

  /** A connection was ended for what its other side does. */
  countCut(code: CutCode): void {
    this.#cut.set(code, (this.#cut.get(code) ?? 0) + 1);
  }

  refused(): readonly Sample[] {
    return [...this.#refused].flatMap(([where, counts]) => [...counts].map(([code, value]) => ({ labels: { where, code }, value })));
  }

  cut(): readonly Sample[] {
    return [...this.#cut].map(([code, value]) => ({ labels: { code }, value }));
  }
}
