import type { Accounts, Person, Role } from './accounts.ts';
import type { AttemptLimiter } from './attempt-limiter.ts';
import type { AuditLog, AuditNote } from './audit-log.ts';
import type { Devices } from './devices.ts';
import type { Invitations } from './invitations.ts';
import { passwordFault } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import { isWhole, type Principal } from './principal.ts';
import type { SecondSteps } from './second-steps.ts';
import type { SignInLinks } from './sign-in-links.ts';

/** Whoever asks, and from where. */
export interface Asker {
  readonly principal: Pick<Principal, 'userId' | 'credentialId' | 'path' | 'scopes' | 'expiresAt'>;
  readonly address: string;
}

export type PeopleFault =
  | {
      readonly code: 'forbidden' | 'not_found' | 'conflict' | 'invalid_payload';
      readonly message: string /** Of the body, that it is about. */;
      readonly field?: string;
    }
  | { readonly code: 'rate_limited'; readonly message: string; readonly retryAfterMs: number };
export type PeopleAnswer<T = undefined> = { readonly ok: true; readonly data: T } | { readonly ok: false; readonly error: PeopleFault };

export interface PeopleDeskParts {
  /** The person of the first start: always an owner, and never kept out. */
  readonly firstOwnerId: string;
  readonly accounts: Accounts;
  readonly passwords: Passwords;
  readonly invitations: Invitations;
  readonly links: SignInLinks;
  readonly devices: Devices;
  readonly audit: AuditLog;
  readonly limiter: AttemptLimiter;
  readonly steps: SecondSteps;
  readonly pool: { query<Row extends object>(text: string, values: readonly unknown[]): Promise<{ rows: Row[] }> };
  /** Told of each credential that has just been ended. */
  readonly onEnded: (credentialId: string) => void;
  readonly now: () => Date;
}

const LINK_LIFETIME_MS = 24 * 3_600_000;
/** For so long whoever came in by a link may set a password without the old one. */
const FRESH_MS = 15 * 60_000;

const OWNERS_ONLY = refuse('forbidden', 'Only an owner can do that.');
const WHOLE_ONLY = refuse(
  'forbidden',
  'That takes a signed-in browser, or a key that has neither scopes nor an end: what comes of it is good for more than this credential, or for longer.',
);
const BROWSER_ONLY = refuse('forbidden', 'That takes a browser that is signed in: no key and no token changes how its person comes in.');
const NOBODY = refuse('not_found', 'There is no such person.');
const STAYS = refuse('conflict', 'The first owner stays an owner and cannot be kept out: somebody must be able to come in.');
const NOT_YOURSELF = refuse('conflict', 'That would end your own way in. Ask another owner.');
const WRONG_PASSWORD = refuse('forbidden', 'The current password is wrong.');
const CHANGED_MEANWHILE = refuse('conflict', 'The password has been changed meanwhile, or you have been signed out. Sign in again.');
const EMAIL_TAKEN = refuse('conflict', 'Somebody here has this address already. Take another.');

/** What people change about accounts (rules A4, A5 and A8 to A10): their own, and for owners those of others. */
export class PeopleDesk {
  readonly #parts: PeopleDeskParts;

  constructor(parts: PeopleDeskParts) {
    this.#parts = parts;
  }

  /** The account of whoever asks. */
  async account({ principal }: Asker): Promise<Person | undefined> {
    return this.#parts.accounts.find(principal.userId);
  }

  /** The address is half of what its person signs in with. */
  async describe(asker: Asker, account: { readonly name: string; readonly email?: string | undefined }): Promise<PeopleAnswer> {
    const isAnother = account.email !== undefined && account.email !== (await this.account(asker))?.email;
    const refused = isAnother ? this.mayChangeWayIn(asker) : undefined;
    if (refused) return refused;
    if (!(await this.#parts.accounts.describe(asker.principal.userId, account))) return EMAIL_TAKEN;
    await this.#note(asker, { action: 'account_changed' });
    return done(undefined);
  }

  /** Sets a password in place of the old one, and signs out every other browser. How many those were. */
  async changePassword(
    asker: Asker,
    { current, password }: { readonly current?: string | undefined; readonly password: string },
  ): Promise<PeopleAnswer<number>> {
    const { accounts, passwords, devices, steps, onEnded } = this.#parts;
    const { userId, credentialId } = asker.principal;
    const refused = this.mayChangeWayIn(asker);
    if (refused) return refused;
    const person = await accounts.find(userId);
    if (person?.email === undefined) return refuse('conflict', 'Give your address first: you sign in with it and the password.');
    // Before the session is asked whether it may leave it out: whoever changes it ends the session in the same moment.
    const former = await passwords.hashOf(userId);
    const mayLeaveOut = former === undefined || (await this.#isFresh(asker));
    const right = mayLeaveOut ? done(former) : await this.#rightPassword(asker, current);
    if (!right.ok) return right;
    const fault = await passwordFault(password, { name: person.name, email: person.email });
    if (fault !== undefined) return { ok: false, error: { code: 'invalid_payload', message: fault, field: 'password' } };
    const ended = await passwords.replace(userId, { former: right.data, hash: await passwords.hash(password), keptSessionId: credentialId });
    if (!ended) return mayLeaveOut ? CHANGED_MEANWHILE : WRONG_PASSWORD;
    for (const sessionId of ended) onEnded(sessionId);
    await steps.endAll(userId);
    // Once more: a sign-in with the old one may have opened a session meanwhile.
    const endedLate = await devices.endOthers(userId, credentialId);
    await this.#note(asker, { action: 'password_changed' });
    return done(ended.length + endedLate);
  }

  /** Whether the old password may be left out, because its person came in by a link just now. */
  async mayLeaveOutPassword(asker: Asker): Promise<boolean> {
    const person = await this.account(asker);
    return person?.hasPassword !== true || this.#isFresh(asker);
  }

  async disconnect(asker: Asker, issuer: string): Promise<PeopleAnswer> {
    const refused = this.mayChangeWayIn(asker);
    if (refused) return refused;
    const person = await this.account(asker);
    if (person?.hasPassword !== true && person?.id !== this.#parts.firstOwnerId) return refuse('conflict', 'It is your only way in. Set a password first.');
    await this.#parts.accounts.disconnect(asker.principal.userId, issuer);
    await this.#note(asker, { action: 'provider_disconnected' });
    return done(undefined);
  }

  async list(asker: Asker): Promise<PeopleAnswer<readonly Person[]>> {
    return (await this.isOwner(asker)) ? done(await this.#parts.accounts.list()) : OWNERS_ONLY;
  }

  async invitationsOpen(asker: Asker): Promise<PeopleAnswer<Awaited<ReturnType<Invitations['list']>>>> {
    return (await this.isOwner(asker)) ? done(await this.#parts.invitations.list(this.#parts.now())) : OWNERS_ONLY;
  }

  async invite(
    asker: Asker,
    { name, role }: { readonly name: string; readonly role: Role },
  ): Promise<PeopleAnswer<NonNullable<Awaited<ReturnType<Invitations['create']>>>>> {
    if (!(await this.isOwner(asker))) return OWNERS_ONLY;
    if (!isWhole(asker.principal)) return WHOLE_ONLY;
    const made = await this.#parts.invitations.create({ name, role, invitedBy: asker.principal.userId }, this.#parts.now());
    if (!made) return OWNERS_ONLY;
    await this.#note(asker, { action: 'invitation_made', about: `${name}, ${role}` });
    return done(made);
  }

  async revokeInvitation(asker: Asker, id: string): Promise<PeopleAnswer> {
    if (!(await this.isOwner(asker))) return OWNERS_ONLY;
    const name = await this.#parts.invitations.revoke(id, this.#parts.now());
    if (name === undefined) return refuse('not_found', 'There is no open invitation with this id.');
    await this.#note(asker, { action: 'invitation_revoked', about: name });
    return done(undefined);
  }

  async setRole(asker: Asker, userId: string, role: Role): Promise<PeopleAnswer> {
    const refused = await this.mayWiden(asker, userId);
    if (refused) return refused;
    if (!(await this.#parts.accounts.setRole(userId, role, this.#parts.now()))) return NOBODY;
    await this.#note(asker, { action: 'role_changed', aboutUserId: userId, about: role });
    return done(undefined);
  }

  /** Ends all that this person came in with, at once. What was theirs stays. */
  async keepOut(asker: Asker, userId: string): Promise<PeopleAnswer> {
    const refused = await this.mayChange(asker, userId);
    if (refused) return refused;
    const ended = await this.#parts.accounts.disable(userId, this.#parts.now());
    if (!ended) return NOBODY;
    for (const credentialId of [...ended, `jwt:${userId}`]) this.#parts.onEnded(credentialId);
    await this.#note(asker, { action: 'person_kept_out', aboutUserId: userId });
    return done(undefined);
  }

  async letIn(asker: Asker, userId: string): Promise<PeopleAnswer> {
    const refused = await this.mayWiden(asker, userId);
    if (refused) return refused;
    if (!(await this.#parts.accounts.enable(userId, this.#parts.now()))) return NOBODY;
    await this.#note(asker, { action: 'person_let_in', aboutUserId: userId });
    return done(undefined);
  }

  /** A link for one who cannot come in any more: it works once, for a day, and they set a new password with it. */
  async makeLink(asker: Asker, userId: string): Promise<PeopleAnswer<string>> {
    const refused = await this.mayWiden(asker, userId);
    if (refused) return refused;
    const person = await this.#parts.accounts.find(userId);
    if (!person) return NOBODY;
    if (person.disabledAt) return refuse('conflict', 'This person is kept out. Let them in first.');
    const token = await this.#parts.links.create({ userId, madeBy: asker.principal.userId, lifetimeMs: LINK_LIFETIME_MS }, this.#parts.now());
    if (token === undefined) return refuse('conflict', 'Somebody has changed this meanwhile. Look at the page again.');
    await this.#note(asker, { action: 'sign_in_link_made', aboutUserId: userId });
    return done(token);
  }

  async isThere(userId: string): Promise<boolean> {
    return (await this.#parts.accounts.find(userId)) !== undefined;
  }

  async isOwner(asker: Asker): Promise<boolean> {
    const person = await this.account(asker);
    return person?.role === 'owner' && person.disabledAt === undefined;
  }

  /** Undefined for an owner who asks about another person than themselves and the first owner. */
  async mayChange(asker: Asker, userId: string): Promise<Extract<PeopleAnswer, { ok: false }> | undefined> {
    if (!(await this.isOwner(asker))) return OWNERS_ONLY;
    if (userId === asker.principal.userId) return NOT_YOURSELF;
    return userId === this.#parts.firstOwnerId ? STAYS : undefined;
  }

  /** The same for what lets somebody in, or in to more. */
  async mayWiden(asker: Asker, userId: string): Promise<Extract<PeopleAnswer, { ok: false }> | undefined> {
    return (await this.mayChange(asker, userId)) ?? (isWhole(asker.principal) ? undefined : WHOLE_ONLY);
  }

  /** Undefined for who may change how they themselves come in: address, password, second factor, identity. */
  mayChangeWayIn({ principal }: Asker): Extract<PeopleAnswer, { ok: false }> | undefined {
    return principal.path === 'cookie' ? undefined : BROWSER_ONLY;
  }

  /** Undefined when it is theirs; otherwise why not. */
  async checkPassword(asker: Asker, current: string | undefined): Promise<Extract<PeopleAnswer, { ok: false }> | undefined> {
    const right = await this.#rightPassword(asker, current);
    return right.ok ? undefined : right;
  }

  /** What it was found to be right against. */
  async #rightPassword(asker: Asker, current: string | undefined): Promise<PeopleAnswer<string>> {
    const { limiter, passwords } = this.#parts;
    const admission = limiter.take('current password', asker.principal.userId);
    if (!admission.ok) return tooMany(admission.retryAfterMs);
    const check = await passwords.checkOf(asker.principal.userId, current ?? '');
    if (!check.ok) return check.code === 'busy' ? tooMany(2_000) : WRONG_PASSWORD;
    limiter.giveBack('current password', asker.principal.userId);
    return done(check.hash);
  }

  async #isFresh({ principal }: Asker): Promise<boolean> {
    if (principal.path !== 'cookie') return false;
    const since = new Date(this.#parts.now().getTime() - FRESH_MS);
    const { rows } = await this.#parts.pool.query<{ id: string }>(`select id from auth_sessions where id = $1 and opened_with = 'link' and created_at > $2`, [
      principal.credentialId,
      since,
    ]);
    return rows.length > 0;
  }

  #note({ principal, address }: Asker, note: Pick<AuditNote, 'action' | 'about' | 'aboutUserId'>): Promise<void> {
    return this.#parts.audit.note({ userId: principal.userId, credentialId: principal.credentialId, address, ...note });
  }
}

function done<T>(data: T): { ok: true; data: T } {
  return { ok: true, data };
}

function refuse(code: Exclude<PeopleFault['code'], 'rate_limited'>, message: string): { ok: false; error: PeopleFault } {
  return { ok: false, error: { code, message } };
}

function tooMany(retryAfterMs: number): { ok: false; error: PeopleFault } {
  return { ok: false, error: { code: 'rate_limited', message: 'Too many attempts. Wait a moment.', retryAfterMs } };
}
