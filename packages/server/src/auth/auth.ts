import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Pool } from 'pg';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Keyring } from '../secrets/keyring.ts';
import { type AccountDesks, openAccountDesks } from './account-desks.ts';
import { Accounts } from './accounts.ts';
import { type ApiKeyRow, ApiKeys, type NewApiKey } from './api-keys.ts';
import { AttemptLimiter } from './attempt-limiter.ts';
import { authenticate, type Origins } from './authenticate.ts';
import { CsrfTokens } from './csrf-tokens.ts';
import { Devices } from './devices.ts';
import { EndedCredentials, type EndedCredentialsOptions, hasEnded } from './ended-credentials.ts';
import { issueSessionToken, type SessionTokenAnswer } from './issue-session-token.ts';
import { createJwtVerifier } from './jwt.ts';
import { ensureOwner, holdOwnerKey } from './owner.ts';
import { PairingDesk } from './pairing-desk.ts';
import { Pairings } from './pairings.ts';
import { type BrowserSession, People, readCookie } from './people.ts';
import type { Attempt, Decision, Principal } from './principal.ts';
import { SessionTokens } from './session-tokens.ts';
import { SignInLinks } from './sign-in-links.ts';

export interface AuthOptions {
  readonly config: Pick<Config, 'auth' | 'ownerKey' | 'jwt' | 'oidc' | 'controlKey' | 'desktop'>;
  readonly pool: Pool;
  readonly secretKey: Buffer;
  /** Opens and seals what must be read again. */
  readonly keyring: Keyring;
  /** The addresses of the server, known once it listens. */
  readonly door: Origins & { publicOrigin(): string };
  readonly log: Log;
  /** Not a server that people use, see `ServerParts`. */
  readonly isPassing?: boolean | undefined;
  /** The clock; for tests. */
  readonly now?: () => Date;
}

/** A credential that has just ended: its connections must end too. */
export type RevocationListener = (revoked: { readonly credentialId: string }) => void;

/** Who may come in. Made once per server, after the migrations; holds no connection and no timer of its own. */
export interface Auth extends AccountDesks {
  readonly ownerId: string;
  authenticate(attempt: Attempt): Promise<Decision>;
  /** Whether the credential of somebody who was let in, and has waited since, is over. */
  hasEnded(principal: Principal): Promise<boolean>;
  /** A link that signs the owner in once, within 15 minutes. The server must listen. */
  signInLink(): Promise<string>;
  /** The cookie of a browser that is away at the identity provider. */
  providerCookieName(): string;
  /** The cookie of a browser whose person has given the password and owes a code. */
  secondStepCookieName(): string;
  /** The address of one of our own pages. */
  pageUrl(path: string): string;
  /** The browser session of a request, kept from running out. */
  extendSession(headers: IncomingHttpHeaders): Promise<{ readonly session: BrowserSession; readonly setCookies: readonly string[] } | undefined>;
  /** A credential for one connection of a desktop page, whose cookie and headers these are. */
  issueSessionToken(headers: IncomingHttpHeaders, address: string): Promise<SessionTokenAnswer>;
  /** Ends the browser session of a request; `Set-Cookie` lines that take the cookie away. */
  signOut(headers: IncomingHttpHeaders, address: string): Promise<readonly string[]>;
  /** The browsers that are signed in. */
  readonly devices: Devices;
  /** Watches the credentials that connections stand on, and announces those that have ended unheard. */
  watchEnded(inUse: () => readonly string[]): EndedCredentials;
  readonly pairing: PairingDesk;
  /** Where a person decides about the machine with this code. */
  pairingUrl(userCode: string): string;
  createKey(request: NewApiKey): Promise<{ readonly key: string; readonly row: ApiKeyRow }>;
  listKeys(userId: string): Promise<readonly ApiKeyRow[]>;
  /** False when the key is not this user's, or already over. */
  revokeKey(userId: string, id: string): Promise<boolean>;
  /** Called for every credential that this node ends. Returns the way to stop listening. */
  onRevoked(listener: RevocationListener): () => void;
  /** Loads what the first sign-in will need, while nobody waits for it. */
  warm(): Promise<void>;
}

/** Keys and tokens have 256 bits and are not guessed; the bound keeps floods out and leaves room for a whole office that reconnects at once. */
const TOKEN_ATTEMPTS = 300;
const FORGIVEN_EVERY_MS = 3_000;
/** In no minute more than 10 for a browser session and 30 for an address: half of them at once, the others as time goes by. */
const SESSION_TOKENS = { session: { capacity: 5, refillMs: 12_000 }, address: { capacity: 15, refillMs: 4_000 } };

/** 20 requests of an address at once, one more every 3 s; 20 wrong codes of a person, one more every 10 s: 25,600,000,000 codes, each good for 10 minutes. */
const PAIRING = { machines: { capacity: 20, refillMs: 3_000 }, people: { capacity: 20, refillMs: 10_000 } };

/** Opens the door: makes the owner at the first start and takes over TENDON_OWNER_KEY. Throws when the database is lost. */
export async function createAuth(options: AuthOptions): Promise<Auth> {
  const { config, pool, log, door } = options;
  const now = options.now ?? (() => new Date());
  const clock = () => (options.now ? now().getTime() : performance.now());
  const limiter = new AttemptLimiter({ capacity: TOKEN_ATTEMPTS, refillMs: FORGIVEN_EVERY_MS, now: clock });
  const keys = new ApiKeys(pool, randomBytes);
  const links = new SignInLinks(pool, randomBytes);
  const sessionTokens = new SessionTokens(pool, randomBytes);
  const csrf = new CsrfTokens(options.secretKey, randomBytes);
  const tokenLimiters = sessionTokenLimiters(clock);
  const people = new People({ pool, secretKey: options.secretKey, publicOrigin: () => door.publicOrigin(), log });
  const ownerId = await ensureOwner(pool);
  if (options.isPassing !== true) await holdOwnerKey({ keys, log }, { userId: ownerId, key: config.ownerKey }, now());
  const accounts = new Accounts(pool, config.oidc?.issuer);
  const verifyJwt = config.jwt && createJwtVerifier(config.jwt);
  const listeners = new Set<RevocationListener>();
  const tell: RevocationListener = (revoked) => {
    for (const listener of listeners) listener(revoked);
  };

  const onEnded = (credentialId: string) => tell({ credentialId });
  const devices = new Devices({ pool, now, onEnded });
  const desks = openAccountDesks({
    ...{ firstOwnerId: ownerId, oidcConfig: config.oidc, secretKey: options.secretKey, keyring: options.keyring },
    ...{ accounts, people, links, devices, pool, log, now, clock, onEnded },
  });

  return {
    ownerId,
    authenticate: (attempt) =>
      authenticate({ config, ownerId, pool, accounts, keys, sessionTokens, people, verifyJwt, limiter, origins: door, log, now }, attempt),
    signInLink: async () => `${door.publicOrigin()}/sign-in?token=${await ownersLink(links, ownerId, now())}`,
    ...desks,
    providerCookieName: () => people.providerCookieName,
    secondStepCookieName: () => people.secondStepCookieName,
    pageUrl: (path) => `${door.publicOrigin()}${path}`,
    async extendSession(headers) {
      const extended = await people.extend(headers);
      if (!extended || !config.desktop) return extended;
      return { ...extended, setCookies: [...extended.setCookies, ...csrfCookie({ people, csrf, origin: door.publicOrigin() }, headers, extended.session)] };
    },
    issueSessionToken: (headers, address) =>
      issueSessionToken({ desktop: config.desktop, origins: door, people, csrf, tokens: sessionTokens, limiters: tokenLimiters, log, now }, headers, address),
    async signOut(headers, address) {
      const session = await people.find(headers);
      const setCookies = await people.close(headers);
      if (session) {
        tell({ credentialId: session.sessionId });
        await desks.audit.note({ userId: session.userId, action: 'signed_out', credentialId: session.sessionId, address });
      }
      return setCookies;
    },
    devices,
    ...endings({ pool, onEnded, now, log }),
    pairing: openPairing({ pool, log, now }, clock),
    pairingUrl: (userCode) => `${door.publicOrigin()}/pair?code=${userCode}`,
    createKey: (request) => keys.create(request, now()),
    listKeys: (userId) => keys.list(userId, now()),
    async revokeKey(userId, id) {
      const isRevoked = await keys.revoke(userId, id, now());
      if (isRevoked) tell({ credentialId: id });
      return isRevoked;
    },
    onRevoked(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    warm: () => people.warm(),
  };
}

function endings(parts: Omit<EndedCredentialsOptions, 'inUse'>): Pick<Auth, 'hasEnded' | 'watchEnded'> {
  return {
    hasEnded: ({ credentialId }) => hasEnded(parts.pool, credentialId, parts.now()),
    watchEnded: (inUse) => new EndedCredentials({ ...parts, inUse }),
  };
}

async function ownersLink(links: SignInLinks, userId: string, now: Date): Promise<string> {
  const token = await links.create({ userId }, now);
  if (token === undefined) throw new Error('the first owner is kept out, which nothing here does');
  return token;
}

function sessionTokenLimiters(clock: () => number) {
  const { session, address } = SESSION_TOKENS;
  return { session: new AttemptLimiter({ ...session, now: clock }), address: new AttemptLimiter({ ...address, now: clock }) };
}

function openPairing({ pool, log, now }: { pool: Pool; log: Log; now: () => Date }, clock: () => number): PairingDesk {
  const limiters = { machines: new AttemptLimiter({ ...PAIRING.machines, now: clock }), people: new AttemptLimiter({ ...PAIRING.people, now: clock }) };
  return new PairingDesk({ pairings: new Pairings(pool, randomBytes), limiters, log, now });
}

/** The `Set-Cookie` line that gives a page its CSRF token, unless it has one of this session. */
function csrfCookie(
  { people, csrf, origin }: { people: People; csrf: CsrfTokens; origin: string },
  headers: IncomingHttpHeaders,
  { sessionId }: BrowserSession,
): readonly string[] {
  const known = readCookie(headers, people.csrfCookieName);
  if (known !== undefined && csrf.isOf(known, sessionId)) return [];
  return [`${people.csrfCookieName}=${csrf.create(sessionId)}; Path=/; SameSite=Strict${origin.startsWith('https:') ? '; Secure' : ''}`];
}
