import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import type { OidcConfig } from '../config.ts';
import type { Log } from '../log.ts';
import type { Keyring } from '../secrets/keyring.ts';
import type { Accounts } from './accounts.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import { AuditLog } from './audit-log.ts';
import type { Devices } from './devices.ts';
import { Invitations } from './invitations.ts';
import { KnownBrowsers } from './known-browsers.ts';
import { Oidc } from './oidc.ts';
import { Passwords } from './passwords.ts';
import type { People } from './people.ts';
import { PeopleDesk } from './people-desk.ts';
import { SecondFactorDesk } from './second-factor-desk.ts';
import { SecondFactors } from './second-factors.ts';
import { SecondSteps } from './second-steps.ts';
import { SignInDesk, type SignInDeskParts } from './sign-in-desk.ts';
import type { SignInLinks } from './sign-in-links.ts';

/** What has to do with people who have an account. */
export interface AccountDesks {
  /** How people come in with a browser. */
  readonly signIn: SignInDesk;
  /** The accounts: one's own, and for owners those of others. */
  readonly people: PeopleDesk;
  readonly secondFactor: SecondFactorDesk;
  readonly audit: AuditLog;
  /** The identity provider, when one is configured. */
  readonly provider: { readonly issuer: string; readonly name: string } | undefined;
  /** `Set-Cookie` lines by which the browser that asks is known to this person's account from now on; none for who has no password. */
  knowBrowser(userId: string): Promise<readonly string[]>;
  /** The ways in that a browser may offer. */
  waysIn(): Promise<{ readonly password: boolean; readonly provider?: string | undefined }>;
}

export interface AccountDesksParts {
  readonly firstOwnerId: string;
  readonly oidcConfig: OidcConfig | undefined;
  readonly secretKey: Buffer;
  readonly keyring: Keyring;
  readonly accounts: Accounts;
  readonly people: People;
  readonly links: SignInLinks;
  readonly devices: Devices;
  readonly pool: Pool;
  readonly log: Log;
  readonly now: () => Date;
  /** Milliseconds that only grow. */
  readonly clock: () => number;
  readonly onEnded: (credentialId: string) => void;
}

/** 20 mistakes of an address at once, one more every 3 s. */
const ADDRESS = { capacity: 20, refillMs: 3_000 };
/** 30 of everybody together at one account, one more a minute, so that many addresses are not many guesses. */
const ACCOUNT = { capacity: 30, refillMs: 60_000 };
/** 20 of a browser that has been signed in to the account before, one more a minute: whoever has stolen its cookie guesses no faster. */
const BROWSER = { capacity: 20, refillMs: 60_000 };
/** 10 wrong codes of a person whose password is known, one more every 5 minutes: three of a million are good, which is once in three years. */
const CODES = { capacity: 10, refillMs: 300_000 };

export function openAccountDesks(parts: AccountDesksParts): AccountDesks {
  const { pool, log, now, clock, people, links, accounts, oidcConfig } = parts;
  const passwords = new Passwords(pool);
  const invitations = new Invitations(pool, randomBytes);
  const audit = new AuditLog({ pool, log, now });
  const oidc = oidcConfig && new Oidc(oidcConfig, parts.secretKey);
  const known = new KnownBrowsers({
    ...{ secretKey: parts.secretKey, random: randomBytes },
    ...{ cookieName: () => people.knownCookieName, isSecure: () => people.isSecure },
  });
  const factors = new SecondFactors({ pool, keyring: parts.keyring, random: randomBytes, log, now });
  const steps = new SecondSteps(pool, randomBytes);
  const codes = new AttemptLimiter({ ...CODES, now: clock });
  const shared = { accounts, passwords, invitations, links, audit, pool, now };
  const desk = new PeopleDesk({
    ...shared,
    firstOwnerId: parts.firstOwnerId,
    devices: parts.devices,
    limiter: new AttemptLimiter({ ...ACCOUNT, now: clock }),
    steps,
    onEnded: parts.onEnded,
  });
  return {
    signIn: new SignInDesk({ ...shared, people, devices: parts.devices, oidc, known, limiters: signInLimiters(clock, codes), factors, steps, log }),
    people: desk,
    secondFactor: new SecondFactorDesk({ people: desk, factors, audit, codes, firstOwnerId: parts.firstOwnerId }),
    audit,
    provider: oidc && { issuer: oidc.issuer, name: oidc.name },
    async knowBrowser(userId) {
      const hash = await passwords.hashOf(userId);
      return hash === undefined ? [] : [known.cookieFor({ userId, hash })];
    },
    waysIn: async () => ({ password: await passwords.areInUse(), provider: oidc?.name }),
  };
}

function signInLimiters(now: () => number, codes: AttemptLimiter): SignInDeskParts['limiters'] {
  return {
    addresses: new AttemptLimiter({ ...ADDRESS, now }),
    // The addresses of accounts are chosen by whoever guesses.
    accounts: new AttemptLimiter({ ...ACCOUNT, now, keepsOwing: true }),
    browsers: new AttemptLimiter({ ...BROWSER, now }),
    codes,
  };
}
