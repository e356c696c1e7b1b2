import type { Pool } from 'pg';
import { hashCredential, newSecret, type RandomBytes } from './credentials.ts';

const LIFETIME_MS = 5 * 60_000;
const MOST_ATTEMPTS = 5;
/** Of one person at once. The newest stay: whoever knows the password does not fill the table. */
const MOST_STEPS = 10;

/**
 * Browsers whose person has given the password and owes a code:
 *
 *   begun ── take (5 times at most) ──► begun ── finish, once ──► gone
 *     └── 5 minutes, ten newer ones, a new password, kept out ──► gone
 *
 * The token opens nothing: it says for whom a code may be tried. Only its hash is stored.
 */
export class SecondSteps {
  readonly lifetimeS = LIFETIME_MS / 1_000;
  readonly #pool: Pick<Pool, 'query'>;
  readonly #random: RandomBytes;

  constructor(pool: Pick<Pool, 'query'>, random: RandomBytes) {
    this.#pool = pool;
    this.#random = random;
  }

  async begin(userId: string, now: Date): Promise<string> {
    const token = newSecret(this.#random);
    await this.#pool.query('delete from second_steps where expires_at < $1', [now]);
    await this.#pool.query('insert into second_steps (hash, user_id, expires_at) values ($1, $2, $3)', [
      hashCredential(token),
      userId,
      new Date(now.getTime() + LIFETIME_MS),
    ]);
    await this.#pool.query(
      `delete from second_steps where user_id = $1
       and hash not in (select hash from second_steps where user_id = $1 order by expires_at desc, hash = $3 desc limit $2)`,
      [userId, MOST_STEPS, hashCredential(token)],
    );
    return token;
  }

  /** Ends this one. */
  async end(token: string): Promise<void> {
    await this.#pool.query('delete from second_steps where hash = $1', [hashCredential(token)]);
  }

  /** Counts an attempt. For whom it is; undefined when it is unknown, over, or has had its attempts. */
  async take(token: string, now: Date): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string }>(
      'update second_steps set attempts = attempts + 1 where hash = $1 and expires_at > $2 and attempts < $3 returning user_id',
      [hashCredential(token), now, MOST_ATTEMPTS],
    );
    return rows[0]?.user_id;
  }

  /** Uses it up. False when somebody else has, or when it has been ended meanwhile. */
  async finish(token: string, now: Date): Promise<boolean> {
    const { rowCount } = await this.#pool.query('delete from second_steps where hash = $1 and expires_at > $2', [hashCredential(token), now]);
    return rowCount === 1;
  }

  /** Ends all of a person's, because their password is another one now. */
  async endAll(userId: string): Promise<void> {
    await this.#pool.query('delete from second_steps where user_id = $1', [userId]);
  }
}
