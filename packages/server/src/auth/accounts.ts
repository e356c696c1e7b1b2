import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { inTransaction } from '../store/transaction.ts';

export type Role = 'owner' | 'member';

/** One who has an account here. */
export interface Person {
  readonly id: string;
  readonly name: string;
  /** What they sign in with; undefined for those who have given none. */
  readonly email?: string | undefined;
  readonly role: Role;
  readonly hasPassword: boolean;
  /** Whether an account of the identity provider is connected. */
  readonly isConnected: boolean;
  readonly createdAt: Date;
  /** When one of their browsers was last here, to the day. */
  readonly lastSeenAt?: Date | undefined;
  readonly disabledAt?: Date | undefined;
}

interface Row {
  id: string;
  name: string;
  email: string;
  role: Role;
  has_password: boolean;
  is_connected: boolean;
  created_at: Date;
  last_seen_at: Date | null;
  disabled_at: Date | null;
}

const PLACEHOLDER = '@local.invalid';

const COLUMNS = `users.id, users.name, users.email, users.role, users.created_at, users.disabled_at,
  exists (select from accounts where accounts.user_id = users.id and provider_id = 'credential' and password is not null) as has_password,
  exists (select from accounts where accounts.user_id = users.id and provider_id = $1) as is_connected,
  (select max(updated_at) from auth_sessions where auth_sessions.user_id = users.id) as last_seen_at`;

/** better-auth wants an address of everybody; `.invalid` reaches nobody (RFC 2606). */
export function placeholderEmail(id: string): string {
  return `${id}${PLACEHOLDER}`;
}

/** What somebody elsewhere calls a person, without what acts on a page or in a terminal; undefined when nothing is left. */
export function plainName(said: string): string | undefined {
  const name = said.replaceAll(/\p{Cc}|\p{Cs}|[\u202a-\u202e\u2066-\u2069]/gu, '').trim();
  return name === '' ? undefined : name.slice(0, 100).toWellFormed();
}

/** Who has no other name is called as their subject there. */
export function nameOfSubject(subject: string): string {
  return plainName(subject) ?? 'Somebody';
}

/** The people who have an account, as they are listed and changed. Whoever asks has been asked for their role before. */
export class Accounts {
  readonly #pool: Pool;
  /** The configured identity provider. */
  readonly #issuer: string | undefined;

  constructor(pool: Pool, issuer: string | undefined) {
    this.#pool = pool;
    this.#issuer = issuer;
  }

  async find(userId: string): Promise<Person | undefined> {
    const { rows } = await this.#pool.query<Row>(`select ${COLUMNS} from users where users.id = $2`, [this.#issuer ?? '', userId]);
    return rows[0] && fromRow(rows[0]);
  }

  /** Everybody, the first one first. */
  async list(): Promise<readonly Person[]> {
    const { rows } = await this.#pool.query<Row>(`select ${COLUMNS} from users order by created_at, id limit 10000`, [this.#issuer ?? '']);
    return rows.map(fromRow);
  }

  /** Changes what is given. False when the address is another's. */
  async describe(userId: string, { name, email }: { readonly name: string; readonly email?: string | undefined }): Promise<boolean> {
    try {
      await this.#pool.query('update users set name = $2, email = coalesce($3, email), updated_at = now() where id = $1', [userId, name, email ?? null]);
      return true;
    } catch (error) {
      if (isTaken(error)) return false;
      throw error;
    }
  }

  /** False when there is no such person. Who is no owner any more leaves no link and no invitation behind that only an owner can make. */
  async setRole(userId: string, role: Role, now: Date): Promise<boolean> {
    // Before, too: nothing that was left over from an earlier time comes alive.
    await this.#endMadeBy(userId, now);
    const { rowCount } = await this.#pool.query('update users set role = $2, updated_at = now() where id = $1', [userId, role]);
    await this.#endMadeBy(userId, now);
    return rowCount === 1;
  }

  /** Lets a person back in, and nothing that was theirs: what ended when they were kept out is ended once more, should that have been cut short. */
  async enable(userId: string, now: Date): Promise<boolean> {
    if (await this.isDisabled(userId)) await this.#endAll(userId, now);
    const { rowCount } = await this.#pool.query('update users set disabled_at = null where id = $1', [userId]);
    return rowCount === 1;
  }

  /**
   * Keeps a person out and ends all that they came in with; the ids of what ended. What is opened meanwhile is ended as well: whoever opens a
   * session looks at the account after it, and this ends sessions after the account was closed.
   */
  async disable(userId: string, now: Date): Promise<readonly string[] | undefined> {
    const { rowCount } = await this.#pool.query('update users set disabled_at = coalesce(disabled_at, $2) where id = $1', [userId, now]);
    return rowCount === 1 ? this.#endAll(userId, now) : undefined;
  }

  /** All that this person, who is kept out, came in with or could come in with, and what they made for others. The ids of sessions and keys. */
  async #endAll(userId: string, now: Date): Promise<readonly string[]> {
    const sessions = await this.#pool.query<{ id: string }>('delete from auth_sessions where user_id = $1 returning id', [userId]);
    const keys = await this.#pool.query<{ id: string }>('update api_keys set revoked_at = $2 where user_id = $1 and revoked_at is null returning id', [
      userId,
      now,
    ]);
    for (const table of ['pairings', 'second_steps', 'sign_in_links']) await this.#pool.query(`delete from ${table} where user_id = $1`, [userId]);
    await this.#endMadeBy(userId, now);
    return [...sessions.rows, ...keys.rows].map(({ id }) => id);
  }

  /** Links and invitations of one who may make none: no owner, or kept out. What an owner made stays. */
  async #endMadeBy(userId: string, now: Date): Promise<void> {
    await this.#pool.query(
      `with maker as (select id from users where id = $1 and (role <> 'owner' or disabled_at is not null)),
       links as (delete from sign_in_links using maker where made_by = maker.id)
       update invitations set revoked_at = $2 from maker where invited_by = maker.id and accepted_at is null and revoked_at is null`,
      [userId, now],
    );
  }

  async isDisabled(userId: string): Promise<boolean> {
    const { rows } = await this.#pool.query('select 1 from users where id = $1 and disabled_at is null', [userId]);
    return rows.length === 0;
  }

  /** Whose account at the identity provider this is; those who are kept out are nobody. */
  async findConnected(issuer: string, subject: string): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ user_id: string }>(
      'select user_id from accounts join users on users.id = user_id where provider_id = $1 and account_id = $2 and disabled_at is null',
      [issuer, subject],
    );
    return rows[0]?.user_id;
  }

  /** Connects an account at the identity provider, in place of an earlier one. False when it is another person's here. */
  async connect(userId: string, issuer: string, subject: string): Promise<boolean> {
    const isConnected = await inTransaction(this.#pool, async (client) => {
      await client.query('delete from accounts where user_id = $1 and provider_id = $2', [userId, issuer]);
      const { rowCount } = await client.query(
        'insert into accounts (id, account_id, provider_id, user_id) values ($1, $2, $3, $4) on conflict (provider_id, account_id) do nothing',
        [uuidv7(), subject, issuer, userId],
      );
      return rowCount === 1 ? true : undefined;
    });
    return isConnected ?? false;
  }

  async disconnect(userId: string, issuer: string): Promise<void> {
    await this.#pool.query('delete from accounts where user_id = $1 and provider_id = $2', [userId, issuer]);
  }
}

/** A unique index said no (PostgreSQL, appendix A). */
export function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}

function fromRow(row: Row): Person {
  return {
    id: row.id,
    name: row.name,
    email: row.email.endsWith(PLACEHOLDER) ? undefined : row.email,
    role: row.role,
    hasPassword: row.has_password,
    isConnected: row.is_connected,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at ?? undefined,
    disabledAt: row.disabled_at ?? undefined,
  };
}
