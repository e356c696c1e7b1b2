import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { Log } from '../log.ts';

/** What is kept of what people do about identity and trust. */
export const AUDIT_ACTIONS = [
  'signed_in',
  'sign_in_refused',
  'signed_out',
  'device_signed_out',
  'key_created',
  'key_revoked',
  'machine_paired',
  'machine_kept_out',
  'terminal_paired',
  'terminal_kept_out',
  'account_changed',
  'password_changed',
  'provider_connected',
  'provider_disconnected',
  'invitation_made',
  'invitation_revoked',
  'invitation_accepted',
  'role_changed',
  'person_kept_out',
  'person_let_in',
  'sign_in_link_made',
  'rule_stored',
  'rule_revoked',
  'provider_key_set',
  'provider_key_removed',
  'second_factor_on',
  'second_factor_off',
  'second_factor_reset',
  'second_factor_refused',
  'recovery_codes_made',
  'recovery_code_used',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export interface AuditNote {
  readonly userId: string;
  readonly action: AuditAction;
  readonly address: string;
  /** Id of the key or browser session, never the credential. */
  readonly credentialId?: string | undefined;
  /** Whose account it was done to, when that is another's. */
  readonly aboutUserId?: string | undefined;
  /** The name of what it was done to. */
  readonly about?: string | undefined;
}

export interface AuditEntry extends Omit<AuditNote, 'userId' | 'aboutUserId'> {
  readonly id: string;
  readonly at: Date;
  readonly person: { readonly id: string; readonly name: string };
  readonly aboutPerson?: { readonly id: string; readonly name: string } | undefined;
}

interface Row {
  id: string;
  at: Date;
  user_id: string;
  user_name: string;
  action: AuditAction;
  credential_id: string | null;
  address: string;
  about_user_id: string | null;
  about_user_name: string | null;
  about: string | null;
}

const KEPT_MS = 400 * 24 * 3_600_000;

/** Who did what, when and from where. Entries are added and grow old; nothing changes them. */
export class AuditLog {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #log: Log;
  readonly #now: () => Date;

  constructor({ pool, log, now }: { pool: Pick<Pool, 'query'>; log: Log; now: () => Date }) {
    this.#pool = pool;
    this.#log = log;
    this.#now = now;
  }

  /** Never rejects: what was done has been done, and the server's own log has it as well. */
  async note({ userId, action, address, credentialId, aboutUserId, about }: AuditNote): Promise<void> {
    this.#log.info({ event: 'audit', user: userId, reason: action, credentialId, address }, 'about identity and trust');
    try {
      await this.#pool.query(
        'insert into audit_entries (id, at, user_id, action, credential_id, address, about_user_id, about) values ($1, $2, $3, $4, $5, $6, $7, $8)',
        [uuidv7(), this.#now(), userId, action, credentialId ?? null, address, aboutUserId ?? null, about ?? null],
      );
    } catch (error) {
      this.#log.error({ component: 'auth', err: error }, 'an entry of the audit log could not be written');
    }
  }

  /** The newest first, those before an entry when that is named. Of one person (what they did, and what was done to them), or of all. */
  async list({ userId, before, limit }: { userId?: string | undefined; before?: string | undefined; limit: number }): Promise<readonly AuditEntry[]> {
    const { rows } = await this.#pool.query<Row>(
      `select audit_entries.id, at, audit_entries.user_id, person.name as user_name, action, credential_id, address, about_user_id, other.name as about_user_name, about
       from audit_entries join users as person on person.id = audit_entries.user_id left join users as other on other.id = about_user_id
       where ($1::uuid is null or audit_entries.user_id = $1 or about_user_id = $1) and ($2::uuid is null or audit_entries.id < $2)
       order by audit_entries.id desc limit $3`,
      [userId ?? null, before ?? null, limit],
    );
    return rows.map(fromRow);
  }

  /** Forgets what is older than 400 days. How many went. */
  async prune(): Promise<number> {
    const { rowCount } = await this.#pool.query('delete from audit_entries where at < $1', [new Date(this.#now().getTime() - KEPT_MS)]);
    return rowCount ?? 0;
  }
}

function fromRow(row: Row): AuditEntry {
  return {
    id: row.id,
    at: row.at,
    person: { id: row.user_id, name: row.user_name },
    action: row.action,
    address: row.address,
    ...(row.credential_id === null ? {} : { credentialId: row.credential_id }),
    ...(row.about_user_id === null ? {} : { aboutPerson: { id: row.about_user_id, name: row.about_user_name ?? '' } }),
    ...(row.about === null ? {} : { about: row.about }),
  };
}
