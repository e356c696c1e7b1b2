import type { Log } from '../log.ts';
import type { Admission, AttemptLimiter } from './attempt-limiter.ts';
import { readUserCode } from './credentials.ts';
import { kindOf, type PairingRequest, type Pairings, type StartedPairing, type WaitingMachine } from './pairings.ts';
import { isWhole, type Principal } from './principal.ts';

type Limited = { readonly ok: false; readonly code: 'rate_limited'; readonly retryAfterMs: number };
type Refused<Code extends string> = { readonly ok: false; readonly code: Code };

export type PairingStart = ({ readonly ok: true } & StartedPairing) | Limited;
export type PairingPoll =
  | { readonly ok: true; readonly key: string; readonly relayKey?: string }
  | Refused<'authorization_pending' | 'slow_down' | 'access_denied' | 'expired_token'>
  | Limited;
export type PairingLook = { readonly ok: true; readonly machine: WaitingMachine } | Refused<'not_found'> | Limited;
export type PairingDecision = ({ readonly ok: true } & Pick<WaitingMachine, 'kind' | 'name'>) | Refused<'not_found' | 'forbidden'> | Limited;

export interface PairingDeskParts {
  readonly pairings: Pairings;
  /** Requests of machines, per address; and codes that a person got wrong. */
  readonly limiters: { readonly machines: AttemptLimiter; readonly people: AttemptLimiter };
  readonly log: Log;
  readonly now: () => Date;
}

/** Pairing as its two sides see it (H25 to H27, H35): a machine or a terminal that asks and asks again, a person who looks and decides. */
export class PairingDesk {
  readonly #parts: PairingDeskParts;

  constructor(parts: PairingDeskParts) {
    this.#parts = parts;
  }

  async start(request: PairingRequest): Promise<PairingStart> {
    const { pairings, limiters, log, now } = this.#parts;
    const admission = limiters.machines.take('pair', request.address);
    if (!admission.ok) return limited(admission);
    const started = await pairings.start(request, now());
    if (!started) {
      log.warn(
        { event: 'pairing', outcome: 'refused', reason: 'too many machines wait already', address: request.address },
        'a machine cannot ask to be paired',
      );
      return { ok: false, code: 'rate_limited', retryAfterMs: 60_000 };
    }
    log.info(
      { event: 'pairing', outcome: 'asked', gatewayId: request.gatewayId, address: request.address },
      `a ${kindOf(request.gatewayId)} asks to be paired`,
    );
    return { ok: true, ...started };
  }

  async poll(deviceCode: string, address: string): Promise<PairingPoll> {
    const { pairings, limiters, log, now } = this.#parts;
    const admission = limiters.machines.take('poll', address);
    if (!admission.ok) return limited(admission);
    const answer = await pairings.poll(deviceCode, now());
    // Whoever holds a code that is known does not guess.
    if (answer.code !== 'expired_token') limiters.machines.giveBack('poll', address);
    if (answer.code !== 'approved') return { ok: false, code: answer.code };
    const { key, relayKey, userId, gatewayId } = answer;
    log.info({ event: 'pairing', outcome: 'paired', user: userId, gatewayId, address }, `a ${kindOf(gatewayId)} was paired`);
    return { ok: true, key, ...(relayKey === undefined ? {} : { relayKey }) };
  }

  async look(userId: string, typed: string): Promise<PairingLook> {
    const { pairings, limiters, now } = this.#parts;
    const admission = limiters.people.take('pair code', userId);
    if (!admission.ok) return limited(admission);
    const code = readUserCode(typed);
    const machine = code === undefined ? undefined : await pairings.find(code, now());
    if (!machine) return { ok: false, code: 'not_found' };
    limiters.people.giveBack('pair code', userId);
    return { ok: true, machine };
  }

  /** Approving makes keys without an end, so it takes a credential that has none, and all scopes (A11); denying makes nothing. */
  async decide(principal: Principal, typed: string, approve: boolean): Promise<PairingDecision> {
    const { pairings, limiters, log, now } = this.#parts;
    if (approve && !isWhole(principal)) return { ok: false, code: 'forbidden' };
    const { userId, credentialId } = principal;
    const admission = limiters.people.take('pair code', userId);
    if (!admission.ok) return limited(admission);
    const code = readUserCode(typed);
    const decided = code === undefined ? undefined : await pairings.decide(code, { userId, credentialId, approve }, now());
    if (!decided) return { ok: false, code: 'not_found' };
    limiters.people.giveBack('pair code', userId);
    log.info({ event: 'pairing', outcome: approve ? 'approved' : 'denied', user: userId }, `a person has decided about a ${decided.kind}`);
    return { ok: true, ...decided };
  }
}

function limited(admission: Extract<Admission, { ok: false }>): Limited {
  return { ok: false, code: 'rate_limited', retryAfterMs: admission.retryAfterMs };
}
