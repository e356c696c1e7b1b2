import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { inTransaction } from '../store/transaction.ts';
import { isTaken, placeholderEmail, type Role } from './accounts.ts';
import { hashCredential, newSecret, type RandomBytes } from './credentials.ts';

const LIFETIME_MS = 7 * 24 * 3_600_000;

/** An open invitation, without its token. */
export interface Invitation {
  readonly id: string;
  /** For whom, in the words of whoever invites. */
  readonly name: string;
  readonly role: Role;
  readonly invitedBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

/** Who comes by it: by a password, or by an account at the identity provider. */
export interface Newcomer {
  readonly name: string;
  readonly email?: string | undefined;
  readonly passwordHash?: string | undefined;
  readonly identity?: { readonly issuer: string; readonly subject: string } | undefined;
}

export type Acceptance = { readonly ok: true; readonly userId: string } | { readonly ok: false; readonly code: 'over' | 'email_taken' | 'identity_taken' };

interface Row {
  id: string;
  name: string;
  role: Role;
  invited_by: string;
  created_at: Date;
  expires_at: Date;
}

const OPEN = `accepted_at is null and revoked_at is null and expires_at > $1 and inviter.disabled_at is null and inviter.role = 'owner'`;
const FROM = 'from invitations join users as inviter on inviter.id = invited_by';
const COLUMNS = 'invitations.id, invitations.name, invitations.role, inviter.name as invited_by, invitations.created_at, expires_at';

/**
 * Links by which people who are not here yet make an account:
 *
 *   made ── accept ──► accepted, once
 *     ├── revoke ──► revoked
 *     ├── its maker is kept out, or no owner any more ──► revoked (`Accounts`)
 *     └── 7 days ──► over
 *
 * Only the hash of a link's token is stored.
 */
export class Invitations {
  readonly #pool: Pool;
  readonly #random: RandomBytes;

  constructor(pool: Pool, random: RandomBytes) {
    this.#pool = pool;
    this.#random = random;
  }

  /** Undefined when who invites is no owner any more; held until it stands, as with `SignInLinks.create`. */
  async create(
    request: { readonly name: string; readonly role: Role; readonly invitedBy: string },
    now: Date,
  ): Promise<{ id: string; token: string; expiresAt: Date } | undefined> {
    const token = newSecret(this.#random);
    const id = uuidv7();
    const expiresAt = new Date(now.getTime() + LIFETIME_MS);
    const { rowCount } = await this.#pool.query(
      `insert into invitations (id, hash, name, role, invited_by, created_at, expires_at)
       select $1, $2, $3, $4, id, $6, $7 from users where id = $5 and role = 'owner' and disabled_at is null for share`,
      [id, hashCredential(token), request.name, request.role, request.invitedBy, now, expiresAt],
    );
    return rowCount === 1 ? { id, token, expiresAt } : undefined;
  }

  /** The open ones, the newest first. */
  async list(now: Date): Promise<readonly Invitation[]> {
    const { rows } = await this.#pool.query<Row>(`select ${COLUMNS} ${FROM} where ${OPEN} order by invitations.created_at desc limit 1000`, [now]);
    return rows.map(fromRow);
  }

  /** The open one of this token. */
  async find(token: string, now: Date): Promise<Invitation | undefined> {
    const { rows } = await this.#pool.query<Row>(`select ${COLUMNS} ${FROM} where ${OPEN} and hash = $2`, [now, hashCredential(token)]);
    return rows[0] && fromRow(rows[0]);
  }

  /** For whom it was; undefined when there is nothing to take back. */
  async revoke(id: string, now: Date): Promise<string | undefined> {
    const { rows } = await this.#pool.query<{ name: string }>(
      'update invitations set revoked_at = $2 where id = $1 and accepted_at is null and revoked_at is null and expires_at > $2 returning name',
      [id, now],
    );
    return rows[0]?.name;
  }

  /** Uses it up and makes the account, both or neither: of any number of parallel attempts exactly one wins. */
  async accept(token: string, newcomer: Newcomer, now: Date): Promise<Acceptance> {
    const userId = uuidv7();
    try {
      const accepted = await inTransaction(this.#pool, async (client): Promise<Acceptance | undefined> => {
        const taken = await client.query<{ role: Role }>(
          `update invitations set accepted_at = $1 from users as inviter where inviter.id = invited_by and ${OPEN} and hash = $2 returning invitations.role`,
          [now, hashCredential(token)],
        );
        const role = taken.rows[0]?.role;
        if (role === undefined) return undefined;
        await client.query('insert into users (id, name, email, role) values ($1, $2, $3, $4)', [
          userId,
          newcomer.name,
          newcomer.email ?? placeholderEmail(userId),
          role,
        ]);
        if (newcomer.passwordHash !== undefined) await addAccount(client, userId, { provider: 'credential', subject: userId, password: newcomer.passwordHash });
        if (newcomer.identity) await addAccount(client, userId, { provider: newcomer.identity.issuer, subject: newcomer.identity.subject });
        await client.query('update invitations set accepted_by = $1 where hash = $2', [userId, hashCredential(token)]);
        return { ok: true, userId };
      });
      return accepted ?? { ok: false, code: 'over' };
    } catch (error) {
      if (!isTaken(error)) throw error;
      const isAddress = error instanceof Error && 'constraint' in error && error.constraint === 'users_email_unique';
      return { ok: false, code: isAddress ? 'email_taken' : 'identity_taken' };
    }
  }
}

async function addAccount(client: Pick<Pool, 'query'>, userId: string, account: { provider: string; subject: string; password?: string }): Promise<void> {
  await client.query('insert into accounts (id, account_id, provider_id, user_id, password) values ($1, $2, $3, $4, $5)', [
    uuidv7(),
    account.subject,
    account.provider,
    userId,
    account.password ?? null,
  ]);
}

function fromRow(row: Row): Invitation {
  return { id: row.id, name: row.name, role: row.role, invitedBy: row.invited_by, createdAt: row.created_at, expiresAt: row.expires_at };
}
