import type { Pool } from 'pg';
import { hashCredential, newSecret, type RandomBytes } from './credentials.ts';

const LINK_LIFETIME_MS = 15 * 60_000;

/**
 * Links that sign a person in once:
 *
 *   made ── redeem ──► used
 *     └── 15 minutes, or as long as was said ──► expired
 *
 * Only the hash of a link's token is stored.
 */
export class SignInLinks {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #random: RandomBytes;

  constructor(pool: Pick<Pool, 'query'>, random: RandomBytes) {
    this.#pool = pool;
    this.#random = random;
  }

  /** A new token for this user. Clears away links that ended more than a day ago. */
  async create(userId: string, now: Date, lifetimeMs = LINK_LIFETIME_MS): Promise<string> {
    const token = newSecret(this.#random);
    await this.#pool.query('delete from sign_in_links where expires_at < $1', [new Date(now.getTime() - 24 * 3_600_000)]);
    await this.#pool.query('insert into sign_in_links (hash, user_id, expires_at) values ($1, $2, $3)', [
      hashCredential(token),
      userId,
      new Date(now.getTime() + lifetimeMs),
    ]);
    return token;
  }

  /**
   * Uses a token up. The user, or undefined when it is unknown, used or expired.
   * Checked and used up by one statement: of any number of parallel attempts exactly one wins.
   */
  async redeem(token: string, now: Date): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string }>(
      'update sign_in_links set used_at = $2 where hash = $1 and used_at is null and expires_at > $2 returning user_id',
      [hashCredential(token), now],
    );
    return rows[0]?.user_id;
  }
}
