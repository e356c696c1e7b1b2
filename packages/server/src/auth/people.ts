import { hkdfSync } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { Log } from '../log.ts';
import { lastMomentOf } from './session-lifetime.ts';

/**
 * Browser sessions of people, kept by better-auth in our database. Its library is loaded at the first use, because it costs
 * a third of a second: `warm()` does it while nobody waits.
 *
 *   (link redeemed) ── open ──► live ── close / 30 days without use / 90 days ──► gone
 */
export interface PeopleOptions {
  readonly pool: Pool;
  readonly secretKey: Buffer;
  /** The origin that people use; known once the server listens. */
  readonly publicOrigin: () => string;
  readonly log: Log;
}

export interface BrowserSession {
  readonly sessionId: string;
  readonly userId: string;
  readonly userName: string;
  readonly expiresAt: Date;
  /** It ends then, however much it is used. */
  readonly lastMoment: Date;
}

/** What opens a browser session. */
export type OpenedWith = 'link' | 'password' | 'provider' | 'invitation';

export interface Opening {
  readonly headers: IncomingHttpHeaders;
  readonly address: string;
  readonly openedWith: OpenedWith;
  /**
   * Whether that which opens it still counts. Asked after the session stands: whoever makes it count no more ends the sessions after that, so that
   * one of the two finds the other.
   */
  readonly stillCounts?: (() => Promise<boolean>) | undefined;
}

/** Not ok: the person is kept out, or what opens it counts no more. */
export type OpenedSession = { readonly ok: true; readonly sessionId: string; readonly setCookies: readonly string[] } | { readonly ok: false };

type Instance = Awaited<ReturnType<typeof build>>;

const LIFETIME_S = 30 * 24 * 3_600;

export class People {
  readonly #options: PeopleOptions;
  #built: Promise<Instance> | undefined;

  constructor(options: PeopleOptions) {
    this.#options = options;
  }

  /** Loads the library. May be called any number of times. */
  async warm(): Promise<void> {
    await this.#instance();
  }

  /** Signs a person in. The `Set-Cookie` lines are the only place where the cookie's value ever stands. */
  async open(userId: string, { headers, address, openedWith, stillCounts }: Opening): Promise<OpenedSession> {
    const auth = await this.#instance();
    const { headers: answer, response } = await auth.api.openBrowserSession({ body: { userId, address }, headers: webHeaders(headers), returnHeaders: true });
    // Asked after the session stands, see `Accounts.disable`: whoever is kept out meanwhile is found by one of the two.
    const { rows } = await this.#options.pool.query<{ is_out: boolean }>(
      `update auth_sessions set opened_with = $2 from users where auth_sessions.id = $1 and users.id = user_id returning disabled_at is not null as is_out`,
      [response.sessionId, openedWith],
    );
    if (rows[0]?.is_out !== false || (await stillCounts?.()) === false) {
      await this.#options.pool.query('delete from auth_sessions where id = $1', [response.sessionId]);
      return { ok: false };
    }
    return { ok: true, sessionId: response.sessionId, setCookies: answer.getSetCookie() };
  }

  /** The live session of a request's cookie, or undefined. */
  async find(headers: IncomingHttpHeaders): Promise<BrowserSession | undefined> {
    if (!this.#mayHold(headers)) return undefined;
    const auth = await this.#instance();
    const found = (await auth.api.getSession({ headers: webHeaders(headers), query: { disableRefresh: true } })) ?? undefined;
    return found && browserSession(found);
  }

  /** As `find`, and keeps a session in use from running out: at most once a day its end moves on, and the cookie with it, but never past its last moment. */
  async extend(headers: IncomingHttpHeaders): Promise<{ readonly session: BrowserSession; readonly setCookies: readonly string[] } | undefined> {
    const known = await this.find(headers);
    if (!known || known.expiresAt >= known.lastMoment) return known && { session: known, setCookies: [] };
    const auth = await this.#instance();
    const { headers: answer, response: found } = await auth.api.getSession({ headers: webHeaders(headers), returnHeaders: true });
    const session = found ? browserSession(found) : undefined;
    if (!session) return undefined;
    await this.#options.pool.query('update auth_sessions set expires_at = $2 where id = $1 and expires_at > $2', [session.sessionId, session.lastMoment]);
    return { session, setCookies: answer.getSetCookie() };
  }

  /** Ends the session of a request's cookie. The `Set-Cookie` lines take the cookie away. */
  async close(headers: IncomingHttpHeaders): Promise<readonly string[]> {
    const auth = await this.#instance();
    const { headers: answer } = await auth.api.signOut({ headers: webHeaders(headers), returnHeaders: true });
    return answer.getSetCookie();
  }

  /** The cookie of the CSRF token, which the page reads. */
  get csrfCookieName(): string {
    return `${cookiePrefix(this.#options.publicOrigin())}.csrf`;
  }

  /** The cookie that a browser holds while it is away at the identity provider. */
  get providerCookieName(): string {
    return `${cookiePrefix(this.#options.publicOrigin())}.provider`;
  }

  /** The cookie of a browser whose person owes a code. */
  get secondStepCookieName(): string {
    return `${cookiePrefix(this.#options.publicOrigin())}.second_step`;
  }

  /** The cookie of a browser in which somebody has signed in before; see `KnownBrowsers`. */
  get knownCookieName(): string {
    return `${cookiePrefix(this.#options.publicOrigin())}.known`;
  }

  /** Whether cookies of ours go over https alone. */
  get isSecure(): boolean {
    return this.#options.publicOrigin().startsWith('https:');
  }

  /** Whether a request carries a cookie of ours at all; a stranger's request must not cost a library and a query. */
  #mayHold(headers: IncomingHttpHeaders): boolean {
    return headers.cookie?.includes(`${cookiePrefix(this.#options.publicOrigin())}.session_token=`) ?? false;
  }

  #instance(): Promise<Instance> {
    this.#built ??= build(this.#options).catch((error: unknown) => {
      this.#built = undefined;
      throw error;
    });
    return this.#built;
  }
}

/** Undefined when it is too old, whatever its row says. */
function browserSession({ session, user }: NonNullable<Awaited<ReturnType<Instance['api']['getSession']>>>): BrowserSession | undefined {
  const lastMoment = lastMomentOf(session.createdAt);
  if (lastMoment.getTime() <= Date.now()) return undefined;
  const expiresAt = session.expiresAt < lastMoment ? session.expiresAt : lastMoment;
  return { sessionId: session.id, userId: user.id, userName: user.name, expiresAt, lastMoment };
}

/** Cookies do not know ports: two Tendons on one machine would sign each other's people out, were the port not in the name. */
function cookiePrefix(origin: string): string {
  const url = new URL(origin);
  return `tendon-${url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port}`;
}

async function build(options: PeopleOptions) {
  const [{ betterAuth }, { drizzleAdapter }, { drizzle }, { createAuthEndpoint }, { setSessionCookie }, { z }, identity] = await Promise.all([
    import('better-auth/minimal'),
    import('better-auth/adapters/drizzle'),
    import('drizzle-orm/node-postgres'),
    import('better-auth/api'),
    import('better-auth/cookies'),
    import('zod'),
    import('../store/schema/identity.ts'),
  ]);
  const origin = options.publicOrigin();
  const schema = { user: identity.users, session: identity.authSessions, account: identity.accounts, verification: identity.verifications };

  /** Reachable from this file only: it has no path, so better-auth's router does not know it. */
  const openBrowserSession = createAuthEndpoint.serverOnly({ method: 'POST', body: z.object({ userId: z.string(), address: z.string() }) }, async (context) => {
    const { internalAdapter } = context.context;
    const user = await internalAdapter.findUserById(context.body.userId);
    if (!user) throw new Error('a sign-in link names a user who is not there');
    const session = await internalAdapter.createSession(user.id, false, { ipAddress: context.body.address });
    await setSessionCookie(context, { session, user });
    return { sessionId: session.id };
  });

  return betterAuth({
    appName: 'Tendon',
    baseURL: origin,
    basePath: '/api/auth',
    secret: Buffer.from(hkdfSync('sha256', options.secretKey, '', 'tendon browser sessions', 32)).toString('base64url'),
    database: drizzleAdapter(drizzle({ client: options.pool, schema }), { provider: 'pg', schema }),
    trustedOrigins: [origin],
    emailAndPassword: { enabled: false },
    session: { expiresIn: LIFETIME_S, updateAge: 24 * 3_600 },
    // Strict works with a link opened from a terminal: no other site starts that navigation, and the page's own requests are same-site.
    advanced: {
      cookiePrefix: cookiePrefix(origin),
      useSecureCookies: origin.startsWith('https:'),
      defaultCookieAttributes: { sameSite: 'strict', httpOnly: true },
      database: { generateId: () => uuidv7() },
    },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { level: 'warn', log: (level, message) => options.log[level === 'error' ? 'error' : 'warn']({ component: 'better-auth' }, message) },
    plugins: [{ id: 'tendon-links', endpoints: { openBrowserSession } }],
  });
}

function webHeaders(headers: IncomingHttpHeaders): Headers {
  const web = new Headers();
  for (const name of ['cookie', 'user-agent', 'origin', 'host'] as const) {
    const value = headers[name];
    if (value !== undefined) web.set(name, value);
  }
  return web;
}

/** The value of a cookie of this name, undefined when there is none or more than one. */
export function readCookie(headers: IncomingHttpHeaders, name: string): string | undefined {
  const found = (headers.cookie ?? '').split(/;\s*/).filter((pair) => pair.startsWith(`${name}=`));
  return found.length === 1 ? found[0]?.slice(name.length + 1) : undefined;
}
