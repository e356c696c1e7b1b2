import type { IncomingHttpHeaders } from 'node:http';
import type { Log } from '../log.ts';
import type { AttemptLimiter } from './attempt-limiter.ts';
import { type Origins, pageOrigin } from './authenticate.ts';
import type { CsrfTokens } from './csrf-tokens.ts';
import { type People, readCookie } from './people.ts';
import { SESSION_TOKEN_LIFETIME_MS, type SessionTokens } from './session-tokens.ts';

/** What the desktop window calls itself. It proves nothing, and keeps the route out of sight of everything else. */
const DESKTOP_USER_AGENT = /(?:^|\s)TendonDesktop\/\d/;

export type SessionTokenAnswer =
  | { readonly ok: true; readonly token: string; readonly expiresInMs: number }
  | { readonly ok: false; readonly code: 'not_found' | 'unauthorized' | 'forbidden_origin' }
  | { readonly ok: false; readonly code: 'rate_limited'; readonly retryAfterMs: number };

export interface SessionTokenParts {
  readonly desktop: boolean;
  readonly origins: Origins;
  readonly people: People;
  readonly csrf: CsrfTokens;
  readonly tokens: SessionTokens;
  /** Per address, and per browser session: right requests count as well. */
  readonly limiters: { readonly address: AttemptLimiter; readonly session: AttemptLimiter };
  readonly log: Log;
  readonly now: () => Date;
}

/** Gives a desktop page its credential for one connection (H20 to H22). One log line per request. */
export async function issueSessionToken(parts: SessionTokenParts, headers: IncomingHttpHeaders, address: string): Promise<SessionTokenAnswer> {
  const { answer, user, reason } = await judge(parts, headers, address);
  const line = { event: 'auth', path: 'session_token', namespace: 'http', address, origin: headers.origin, user };
  if (answer.ok) parts.log.info({ ...line, outcome: 'accepted' }, 'a session token was made');
  else parts.log.warn({ ...line, outcome: 'refused', code: answer.code, reason }, 'refused');
  return answer;
}

interface Verdict {
  readonly answer: SessionTokenAnswer;
  readonly user?: string;
  /** For the log, not for the caller. */
  readonly reason?: string;
}

async function judge(parts: SessionTokenParts, headers: IncomingHttpHeaders, address: string): Promise<Verdict> {
  const refuse = (code: 'not_found' | 'unauthorized' | 'forbidden_origin', reason: string): Verdict => ({ answer: { ok: false, code }, reason });
  if (!parts.desktop || !DESKTOP_USER_AGENT.test(headers['user-agent'] ?? '')) return refuse('not_found', 'not in desktop mode');
  const perAddress = parts.limiters.address.take('session token', address);
  if (!perAddress.ok) return limited(perAddress.retryAfterMs, 'too many requests from this address');
  const origin = pageOrigin(parts.origins, headers);
  const site = headers['sec-fetch-site'];
  if (origin === undefined || (site !== undefined && site !== 'same-origin')) return refuse('forbidden_origin', 'not from one of our own pages');
  if (!isPlainRequest(headers)) return refuse('forbidden_origin', 'without the headers that only our own page can send');
  const session = await parts.people.find(headers);
  if (!session) return refuse('unauthorized', 'the cookie has no live session');
  if (!parts.csrf.isDoubled(headers['x-csrf-token'], readCookie(headers, parts.people.csrfCookieName), session.sessionId))
    return refuse('forbidden_origin', 'the CSRF token is missing or of another session');
  const perSession = parts.limiters.session.take('session token', session.sessionId);
  if (!perSession.ok) return limited(perSession.retryAfterMs, 'too many requests of this browser session');
  const { userId, sessionId } = session;
  const token = await parts.tokens.create({ userId, sessionId, origin }, parts.now());
  if (token === undefined) return refuse('unauthorized', 'the browser session has just ended');
  return { answer: { ok: true, token, expiresInMs: SESSION_TOKEN_LIFETIME_MS }, user: userId };
}

function limited(retryAfterMs: number, reason: string): Verdict {
  return { answer: { ok: false, code: 'rate_limited', retryAfterMs }, reason };
}

/** Both make another site's page ask first (a preflight), which no route of ours answers. */
function isPlainRequest(headers: IncomingHttpHeaders): boolean {
  return /^application\/json(?:;|$)/i.test(headers['content-type'] ?? '') && headers['x-requested-with'] === 'tendon';
}
