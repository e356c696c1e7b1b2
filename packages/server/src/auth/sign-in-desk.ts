import type { IncomingHttpHeaders } from 'node:http';
import type { Log } from '../log.ts';
import type { Accounts } from './accounts.ts';
import type { Admission, AttemptLimiter } from './attempt-limiter.ts';
import type { AuditLog } from './audit-log.ts';
import { hashCredential, readRecoveryCode } from './credentials.ts';
import type { Devices } from './devices.ts';
import type { Invitation, Invitations } from './invitations.ts';
import type { KnownBrowsers } from './known-browsers.ts';
import type { Errand, Identity, Oidc } from './oidc.ts';
import { ensureProviderUser } from './owner.ts';
import { passwordFault } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import type { OpenedWith, People } from './people.ts';
import type { CodeKind, SecondFactors } from './second-factors.ts';
import type { SecondSteps } from './second-steps.ts';
import type { SignInLinks } from './sign-in-links.ts';

const OVERTAKEN = 'this person is kept out, or the password was changed, the step finished or the link ended meanwhile';

/** Who knocks. */
export interface Knocker {
  readonly headers: IncomingHttpHeaders;
  readonly address: string;
}

type Refused<Code extends string> = { readonly ok: false; readonly code: Code };
type Limited = { readonly ok: false; readonly code: 'rate_limited'; readonly retryAfterMs: number };
type SignedIn = { readonly ok: true; readonly setCookies: readonly string[] };

type Guess = { readonly ok: true; readonly giveBack: () => void } | Extract<Admission, { ok: false }>;

export type Redemption = SignedIn | Refused<'unauthorized'> | Limited;
/** `secondly`: what came after the password. */
interface Way {
  readonly openedWith: OpenedWith;
  readonly secondly?: CodeKind;
  /** What was taken of the limits is given back, for it was no guess. */
  readonly giveBack?: () => void;
  /** See `Opening`. */
  readonly stillCounts?: () => Promise<boolean>;
}

/** `second_step`: the password is right, and a code is owed; the token says for whom, and opens nothing. */
export type PasswordAnswer = Redemption | { readonly ok: false; readonly code: 'second_step'; readonly token: string; readonly maxAgeS: number };
export type Joining =
  | SignedIn
  | Refused<'over' | 'email_taken' | 'identity_taken'>
  | { readonly ok: false; readonly code: 'weak'; readonly message: string }
  | Limited;
export type InvitationLook = { readonly ok: true; readonly invitation: Invitation } | Refused<'over'> | Limited;
/** `unknown`: no account here is connected with that identity. `other`: it is connected with another person's. */
export type ProviderReturn = SignedIn | Refused<'refused' | 'declined' | 'late' | 'unknown' | 'other' | 'over' | 'unreachable'>;

export interface SignInDeskParts {
  readonly people: People;
  readonly links: SignInLinks;
  readonly accounts: Accounts;
  readonly passwords: Passwords;
  readonly invitations: Invitations;
  readonly oidc: Oidc | undefined;
  readonly audit: AuditLog;
  readonly known: KnownBrowsers;
  /** Wrong attempts: per address, and with a wide bound per account; those of a browser that is known to the account per browser alone. */
  readonly limiters: Readonly<Record<'addresses' | 'accounts' | 'browsers' | 'codes', AttemptLimiter>>;
  readonly devices: Pick<Devices, 'end'>;
  readonly factors: SecondFactors;
  readonly steps: SecondSteps;
  readonly pool: Parameters<typeof ensureProviderUser>[0];
  readonly log: Log;
  readonly now: () => Date;
}

/**
 * How a person comes in with a browser (rules A1 to A8): by a link that works once, a password, the identity provider, or an invitation. All ways
 * end in a browser session of `People`, one log line, and an entry of the audit log.
 */
export class SignInDesk {
  readonly #parts: SignInDeskParts;

  constructor(parts: SignInDeskParts) {
    this.#parts = parts;
  }

  /** Uses the token of a link up. */
  async byLink(token: string, knocker: Knocker): Promise<Redemption> {
    const limited = this.#take('link', knocker);
    if (limited) return limited;
    // Loaded before the link is used up, so that a failure to load does not cost the person their link.
    await this.#parts.people.warm();
    const userId = await this.#parts.links.redeem(token, this.#parts.now());
    if (userId === undefined) return this.#refuse('link', knocker, 'the link is unknown, used or expired');
    const giveBack = () => this.#parts.limiters.addresses.giveBack('link', knocker.address);
    return this.#open(userId, { openedWith: 'link', giveBack, stillCounts: () => this.#parts.links.isStill(token) }, knocker);
  }

  /** One answer for an unknown address, a wrong password and a person who is kept out, and all take as long. */
  async byPassword({ email, password }: { readonly email: string; readonly password: string }, knocker: Knocker): Promise<PasswordAnswer> {
    const { passwords } = this.#parts;
    const browserId = await this.#knownBrowser(email, knocker);
    const admission = this.#takeGuess(email, browserId, knocker);
    if (!admission.ok) return this.#limit('password', admission.retryAfterMs, knocker);
    const check = await passwords.check(email, password, browserId !== undefined);
    if (!check.ok && check.code === 'busy') return { ok: false, code: 'rate_limited', retryAfterMs: 2_000 };
    if (!check.ok) {
      // Not waited for: how long a refusal takes must not tell whether the address is known.
      if (check.userId !== undefined) void this.#parts.audit.note({ userId: check.userId, action: 'sign_in_refused', address: knocker.address });
      return this.#refuse('password', knocker, 'address or password is wrong');
    }
    const { giveBack } = admission;
    const stillCounts = () => passwords.isStill(check.userId, check.hash);
    if (!(await this.#parts.factors.isOn(check.userId))) return this.#open(check.userId, { openedWith: 'password', giveBack, stillCounts }, knocker);
    const { steps } = this.#parts;
    const token = await steps.begin(check.userId, this.#parts.now());
    if (!(await stillCounts())) {
      await steps.end(token);
      return this.#refuse('password', knocker, OVERTAKEN);
    }
    giveBack();
    return { ok: false, code: 'second_step', token, maxAgeS: steps.lifetimeS };
  }

  /**
   * The code after the password. One answer for a wrong code, one that was used, a step that is over and one that never was, and all take as
   * long. A recovery code is not guessed, so wrong codes of the app do not keep its person from using one.
   */
  async bySecondStep(token: string | undefined, code: string, knocker: Knocker): Promise<Redemption> {
    const { audit, factors, limiters, steps, now } = this.#parts;
    const limited = this.#take('code', knocker);
    if (limited) return limited;
    const userId = await steps.take(token ?? '', now());
    const isCounted = userId !== undefined && readRecoveryCode(code) === undefined;
    const guesses = isCounted ? limiters.codes.take('code', userId) : undefined;
    if (guesses?.ok === false) return this.#limit('code', guesses.retryAfterMs, knocker);
    const used = await factors.use(userId, code);
    if (userId === undefined || used === undefined) {
      // Not waited for, as with a wrong password.
      if (userId !== undefined) void audit.note({ userId, action: 'second_factor_refused', address: knocker.address });
      return this.#refuse('code', knocker, 'the code is wrong or used, or the step is over');
    }
    if (used === 'recovery_code') await audit.note({ userId, action: 'recovery_code_used', address: knocker.address });
    const stillCounts = () => steps.finish(token ?? '', now());
    const giveBack = () => {
      limiters.addresses.giveBack('code', knocker.address);
      if (isCounted) limiters.codes.giveBack('code', userId);
    };
    return this.#open(userId, { openedWith: 'password', secondly: used, giveBack, stillCounts }, knocker);
  }

  async look(token: string, knocker: Knocker): Promise<InvitationLook> {
    const limited = this.#take('link', knocker);
    if (limited) return limited;
    const invitation = await this.#parts.invitations.find(token, this.#parts.now());
    if (!invitation) return { ok: false, code: 'over' };
    this.#parts.limiters.addresses.giveBack('link', knocker.address);
    return { ok: true, invitation };
  }

  /** Makes the account of an invitation, with a password. What is refused leaves the invitation whole. */
  async join(
    request: { readonly token: string; readonly name: string; readonly email: string; readonly password: string },
    knocker: Knocker,
  ): Promise<Joining> {
    const { token, name, email, password } = request;
    const look = await this.look(token, knocker);
    if (!look.ok) return look;
    const fault = await passwordFault(password, { name, email });
    if (fault !== undefined) return { ok: false, code: 'weak', message: fault };
    await this.#parts.people.warm();
    const passwordHash = await this.#parts.passwords.hash(password);
    return this.#accept(token, { name, email, passwordHash }, knocker);
  }

  /** Where the browser goes; undefined when no provider is configured. Throws when it cannot be reached. */
  depart(errand: Errand, redirectUri: string): ReturnType<Oidc['depart']> | undefined {
    return this.#parts.oidc?.depart(errand, redirectUri);
  }

  /** The browser is back from the provider. */
  async byProvider(answer: URL, luggage: string | undefined, knocker: Knocker): Promise<ProviderReturn> {
    const { oidc, log } = this.#parts;
    if (!oidc) return { ok: false, code: 'refused' };
    try {
      const arrival = await oidc.arrive(answer, luggage);
      if (!arrival.ok) {
        this.#refuse('provider', knocker, arrival.reason);
        return { ok: false, code: arrival.code };
      }
      return await this.#finish(arrival.errand, arrival.identity, knocker);
    } catch (error) {
      log.error({ component: 'auth', err: error }, 'the identity provider cannot be asked');
      return { ok: false, code: 'unreachable' };
    }
  }

  async #finish(errand: Errand, identity: Identity, knocker: Knocker): Promise<ProviderReturn> {
    if (errand.kind === 'connect') return this.#connect(errand, identity, knocker);
    if (errand.kind === 'join') {
      const joined = await this.#accept(errand.invitation, { name: identity.name.slice(0, 100), identity }, knocker);
      if (joined.ok) return joined;
      return { ok: false, code: joined.code === 'identity_taken' ? 'other' : 'over' };
    }
    const { accounts, oidc, pool } = this.#parts;
    let userId = await accounts.findConnected(identity.issuer, identity.subject);
    if (userId === undefined && oidc?.isOpen) userId = await ensureProviderUser(pool, identity);
    const opened = userId === undefined ? undefined : await this.#open(userId, { openedWith: 'provider' }, knocker);
    if (opened?.ok) return opened;
    this.#refuse('provider', knocker, 'no account here is connected with this identity');
    return { ok: false, code: 'unknown' };
  }

  async #connect({ userId, sessionId }: Extract<Errand, { kind: 'connect' }>, identity: Identity, knocker: Knocker): Promise<ProviderReturn> {
    const { accounts, audit, people, pool, now } = this.#parts;
    const { rows } = await pool.query('select 1 from auth_sessions where id = $1 and user_id = $2 and expires_at > $3', [sessionId, userId, now()]);
    if (rows.length === 0) return { ok: false, code: 'refused' };
    if (!(await accounts.connect(userId, identity.issuer, identity.subject))) return { ok: false, code: 'other' };
    await people.warm();
    await audit.note({ userId, action: 'provider_connected', credentialId: sessionId, address: knocker.address });
    return { ok: true, setCookies: [] };
  }

  async #accept(
    token: string,
    newcomer: Parameters<Invitations['accept']>[1],
    knocker: Knocker,
  ): Promise<SignedIn | Refused<'over' | 'email_taken' | 'identity_taken'>> {
    const accepted = await this.#parts.invitations.accept(token, newcomer, this.#parts.now());
    if (!accepted.ok) return accepted;
    await this.#parts.audit.note({ userId: accepted.userId, action: 'invitation_accepted', address: knocker.address });
    const opened = await this.#open(accepted.userId, { openedWith: 'invitation' }, knocker);
    return opened.ok ? opened : { ok: false, code: 'over' };
  }

  /** Somebody is known by now: their browser session. */
  async #open(userId: string, { openedWith, secondly, giveBack, stillCounts }: Way, knocker: Knocker): Promise<SignedIn | Refused<'unauthorized'>> {
    const { people, audit, devices, known, passwords } = this.#parts;
    const former = await people.find(knocker.headers);
    const opened = await people.open(userId, { ...knocker, openedWith, stillCounts });
    if (opened.ok && former) await devices.end(former.userId, former.sessionId);
    if (!opened.ok) return this.#refuse(openedWith, knocker, stillCounts === undefined ? 'this person is kept out' : OVERTAKEN);
    giveBack?.();
    this.#line(openedWith, knocker).info({ outcome: 'accepted', user: userId }, 'signed in');
    const about = secondly === undefined ? openedWith : `${openedWith} and ${secondly.replace('_', ' ')}`;
    await audit.note({ userId, action: 'signed_in', credentialId: opened.sessionId, address: knocker.address, about });
    const hash = await passwords.hashOf(userId);
    return { ok: true, setCookies: [...opened.setCookies, ...(hash === undefined ? [] : [known.cookieFor({ userId, hash })])] };
  }

  /** Which browser of this account it is, as far as the account has one that is known. */
  async #knownBrowser(email: string, { headers }: Knocker): Promise<string | undefined> {
    const { known, passwords } = this.#parts;
    return known.mayKnow(headers) ? known.idOf(headers, await passwords.find(email)) : undefined;
  }

  /**
   * Counts a guess, before it is looked at. Of a browser that is known to the account it counts there alone: the guesses of everybody else, at its
   * address and at its account, do not keep its person out.
   */
  #takeGuess(email: string, browserId: string | undefined, { address }: Knocker): Guess {
    const { addresses, accounts, browsers } = this.#parts.limiters;
    if (browserId !== undefined) {
      const admission = browsers.take('browser', browserId);
      return admission.ok ? { ok: true, giveBack: () => browsers.giveBack('browser', browserId) } : admission;
    }
    const account = hashCredential(email);
    const atAddress = addresses.take('password', address);
    const admission = atAddress.ok ? accounts.take('account', account) : atAddress;
    if (!admission.ok) return admission;
    const giveBack = () => {
      addresses.giveBack('password', address);
      accounts.giveBack('account', account);
    };
    return { ok: true, giveBack };
  }

  #take(kind: 'link' | 'code', knocker: Knocker): Limited | undefined {
    const admission = this.#parts.limiters.addresses.take(kind, knocker.address);
    return admission.ok ? undefined : this.#limit(kind, admission.retryAfterMs, knocker);
  }

  #limit(kind: 'link' | 'password' | 'code', retryAfterMs: number, knocker: Knocker): Limited {
    this.#line(kind, knocker).warn({ outcome: 'refused', code: 'rate_limited' }, 'refused');
    return { ok: false, code: 'rate_limited', retryAfterMs };
  }

  #refuse(path: string, knocker: Knocker, reason: string): Refused<'unauthorized'> {
    this.#line(path, knocker).warn({ outcome: 'refused', code: 'unauthorized', reason }, 'refused');
    return { ok: false, code: 'unauthorized' };
  }

  #line(path: string, knocker: Knocker) {
    return this.#parts.log.child({ event: 'auth', path, namespace: 'http', address: knocker.address });
  }
}
