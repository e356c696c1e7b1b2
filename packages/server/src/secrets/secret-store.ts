import type { Pool } from 'pg';
import type { Keyring, Opened, SecretIdentity } from './keyring.ts';

export interface StoredSecret {
  readonly name: string;
  readonly keyId: string;
  readonly opened: Opened;
  /** Undefined: their account is gone. */
  readonly setBy?: string | undefined;
  readonly setAt: Date;
}

interface Row {
  scope: string;
  name: string;
  key_id: string;
  sealed: Buffer;
  set_by_name: string | null;
  set_at: Date;
}

type SealedRow = Pick<Row, 'scope' | 'name' | 'key_id' | 'sealed'>;

/** How much one key has sealed. */
export interface KeyUse {
  readonly keyId: string;
  readonly rows: number;
}

export interface Resealing {
  readonly resealed: number;
  /** Rows of other keys that stay as they are: their key is not here, or they were changed. */
  readonly unopened: readonly { readonly scope: string; readonly name: string; readonly keyId: string; readonly fault: 'missing_key' | 'damaged' }[];
}

const BATCH = 100;

/**
 * Secrets at rest. A row is written whole by one statement, so there is no half of one:
 *
 *   (none) ── put ──► sealed by the key of that day ── reseal, after a rotation ──► sealed by the current key
 *              ▲            └── put ──► another value       └── the key is lost ──► told, kept, replaced by put or removed
 */
export class SecretStore {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #keyring: Keyring;

  constructor(pool: Pick<Pool, 'query'>, keyring: Keyring) {
    this.#pool = pool;
    this.#keyring = keyring;
  }

  get keyring(): Keyring {
    return this.#keyring;
  }

  /** All of a scope, by name, those that do not open included. */
  async list(scope: string): Promise<readonly StoredSecret[]> {
    const { rows } = await this.#pool.query<Row>(
      `select scope, secrets.name, key_id, sealed, users.name as set_by_name, set_at
       from secrets left join users on users.id = set_by where scope = $1 order by secrets.name limit 1000`,
      [scope],
    );
    return rows.map((row) => ({
      name: row.name,
      keyId: row.key_id,
      opened: this.#open(row),
      setBy: row.set_by_name ?? undefined,
      setAt: row.set_at,
    }));
  }

  /** Sets a secret, or another value in its place. */
  async put(identity: SecretIdentity, text: string, { by, at }: { readonly by: string; readonly at: Date }): Promise<void> {
    const { keyId, sealed } = this.#keyring.seal(identity, text);
    await this.#pool.query(
      `insert into secrets (scope, name, key_id, sealed, set_by, set_at) values ($1, $2, $3, $4, $5, $6)
       on conflict (scope, name) do update set key_id = excluded.key_id, sealed = excluded.sealed, set_by = excluded.set_by, set_at = excluded.set_at`,
      [identity.scope, identity.name, keyId, sealed, by, at],
    );
  }

  /** False when there is none. */
  async remove({ scope, name }: SecretIdentity): Promise<boolean> {
    const { rowCount } = await this.#pool.query('delete from secrets where scope = $1 and name = $2', [scope, name]);
    return rowCount === 1;
  }

  /** How many rows each key has sealed. */
  async keyUse(): Promise<readonly KeyUse[]> {
    const { rows } = await this.#pool.query<{ key_id: string; rows: number }>(
      'select key_id, count(*)::int as rows from secrets group by key_id order by key_id',
    );
    return rows.map((row) => ({ keyId: row.key_id, rows: row.rows }));
  }

  /**
   * Seals with the current key what an earlier one has sealed. Each row by itself, and only while it is what was read: another node that does
   * the same, a person who sets a new value and a kill in the middle all leave rows that open, and the next start goes on where this one ended.
   */
  async reseal(): Promise<Resealing> {
    const unopened: Resealing['unopened'][number][] = [];
    let resealed = 0;
    let after: { readonly scope: string; readonly name: string } | undefined;
    for (;;) {
      const rows = await this.#oldAfter(after);
      for (const row of rows) {
        const opened = this.#open(row);
        if (!opened.ok) unopened.push({ scope: row.scope, name: row.name, keyId: row.key_id, fault: opened.fault });
        else if (await this.#resealOne(row, opened.text)) resealed += 1;
      }
      after = rows.at(-1);
      if (rows.length < BATCH) return { resealed, unopened };
    }
  }

  async #oldAfter(after: Pick<SealedRow, 'scope' | 'name'> | undefined): Promise<readonly SealedRow[]> {
    const { rows } = await this.#pool.query<SealedRow>(
      `select scope, name, key_id, sealed from secrets where key_id <> $1 and ($2::text is null or (scope, name) > ($2, $3)) order by scope, name limit $4`,
      [this.#keyring.currentId, after?.scope ?? null, after?.name ?? null, BATCH],
    );
    return rows;
  }

  async #resealOne({ scope, name, key_id, sealed }: SealedRow, text: string): Promise<boolean> {
    const anew = this.#keyring.seal({ scope, name }, text);
    const { rowCount } = await this.#pool.query('update secrets set key_id = $3, sealed = $4 where scope = $1 and name = $2 and key_id = $5 and sealed = $6', [
      ...[scope, name, anew.keyId, anew.sealed],
      ...[key_id, sealed],
    ]);
    return rowCount === 1;
  }

  #open({ scope, name, key_id, sealed }: SealedRow): Opened {
    return this.#keyring.open({ scope, name }, { keyId: key_id, sealed });
  }
}
