import type { Pool } from 'pg';
import { v7 as newId } from 'uuid';
import type { Log } from '../log.ts';
import type { Keyring, Sealed } from '../secrets/keyring.ts';
import { SecretStore } from '../secrets/secret-store.ts';
import { inTransaction } from '../store/transaction.ts';
import { hashCredential, newRecoveryCode, type RandomBytes, readRecoveryCode } from './credentials.ts';
import { keyUri, periodOf } from './one-time-code.ts';

const SECRET_BYTES = 20;
const PENDING_MS = 30 * 60_000;
const RECOVERY_CODES = 10;
const SCOPE = 'second factor';
const NO_SECRET = '00000000-0000-0000-0000-000000000000';

/** $1 person, $2 `SCOPE`. */
const SECRET_OF = `select secret_id as "secretId", key_id as "keyId", sealed from second_factors
  left join secrets on scope = $2 and name = second_factors.user_id::text where user_id = $1`;

interface SecretRow {
  /** Another one for each secret that a person begins with. */
  readonly secretId: string;
  readonly keyId: string | null;
  readonly sealed: Buffer | null;
}

export type CodeKind = 'code' | 'recovery_code';

interface SecondFactorsParts {
  readonly pool: Pool;
  /** Seals the secrets that codes are made from; they are among the secrets that a rotation seals anew. */
  readonly keyring: Keyring;
  readonly random: RandomBytes;
  readonly log: Log;
  readonly now: () => Date;
}

/**
 * Second factors of people: an app that makes codes from a secret (RFC 6238), and codes on paper for who has lost it.
 *
 *   none ── begin ──► pending ── confirm, with a code ──► on ── remove ──► none
 *             ▲          │ begin again: another secret       └── use: each code once, and none before one that was used
 *             └──────────┘ 30 minutes: over
 *
 * The secret is sealed (`SecretStore`), because codes must be made from it; recovery codes are hashed. Each step that must happen once is one statement.
 */
export class SecondFactors {
  readonly #parts: SecondFactorsParts;
  /** Codes of nobody, so that who has no second factor takes as long as who has. */
  readonly #nobody: Buffer;

  constructor(parts: SecondFactorsParts) {
    this.#parts = parts;
    this.#nobody = parts.random(SECRET_BYTES);
  }

  async isOn(userId: string): Promise<boolean> {
    const { rows } = await this.#parts.pool.query('select 1 from second_factors where user_id = $1 and confirmed_at is not null', [userId]);
    return rows.length > 0;
  }

  /** Whether it is on, and how many recovery codes are left. */
  async look(userId: string): Promise<{ readonly isOn: boolean; readonly recoveryCodesLeft: number }> {
    const { rows } = await this.#parts.pool.query<{ left: number }>(
      `select (select count(*)::int from recovery_codes where recovery_codes.user_id = second_factors.user_id and used_at is null) as left
       from second_factors where user_id = $1 and confirmed_at is not null`,
      [userId],
    );
    return { isOn: rows[0] !== undefined, recoveryCodesLeft: rows[0]?.left ?? 0 };
  }

  /** A new secret, in letters and as what a camera reads. Undefined when it is on already. */
  async begin(userId: string, account: string): Promise<{ readonly secret: string; readonly uri: string } | undefined> {
    const { keyring, random, now } = this.#parts;
    const { base32 } = await import('@better-auth/utils/base32');
    const bytes = random(SECRET_BYTES);
    const secret = base32.encode(bytes, { padding: false });
    const hasBegun = await inTransaction(this.#parts.pool, async (client) => {
      await lockPerson(client, userId);
      const { rowCount } = await client.query(
        `insert into second_factors (user_id, secret_id, created_at) values ($1, $2, $3)
         on conflict (user_id) do update set secret_id = excluded.secret_id, created_at = excluded.created_at where second_factors.confirmed_at is null`,
        [userId, newId(), now()],
      );
      if (rowCount === 1) await new SecretStore(client, keyring).put({ scope: SCOPE, name: userId }, secret, { by: userId, at: now() });
      return rowCount === 1;
    });
    return hasBegun ? { secret, uri: await keyUri(bytes, account) } : undefined;
  }

  /** Switches it on, when the code is one of the pending secret. The recovery codes, which nobody can see again. */
  async confirm(userId: string, code: string): Promise<readonly string[] | undefined> {
    const { pool, now } = this.#parts;
    const { rows } = await pool.query<SecretRow>(`${SECRET_OF} and confirmed_at is null and created_at > $3`, [
      ...[userId, SCOPE],
      new Date(now().getTime() - PENDING_MS),
    ]);
    const row = rows[0];
    const period = row && (await this.#periodOf(userId, row, code));
    if (!row || period === undefined) return undefined;
    return inTransaction(this.#parts.pool, async (client) => {
      const { rowCount } = await client.query(
        'update second_factors set confirmed_at = $3, last_period = $4 where user_id = $1 and secret_id = $2 and confirmed_at is null',
        [userId, row.secretId, now(), period],
      );
      return rowCount === 1 ? this.#newCodes(client, userId) : undefined;
    });
  }

  /** New recovery codes in place of the old ones; undefined when it is off. */
  async renewCodes(userId: string): Promise<readonly string[] | undefined> {
    return inTransaction(this.#parts.pool, async (client) => {
      // Held until the end, so that two who renew at once do not both leave theirs.
      const { rows } = await client.query('select 1 from second_factors where user_id = $1 and confirmed_at is not null for update', [userId]);
      return rows.length === 0 ? undefined : this.#newCodes(client, userId);
    });
  }

  /**
   * Uses a code up: one of the app, or a recovery code. What it was; undefined when it is wrong, used, or older than one that was used.
   * Of any number of parallel attempts with one code exactly one wins.
   */
  async use(userId: string | undefined, typed: string): Promise<CodeKind | undefined> {
    const recovery = readRecoveryCode(typed);
    if (recovery !== undefined) return (await this.#spendRecovery(userId, recovery)) ? 'recovery_code' : undefined;
    const { rows } = await this.#parts.pool.query<SecretRow>(`${SECRET_OF} and confirmed_at is not null`, [userId ?? null, SCOPE]);
    const period = await this.#periodOf(userId, rows[0], typed.replaceAll(/\s/g, ''));
    const { rowCount } = await this.#parts.pool.query(
      'update second_factors set last_period = $3 where user_id = $1 and secret_id = $2 and confirmed_at is not null and last_period < $3',
      [userId ?? null, rows[0]?.secretId ?? NO_SECRET, period ?? 0],
    );
    return rowCount === 1 ? 'code' : undefined;
  }

  /** Switches it off. False when there was none. */
  async remove(userId: string): Promise<boolean> {
    return inTransaction(this.#parts.pool, async (client) => {
      await lockPerson(client, userId);
      const { rowCount } = await client.query('delete from second_factors where user_id = $1', [userId]);
      await new SecretStore(client, this.#parts.keyring).remove({ scope: SCOPE, name: userId });
      return rowCount === 1;
    });
  }

  async #spendRecovery(userId: string | undefined, code: string): Promise<boolean> {
    const { rowCount } = await this.#parts.pool.query('update recovery_codes set used_at = $3 where hash = $1 and user_id = $2 and used_at is null', [
      hashCredential(code),
      userId ?? null,
      this.#parts.now(),
    ]);
    return rowCount === 1;
  }

  async #newCodes(client: Pick<Pool, 'query'>, userId: string): Promise<readonly string[]> {
    const codes = Array.from({ length: RECOVERY_CODES }, () => newRecoveryCode(this.#parts.random));
    await client.query('delete from recovery_codes where user_id = $1', [userId]);
    await client.query('insert into recovery_codes (hash, user_id) select unnest($1::text[]), $2', [codes.map(hashCredential), userId]);
    return codes;
  }

  /** With nobody's secret in place of one that is not there, so that it takes as long. */
  async #periodOf(userId: string | undefined, row: SecretRow | undefined, code: string): Promise<number | undefined> {
    const secret = row === undefined || userId === undefined ? undefined : await this.#open(userId, row);
    const period = await periodOf(secret ?? this.#nobody, code, this.#parts.now());
    return secret === undefined ? undefined : period;
  }

  /** Undefined when it cannot be read: its key is not here any more, or the row is somebody else's. */
  async #open(userId: string, { keyId, sealed }: SecretRow): Promise<Uint8Array | undefined> {
    const opened = keyId !== null && sealed !== null ? this.#parts.keyring.open({ scope: SCOPE, name: userId }, { keyId, sealed } satisfies Sealed) : undefined;
    if (opened?.ok) return (await import('@better-auth/utils/base32')).base32.decode(opened.text);
    this.#parts.log.error({ component: 'auth', user: userId }, 'a second factor cannot be read: recovery codes still work, or have it reset');
    return undefined;
  }
}

/** Held until the end: a secret that is begun and one that is removed do not meet between two statements, whether or not there is a row of theirs. */
async function lockPerson(client: Pick<Pool, 'query'>, userId: string): Promise<void> {
  await client.query('select 1 from users where id = $1 for no key update', [userId]);
}
