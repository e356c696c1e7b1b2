import type { Scope } from '@tendon/protocol';
import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import { displayPrefix, hashCredential, KEY_MARK, newApiKey, type RandomBytes } from './credentials.ts';

export interface ApiKeyRow {
  readonly id: string;
  readonly userId: string;
  readonly name: string;
  readonly kind: 'user' | 'gateway';
  readonly gatewayId?: string | undefined;
  readonly prefix: string;
  /** Undefined: all that its person can do. */
  readonly scopes?: readonly Scope[] | undefined;
  readonly createdAt: Date;
  readonly lastUsedAt?: Date | undefined;
  readonly expiresAt?: Date | undefined;
  readonly revokedAt?: Date | undefined;
}

export interface NewApiKey {
  readonly userId: string;
  readonly name: string;
  /** Makes it a gateway's key: good for `/gateway` as this machine and nothing else. */
  readonly gatewayId?: string | undefined;
  /** Makes it good for these alone. */
  readonly scopes?: readonly Scope[] | undefined;
  readonly expiresAt?: Date | undefined;
}

interface Row {
  id: string;
  user_id: string;
  name: string;
  kind: 'user' | 'gateway';
  gateway_id: string | null;
  prefix: string;
  scopes: Scope[] | null;
  created_at: Date;
  last_used_at: Date | null;
  expires_at: Date | null;
  revoked_at: Date | null;
}

const COLUMNS = 'id, user_id, name, kind, gateway_id, prefix, scopes, created_at, last_used_at, expires_at, revoked_at';
const USE_NOTED_EVERY_MS = 60_000;

/** API keys in the database. A key exists in the clear only in the answer of `create`. */
export class ApiKeys {
  readonly #pool: Pick<Pool, 'query'>;
  readonly #random: RandomBytes;

  constructor(pool: Pick<Pool, 'query'>, random: RandomBytes) {
    this.#pool = pool;
    this.#random = random;
  }

  /**
   * Makes a key. `key` is shown to its owner once and cannot be read again. Throws for a person who is kept out; one who is kept out at this
   * very moment waits for the lock, and the key is revoked with the others.
   */
  async create(request: NewApiKey, now: Date): Promise<{ readonly key: string; readonly row: ApiKeyRow }> {
    const key = newApiKey(this.#random);
    const { rows } = await this.#pool.query<Row>(
      `insert into api_keys (id, user_id, name, kind, gateway_id, hash, prefix, created_at, expires_at, scopes)
       select $1, id, $3, $4, $5, $6, $7, $8, $9, $10 from users where id = $2 and disabled_at is null for share returning ${COLUMNS}`,
      [
        uuidv7(),
        request.userId,
        request.name,
        request.gatewayId === undefined ? 'user' : 'gateway',
        request.gatewayId ?? null,
        hashCredential(key),
        displayPrefix(key),
        now,
        request.expiresAt ?? null,
        request.scopes ?? null,
      ],
    );
    return { key, row: fromRow(one(rows)) };
  }

  /** Takes over a key that the operator made (TENDON_OWNER_KEY). One that is known stays as it is: false when it has been revoked. */
  async importKey(request: { readonly userId: string; readonly name: string; readonly key: string }, now: Date): Promise<boolean> {
    const hash = hashCredential(request.key);
    await this.#pool.query(
      `insert into api_keys (id, user_id, name, kind, hash, prefix, created_at, is_imported) values ($1, $2, $3, 'user', $4, $5, $6, true)
       on conflict (hash) do update set is_imported = true where api_keys.user_id = excluded.user_id and api_keys.name = excluded.name`,
      [uuidv7(), request.userId, request.name, hash, displayPrefix(request.key), now],
    );
    const { rows } = await this.#pool.query('select 1 from api_keys where hash = $1 and revoked_at is null', [hash]);
    return rows.length > 0;
  }

  /**
   * Ends all that were taken over, but for this one; how many those were. Keys that are made here begin with a mark of ours: what does not was taken
   * over too, by a version that kept no note of it.
   */
  async revokeImported(kept: string | undefined, now: Date): Promise<number> {
    const { rowCount } = await this.#pool.query(
      `update api_keys set revoked_at = $2
       where revoked_at is null and (is_imported or not starts_with(prefix, $3)) and hash is distinct from $1`,
      [kept === undefined ? null : hashCredential(kept), now, KEY_MARK],
    );
    return rowCount ?? 0;
  }

  /** The live key of this text, or undefined for one that is unknown, expired or revoked, or whose person is kept out. */
  async find(key: string, now: Date): Promise<ApiKeyRow | undefined> {
    const { rows } = await this.#pool.query<Row>(
      `select ${COLUMNS} from api_keys where hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)
       and exists (select from users where users.id = user_id and disabled_at is null)`,
      [hashCredential(key), now],
    );
    return rows[0] && fromRow(rows[0]);
  }

  /** Notes the use of a key, at most once a minute. */
  async noteUse(id: string, now: Date): Promise<void> {
    await this.#pool.query('update api_keys set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $3)', [
      id,
      now,
      new Date(now.getTime() - USE_NOTED_EVERY_MS),
    ]);
  }

  /** The keys of a user, newest first: those that are good come before those that have ended, so that these hide none of them. */
  async list(userId: string, now: Date): Promise<readonly ApiKeyRow[]> {
    const { rows } = await this.#pool.query<Row>(
      `select ${COLUMNS} from api_keys where user_id = $1
       order by revoked_at is null and (expires_at is null or expires_at > $2) desc, created_at desc, id desc limit 1000`,
      [userId, now],
    );
    return rows.map(fromRow);
  }

  /** Ends a key of this user. False when it is not theirs, not there, or already over. */
  async revoke(userId: string, id: string, now: Date): Promise<boolean> {
    const { rowCount } = await this.#pool.query('update api_keys set revoked_at = $3 where id = $2 and user_id = $1 and revoked_at is null', [userId, id, now]);
    return rowCount === 1;
  }
}

function one(rows: readonly Row[]): Row {
  const row = rows[0];
  if (!row) throw new Error('the database returned no row for a new API key');
  return row;
}

function fromRow(row: Row): ApiKeyRow {
  return {
    id: row.id,
    userId: row.user_id,
    name: row.name,
    kind: row.kind,
    gatewayId: row.gateway_id ?? undefined,
    prefix: row.prefix,
    scopes: row.scopes ?? undefined,
    createdAt: row.created_at,
    lastUsedAt: row.last_used_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    revokedAt: row.revoked_at ?? undefined,
  };
}
