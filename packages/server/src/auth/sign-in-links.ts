import type { Pool } from 'pg';
import { hashCredential, newSecret, type RandomBytes } from './credentials.ts';

const LINK_LIFETIME_MS = 15 * 60_000;

/** $1 its hash. Its person is not kept out, and whoever made it could make it still; asked besides its deletion, which comes a moment later. */
const IS_GOOD = `hash = $1 and exists (select from users where users.id = user_id and disabled_at is null)
  and (made_by is null or exists (select from users where users.id = made_by and role = 'owner' and disabled_at is null))`;

export interface NewSignInLink {
  readonly userId: string;
  /** The owner who makes it for another; undefined: the server's machine. */
  readonly madeBy?: string | undefined;
  readonly lifetimeMs?: number;
}

/**
 * Links that sign a person in once:
 *
 *   made ── redeem ──► used
 *     ├── 15 minutes, or as long as was said ──► expired
 *     └── another password, its person or its maker kept out, its maker no owner any more ──► gone
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

  /**
   * A new token for this user; undefined when they are kept out, or who makes it is no owner any more. Either is held until the link stands: whoever
   * is kept out at this very moment waits, and finds it. Clears away links that ended more than a day ago.
   */
  async create({ userId, madeBy, lifetimeMs = LINK_LIFETIME_MS }: NewSignInLink, now: Date): Promise<string | undefined> {
    const token = newSecret(this.#random);
    await this.#pool.query('delete from sign_in_links where expires_at < $1', [new Date(now.getTime() - 24 * 3_600_000)]);
    const { rowCount } = await this.#pool.query(
      `insert into sign_in_links (hash, user_id, made_by, expires_at)
       select $1, person.id, $3, $4 from users as person join users as maker on maker.id = coalesce($3::uuid, person.id)
       where person.id = $2 and person.disabled_at is null and ($3::uuid is null or (maker.role = 'owner' and maker.disabled_at is null)) for share`,
      [hashCredential(token), userId, madeBy ?? null, new Date(now.getTime() + lifetimeMs)],
    );
    return rowCount === 1 ? token : undefined;
  }

  /**
   * Uses a token up. The user, or undefined when it is unknown, used, expired or ended.
   * Checked and used up by one statement: of any number of parallel attempts exactly one wins.
   */
  async redeem(token: string, now: Date): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string }>(
      `update sign_in_links set used_at = $2 where ${IS_GOOD} and used_at is null and expires_at > $2 returning user_id`,
      [hashCredential(token), now],
    );
    return rows[0]?.user_id;
  }

  /** Whether this one, which has been used by now, has not been ended meanwhile. */
  async isStill(token: string): Promise<boolean> {
    const { rows } = await this.#pool.query(`select 1 from sign_in_links where ${IS_GOOD}`, [hashCredential(token)]);
    return rows.length > 0;
  }
}
