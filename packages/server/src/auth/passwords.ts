import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { AccountWithPassword } from './known-browsers.ts';

/** better-auth's name for the account that is a password. */
const PROVIDER = 'credential';
/** A hash takes 16 MiB and a thread for a while (scrypt, OWASP's figures). So many at once, so many more that wait. */
const AT_ONCE = 2;
const MOST_WAITING = 16;

export type PasswordCheck =
  | { readonly ok: true; readonly userId: string /** What it was found to be right against. */; readonly hash: string }
  | { readonly ok: false; readonly code: 'busy' }
  | { readonly ok: false; readonly code: 'wrong' /** Whose address it is. */; readonly userId?: string | undefined };

export interface Replacement {
  /** What the old password was found to be right against; undefined for those who have none yet. */
  readonly former: string | undefined;
  readonly hash: string;
  /** The browser session that asks. It stays, and must be there still. */
  readonly keptSessionId: string;
}

/** Passwords of people: stored as better-auth's scrypt hashes, looked up by address. */
export class Passwords {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #gate = new Gate();
  #dummy: Promise<string> | undefined;

  constructor(pool: Pick<Pool, 'query'>) {
    this.#pool = pool;
  }

  /** Whose address this is, and what is stored for them; undefined for one that nobody who may come in with a password has. */
  async find(email: string): Promise<AccountWithPassword | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string; password: string }>(
      `select user_id, password from accounts join users on users.id = user_id
       where email = $1 and provider_id = $2 and password is not null and disabled_at is null`,
      [email, PROVIDER],
    );
    return rows[0] && { userId: rows[0].user_id, hash: rows[0].password };
  }

  /**
   * Whose address and password these are. An unknown address takes as long as a wrong password: a hash is computed all the same. `isKnown`: its turn
   * comes before that of strangers.
   */
  async check(email: string, password: string, isKnown = false): Promise<PasswordCheck> {
    const account = await this.find(email);
    const isRight = await this.#verify(account?.hash, password, isKnown);
    if (isRight === undefined) return { ok: false, code: 'busy' };
    return account && isRight ? { ok: true, ...account } : { ok: false, code: 'wrong', userId: account?.userId };
  }

  /** Whether it is this person's. */
  async checkOf(userId: string, password: string): Promise<PasswordCheck> {
    const hash = await this.hashOf(userId);
    const isRight = await this.#verify(hash, password, true);
    if (isRight === undefined) return { ok: false, code: 'busy' };
    return hash !== undefined && isRight ? { ok: true, userId, hash } : { ok: false, code: 'wrong', userId };
  }

  /** What is stored for this person now; undefined for those who have none. */
  async hashOf(userId: string): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ password: string }>(
      'select password from accounts where user_id = $1 and provider_id = $2 and password is not null',
      [userId, PROVIDER],
    );
    return rows[0]?.password;
  }

  /** Whether this very hash is still the one: a check takes its time, and the password may be another one by the end of it. */
  async isStill(userId: string, hash: string): Promise<boolean> {
    const { rows } = await this.#pool.query('select 1 from accounts where user_id = $1 and provider_id = $2 and password = $3', [userId, PROVIDER, hash]);
    return rows.length > 0;
  }

  /** Its hash, as `replace` takes it. */
  async hash(password: string): Promise<string> {
    const { hashPassword } = await import('better-auth/crypto');
    return hashPassword(password);
  }

  /**
   * Puts it in the place of this very hash, or of none, while the browser session that asks is there, and ends the person's sign-in links and other browser sessions in the same moment: a change by one of
   * those that is under way finds either another hash than its own, or its session over. The ids of those sessions; undefined when something
   * else stands there by now.
   */
  async replace(userId: string, { former, hash, keptSessionId }: Replacement): Promise<readonly string[] | undefined> {
    const changed =
      former === undefined
        ? `insert into accounts (id, account_id, provider_id, user_id, password) select $5::uuid, $1::text, $2, $1::uuid, $3 from asking
           on conflict (provider_id, account_id) do update set password = excluded.password, updated_at = now() where accounts.password is null
           returning user_id`
        : 'update accounts set password = $3, updated_at = now() from asking where user_id = $1::uuid and provider_id = $2 and password = $5 returning user_id';
    const { rows } = await this.#pool.query<{ ended: readonly string[] }>(
      `with asking as (select id from auth_sessions where id = $4),
       changed as (${changed}),
       links as (delete from sign_in_links using changed where sign_in_links.user_id = changed.user_id),
       ended as (delete from auth_sessions using changed where auth_sessions.user_id = changed.user_id and auth_sessions.id is distinct from $4 returning id)
       select array(select id::text from ended) as ended from changed`,
      [userId, PROVIDER, hash, keptSessionId, former ?? uuidv7()],
    );
    return rows[0]?.ended;
  }

  async forget(userId: string): Promise<void> {
    await this.#pool.query('delete from accounts where user_id = $1 and provider_id = $2', [userId, PROVIDER]);
  }

  /** Whether anybody here has one. */
  async areInUse(): Promise<boolean> {
    const { rows } = await this.#pool.query('select 1 from accounts where provider_id = $1 and password is not null limit 1', [PROVIDER]);
    return rows.length > 0;
  }

  #verify(hash: string | undefined, password: string, isKnown: boolean): Promise<boolean | undefined> {
    return this.#gate.pass(isKnown, async () => {
      const { verifyPassword } = await import('better-auth/crypto');
      this.#dummy ??= this.hash('nobody has this one');
      const isRight = await verifyPassword({ hash: hash ?? (await this.#dummy), password });
      return hash !== undefined && isRight;
    });
  }
}

/**
 * Lets a few in at once and a few wait; everybody else is turned away, so that a flood of guesses does not hold up the rest of the server. Who is known
 * waits in a line of their own, which comes first: they are few, and a flood of strangers does not turn them away.
 */
class Gate {
  #inside = 0;
  readonly #known: (() => void)[] = [];
  readonly #strangers: (() => void)[] = [];

  async pass<T>(isKnown: boolean, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#inside >= AT_ONCE) {
      const line = isKnown ? this.#known : this.#strangers;
      if (line.length >= MOST_WAITING) return undefined;
      // The place of whoever leaves is handed over, so that nobody slips in between.
      await new Promise<void>((resolve) => line.push(resolve));
    } else this.#inside += 1;
    try {
      return await work();
    } finally {
      const next = this.#known.shift() ?? this.#strangers.shift();
      if (next) next();
      else this.#inside -= 1;
    }
  }
}
