import type { Pool } from 'pg';
import { hashCredential, newSessionToken, type RandomBytes } from './credentials.ts';

export const SESSION_TOKEN_LIFETIME_MS = 60_000;

/** What a session token is good for, fixed when it is made. */
export interface SessionTokenBinding {
  readonly userId: string;
  /** The browser session that asked for it. Its end is the token's end, and that of the connections made with it. */
  readonly sessionId: string;
  /** The serialised origin of the page that asked, and the only one that it opens anything for. */
  readonly origin: string;
}

export interface RedeemedSessionToken {
  readonly userId: string;
  readonly sessionId: string;
  readonly expiresAt: Date;
}

/**
 * Credentials for the one connection of a desktop page (H20 to H22):
 *
 *   made ── redeem, from its origin, while its browser session lives ──► used
 *     └── 60 seconds ──► expired
 *
 * Only the hash of a token is stored.
 */
export class SessionTokens {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #random: RandomBytes;

  constructor(pool: Pick<Pool, 'query'>, random: RandomBytes) {
    this.#pool = pool;
    this.#random = random;
  }

  /** A new token, or undefined when the browser session is over by now. Clears away those that ended more than an hour ago. */
  async create({ userId, sessionId, origin }: SessionTokenBinding, now: Date): Promise<string | undefined> {
    const token = newSessionToken(this.#random);
    await this.#pool.query('delete from session_tokens where expires_at < $1', [new Date(now.getTime() - 3_600_000)]);
    const { rowCount } = await this.#pool.query(
      `insert into session_tokens (hash, user_id, session_id, origin, expires_at)
       select $1, user_id, id, $4, $5 from auth_sessions where id = $3 and user_id = $2 and expires_at > $6 for key share`,
      [hashCredential(token), userId, sessionId, origin, new Date(now.getTime() + SESSION_TOKEN_LIFETIME_MS), now],
    );
    return rowCount === 1 ? token : undefined;
  }

  /**
   * Uses a token up, or answers undefined when it is unknown, used, expired, of another origin, its browser session is over, or its person is kept out.
   * Checked and used up by one statement: of any number of parallel handshakes exactly one wins.
   */
  async redeem(token: string, origin: string, now: Date): Promise<RedeemedSessionToken | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string; session_id: string; expires_at: Date }>(
      `update session_tokens as token set used_at = $3 from auth_sessions as session
       where token.hash = $1 and token.origin = $2 and token.used_at is null and token.expires_at > $3
         and session.id = token.session_id and session.expires_at > $3
         and exists (select from users where users.id = token.user_id and disabled_at is null)
       returning token.user_id, token.session_id, session.expires_at`,
      [hashCredential(token), origin, now],
    );
    const row = rows[0];
    return row && { userId: row.user_id, sessionId: row.session_id, expiresAt: row.expires_at };
  }
}
