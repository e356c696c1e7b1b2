import type { IncomingHttpHeaders } from 'node:http';
import type { Pool } from 'pg';
import type { Config } from '../config.ts';
import type { Log } from '../log.ts';
import type { Accounts } from './accounts.ts';
import type { ApiKeys } from './api-keys.ts';
import type { AttemptLimiter } from './attempt-limiter.ts';
import { looksLikeJwt, looksLikeSessionToken, sameCredential } from './credentials.ts';
import type { JwtClaims, JwtVerifier } from './jwt.ts';
import { ensureProviderUser } from './owner.ts';
import type { People } from './people.ts';
import { type Attempt, type CredentialPath, type Decision, refuse } from './principal.ts';
import type { SessionTokens } from './session-tokens.ts';

/** The addresses that pages may come from. */
export interface Origins {
  /** Whether this serialised origin is on the list, compared as a whole. */
  allows(origin: string): boolean;
  /** The origin of our own pages at this `Host`, or undefined when it is none of ours. */
  originOf(host: string): string | undefined;
}

export interface AuthenticatorParts {
  readonly config: Pick<Config, 'auth' | 'controlKey' | 'jwt'>;
  readonly ownerId: string;
  readonly pool: Pool;
  readonly accounts: Pick<Accounts, 'isDisabled' | 'findConnected'>;
  readonly keys: ApiKeys;
  readonly sessionTokens: SessionTokens;
  readonly people: People;
  readonly verifyJwt?: JwtVerifier | undefined;
  readonly limiter: AttemptLimiter;
  readonly origins: Origins;
  readonly log: Log;
  readonly now: () => Date;
}

/** A decision, and the credential that made it: `none` when there was nothing to look at. */
type Verdict = { readonly path: CredentialPath | 'none'; readonly decision: Decision };

/**
 * The one way in, for sockets of both namespaces and for HTTP: `disabled`, then `token`, then `jwt`, then `cookie`; the first credential
 * that is there decides, and a wrong one is not made good by the next. One log line per attempt. Never throws: a lost dependency is
 * `shutting_down`, which callers try again.
 */
export async function authenticate(parts: AuthenticatorParts, attempt: Attempt): Promise<Decision> {
  let verdict: Verdict;
  try {
    verdict = await judge(parts, attempt);
  } catch (error) {
    parts.log.error({ component: 'auth', err: error }, 'a credential could not be checked');
    verdict = { path: 'none', decision: refuse('shutting_down', 'a credential could not be checked') };
  }
  report(parts.log, attempt, verdict);
  return verdict.decision;
}

async function judge(parts: AuthenticatorParts, attempt: Attempt): Promise<Verdict> {
  if (parts.config.auth === 'disabled') {
    return { path: 'disabled', decision: { ok: true, principal: { userId: parts.ownerId, path: 'disabled', credentialId: 'disabled', kind: 'user' } } };
  }
  if (attempt.token !== undefined && attempt.token !== '') return judgeToken(parts, attempt, attempt.token);
  if (attempt.headers.cookie !== undefined) return { path: 'cookie', decision: await judgeCookie(parts, attempt) };
  return { path: 'none', decision: refuse('unauthorized', 'no credential') };
}

async function judgeToken(parts: AuthenticatorParts, attempt: Attempt, token: string): Promise<Verdict> {
  const admission = parts.limiter.take('token', attempt.address);
  if (!admission.ok) return { path: 'token', decision: refuse('rate_limited', 'too many wrong credentials from this address', admission.retryAfterMs) };
  const verdict = await checkToken(parts, attempt, token);
  if (verdict.decision.ok) parts.limiter.giveBack('token', attempt.address);
  return verdict;
}

async function checkToken(parts: AuthenticatorParts, attempt: Attempt, token: string): Promise<Verdict> {
  const { controlKey } = parts.config;
  if (attempt.namespace === 'http' && controlKey !== undefined && sameCredential(controlKey, token)) {
    return { path: 'token', decision: { ok: true, principal: { userId: parts.ownerId, path: 'token', credentialId: 'control', kind: 'user' } } };
  }
  if (looksLikeSessionToken(token)) return { path: 'token', decision: await checkSessionToken(parts, attempt, token) };
  const now = parts.now();
  const key = await parts.keys.find(token, now);
  if (key) {
    if (key.kind === 'gateway' && attempt.namespace !== '/gateway')
      return { path: 'token', decision: refuse('unauthorized', 'a gateway key opens /gateway only') };
    if (attempt.namespace === '/gateway' && key.scopes && !key.scopes.includes('manage'))
      return { path: 'token', decision: refuse('unauthorized', 'the key is not good for machines') };
    void parts.keys.noteUse(key.id, now).catch((error: unknown) => parts.log.warn({ component: 'auth', err: error }, 'the use of a key was not noted'));
    const { userId, kind, gatewayId, scopes, expiresAt } = key;
    return { path: 'token', decision: { ok: true, principal: { userId, path: 'token', credentialId: key.id, kind, gatewayId, scopes, expiresAt } } };
  }
  if (!parts.verifyJwt || !looksLikeJwt(token)) return { path: 'token', decision: refuse('unauthorized', 'the key is unknown, expired or revoked') };
  const check = await parts.verifyJwt(token, now);
  return { path: 'jwt', decision: check.ok ? await judgeJwt(parts, attempt, check.claims) : refuse('unauthorized', check.reason) };
}

/** A right JWT says who it is about, not that they have an account here. */
async function judgeJwt(parts: AuthenticatorParts, attempt: Attempt, { issuer, subject, name, expiresAt, scopes }: JwtClaims): Promise<Decision> {
  const { accounts, config, pool } = parts;
  if (attempt.namespace === '/gateway' && scopes && !scopes.includes('manage')) return refuse('unauthorized', 'the jwt is not good for machines');
  const known = await accounts.findConnected(issuer, subject);
  const userId = known ?? (config.jwt?.signUp === true ? await ensureProviderUser(pool, { issuer, subject, name }) : undefined);
  if (userId === undefined) return refuse('unauthorized', 'nobody who may come in is connected with this subject, and TENDON_JWT_SIGN_UP is off');
  if (await accounts.isDisabled(userId)) return refuse('unauthorized', 'this person is kept out');
  return { ok: true, principal: { userId, path: 'jwt', credentialId: `jwt:${userId}`, kind: 'user', scopes, expiresAt } };
}

/** Its connection stands on the browser session behind it, and ends with that. */
async function checkSessionToken(parts: AuthenticatorParts, attempt: Attempt, token: string): Promise<Decision> {
  if (attempt.namespace !== '/agent') return refuse('unauthorized', 'a session token opens /agent only');
  const origin = pageOrigin(parts.origins, attempt.headers);
  const redeemed = origin === undefined ? undefined : await parts.sessionTokens.redeem(token, origin, parts.now());
  if (!redeemed) return refuse('unauthorized', 'the session token is unknown, used, expired, or of another page');
  const { userId, sessionId, expiresAt } = redeemed;
  return { ok: true, principal: { userId, path: 'token', credentialId: sessionId, kind: 'user', expiresAt } };
}

async function judgeCookie(parts: AuthenticatorParts, attempt: Attempt): Promise<Decision> {
  if (attempt.namespace === '/gateway') return refuse('unauthorized', 'a cookie does not open /gateway');
  if (pageOrigin(parts.origins, attempt.headers) === undefined) return refuse('forbidden_origin', 'a cookie without a known origin');
  const session = await parts.people.find(attempt.headers);
  if (!session) return refuse('unauthorized', 'the cookie has no live session');
  return { ok: true, principal: { userId: session.userId, path: 'cookie', credentialId: session.sessionId, kind: 'user', expiresAt: session.expiresAt } };
}

/**
 * The origin of the page of ours that made a request, undefined when none did: from `Origin`, or, where browsers leave that out
 * (same-origin GET, as in long-polling), from `Host` when `Sec-Fetch-Site`, which no page can set, says that they are the same. To a plain
 * http address that is not loopback browsers send neither: there a header of our page counts, which another site's page may not send
 * without asking first (a preflight), and no route of ours answers that.
 */
export function pageOrigin(origins: Origins, headers: IncomingHttpHeaders): string | undefined {
  const { origin, host } = headers;
  if (origin !== undefined) return origins.allows(origin) ? origin : undefined;
  const site = headers['sec-fetch-site'];
  const isOurs = site === undefined ? headers['x-requested-with'] === 'tendon' : site === 'same-origin';
  return isOurs && host !== undefined ? origins.originOf(host) : undefined;
}

/** R13: path, outcome, user, client, address. Never the credential, nor anything made from it. */
function report(log: Log, attempt: Attempt, { path, decision }: Verdict): void {
  const common = {
    event: 'auth',
    path,
    namespace: attempt.namespace,
    client: attempt.client && `${attempt.client.name}/${attempt.client.version}`,
    address: attempt.address,
    origin: attempt.headers.origin,
  };
  if (!decision.ok) {
    log.warn({ ...common, outcome: 'refused', code: decision.code, reason: decision.reason }, 'refused');
    return;
  }
  const { userId, credentialId, kind, gatewayId } = decision.principal;
  log[path === 'disabled' ? 'warn' : 'info'](
    { ...common, outcome: 'accepted', user: userId, credentialId, kind, gatewayId },
    path === 'disabled' ? 'accepted without a credential: TENDON_AUTH is disabled' : 'accepted',
  );
}
