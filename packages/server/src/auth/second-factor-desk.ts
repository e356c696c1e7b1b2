import type { AttemptLimiter } from './attempt-limiter.ts';
import type { AuditLog, AuditNote } from './audit-log.ts';
import { readRecoveryCode } from './credentials.ts';
import type { Asker, PeopleAnswer, PeopleDesk } from './people-desk.ts';
import type { SecondFactors } from './second-factors.ts';

export interface SecondFactorDeskParts {
  readonly people: PeopleDesk;
  readonly factors: SecondFactors;
  readonly audit: AuditLog;
  /** Wrong codes of a person, the same that are counted at sign-in. */
  readonly codes: AttemptLimiter;
  readonly firstOwnerId: string;
}

const WRONG = fault('forbidden', 'The code is wrong or was used already. Wait for the next one.');
const IS_ON = fault('conflict', 'The second factor is on already. Switch it off first.');
const IS_OFF = fault('conflict', 'There is no second factor. Set it up first.');
const OVER = fault('forbidden', 'The code is wrong, or the half hour for this setup is over. Try the next code, or begin again.');

/** What a person does about their second factor (rules A22 to A25), and what an owner does for who has lost theirs. */
export class SecondFactorDesk {
  readonly #parts: SecondFactorDeskParts;

  constructor(parts: SecondFactorDeskParts) {
    this.#parts = parts;
  }

  look(asker: Asker): ReturnType<SecondFactors['look']> {
    return this.#parts.factors.look(asker.principal.userId);
  }

  /** A secret for an app. Nothing is asked for at sign-in until `confirm`. */
  async begin(asker: Asker, password: string): Promise<PeopleAnswer<{ readonly secret: string; readonly uri: string }>> {
    const { people } = this.#parts;
    const refused = people.mayChangeWayIn(asker);
    if (refused) return refused;
    const person = await people.account(asker);
    if (person?.hasPassword !== true) return fault('conflict', 'Set a password first: the code is asked for after it.');
    const wrong = await people.checkPassword(asker, password);
    if (wrong) return wrong;
    const begun = await this.#parts.factors.begin(person.id, person.email ?? person.name);
    return begun ? { ok: true, data: begun } : IS_ON;
  }

  /** Switches it on. The recovery codes, which are told now and never again. */
  async confirm(asker: Asker, code: string): Promise<PeopleAnswer<readonly string[]>> {
    const refused = this.#parts.people.mayChangeWayIn(asker) ?? this.#take(asker);
    if (refused) return refused;
    const recoveryCodes = await this.#parts.factors.confirm(asker.principal.userId, code.replaceAll(/\s/g, ''));
    if (!recoveryCodes) return OVER;
    this.#giveBack(asker);
    await this.#note(asker, { action: 'second_factor_on' });
    return { ok: true, data: recoveryCodes };
  }

  /** New recovery codes in place of the old ones. */
  async renewCodes(asker: Asker, proof: { readonly password: string; readonly code: string }): Promise<PeopleAnswer<readonly string[]>> {
    const refused = await this.#prove(asker, proof);
    if (refused) return refused;
    const recoveryCodes = await this.#parts.factors.renewCodes(asker.principal.userId);
    if (!recoveryCodes) return IS_OFF;
    await this.#note(asker, { action: 'recovery_codes_made' });
    return { ok: true, data: recoveryCodes };
  }

  async switchOff(asker: Asker, proof: { readonly password: string; readonly code: string }): Promise<PeopleAnswer> {
    const refused = await this.#prove(asker, proof);
    if (refused) return refused;
    if (await this.#parts.factors.remove(asker.principal.userId)) await this.#note(asker, { action: 'second_factor_off' });
    return { ok: true, data: undefined };
  }

  /** For one who has lost theirs. The answer is the same whether there was one: whose account is guarded how is nobody else's business. */
  async resetFor(asker: Asker, userId: string): Promise<PeopleAnswer> {
    const refused = await this.#parts.people.mayWiden(asker, userId);
    if (refused) return refused;
    if (!(await this.#parts.people.isThere(userId))) return fault('not_found', 'There is no such person.');
    await this.#parts.factors.remove(userId);
    await this.#note(asker, { action: 'second_factor_reset', aboutUserId: userId });
    return { ok: true, data: undefined };
  }

  /** For the first owner, by who works on the server's machine. Whether there was one; without, nothing was done that could stand in the log. */
  async resetFirstOwner(asker: Asker): Promise<boolean> {
    const wasOn = await this.#parts.factors.isOn(this.#parts.firstOwnerId);
    await this.#parts.factors.remove(this.#parts.firstOwnerId);
    if (wasOn) await this.#note(asker, { action: 'second_factor_reset', about: 'on the server’s machine' });
    return wasOn;
  }

  /** The password and a code. The code is used up only when the password is right. */
  async #prove(
    asker: Asker,
    { password, code }: { readonly password: string; readonly code: string },
  ): Promise<Extract<PeopleAnswer, { ok: false }> | undefined> {
    const { factors, people } = this.#parts;
    const refused = people.mayChangeWayIn(asker);
    if (refused) return refused;
    if (!(await factors.isOn(asker.principal.userId))) return IS_OFF;
    const wrong = await people.checkPassword(asker, password);
    if (wrong) return wrong;
    const isRecovery = readRecoveryCode(code) !== undefined;
    const limited = isRecovery ? undefined : this.#take(asker);
    if (limited) return limited;
    const used = await factors.use(asker.principal.userId, code);
    if (used === undefined) {
      await this.#note(asker, { action: 'second_factor_refused' });
      return WRONG;
    }
    if (used === 'recovery_code') await this.#note(asker, { action: 'recovery_code_used' });
    else this.#giveBack(asker);
    return undefined;
  }

  #take({ principal }: Asker): Extract<PeopleAnswer, { ok: false }> | undefined {
    const admission = this.#parts.codes.take('code', principal.userId);
    if (admission.ok) return undefined;
    return { ok: false, error: { code: 'rate_limited', message: 'Too many wrong codes. Wait a few minutes.', retryAfterMs: admission.retryAfterMs } };
  }

  #giveBack({ principal }: Asker): void {
    this.#parts.codes.giveBack('code', principal.userId);
  }

  #note({ principal, address }: Asker, note: Pick<AuditNote, 'action' | 'about' | 'aboutUserId'>): Promise<void> {
    return this.#parts.audit.note({ userId: principal.userId, credentialId: principal.credentialId, address, ...note });
  }
}

function fault(code: 'forbidden' | 'conflict' | 'not_found', message: string): Extract<PeopleAnswer, { ok: false }> {
  return { ok: false, error: { code, message } };
}
