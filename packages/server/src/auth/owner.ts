import type { Pool } from 'pg';
import { v7 as uuidv7 } from 'uuid';
import type { Log } from '../log.ts';
import { inTransaction } from '../store/transaction.ts';
import { placeholderEmail } from './accounts.ts';
import type { ApiKeys } from './api-keys.ts';

/** Any constant will do; it keeps two nodes from both making an owner. */
const OWNER_LOCK = 7_420_001;

/** The id of the first owner, made at the first start. Safe when several nodes start at once on one database. */
export async function ensureOwner(pool: Pool): Promise<string> {
  const known = await findOwner(pool);
  if (known !== undefined) return known;
  return inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [OWNER_LOCK]);
    return (await findOwner(client)) ?? (await insertOwner(client));
  });
}

/**
 * The owner has the key that TENDON_OWNER_KEY says, and none that it said before: whoever replaces it there, or takes it away, means the earlier one
 * to be over. Connections of other nodes that stand on it end as with every revocation.
 */
export async function holdOwnerKey(
  { keys, log }: { readonly keys: ApiKeys; readonly log: Log },
  { userId, key }: { readonly userId: string; readonly key: string | undefined },
  now: Date,
): Promise<void> {
  const isGood = key === undefined || (await keys.importKey({ userId, name: 'TENDON_OWNER_KEY', key }, now));
  const count = await keys.revokeImported(key, now);
  const why = key === undefined ? 'the variable is gone' : 'it has another value now';
  if (count > 0) log.warn({ component: 'auth', count }, `what TENDON_OWNER_KEY said before is revoked: ${why}`);
  if (!isGood) log.warn({ component: 'auth' }, 'TENDON_OWNER_KEY says a key that was revoked, and lets nobody in: give it a new value');
}

/** The user of an identity provider's subject, made when it is seen for the first time. Safe when seen twice at once. */
export async function ensureProviderUser(pool: Pool, identity: { readonly issuer: string; readonly subject: string; readonly name: string }): Promise<string> {
  const find = 'select user_id from accounts where provider_id = $1 and account_id = $2';
  const known = await pool.query<{ user_id: string }>(find, [identity.issuer, identity.subject]);
  if (known.rows[0]) return known.rows[0].user_id;
  const id = uuidv7();
  const made = await pool.query<{ user_id: string }>(
    `with account as (
       insert into accounts (id, account_id, provider_id, user_id) values ($1, $2, $3, $4)
       on conflict (provider_id, account_id) do nothing returning user_id
     ), person as (
       insert into users (id, name, email, role) select user_id, $5, $6, 'member' from account returning id
     ) select id as user_id from person`,
    [uuidv7(), identity.subject, identity.issuer, id, identity.name, placeholderEmail(id)],
  );
  if (made.rows[0]) return made.rows[0].user_id;
  const other = await pool.query<{ user_id: string }>(find, [identity.issuer, identity.subject]);
  if (!other.rows[0]) throw new Error('the user of an identity provider vanished while signing in');
  return other.rows[0].user_id;
}

async function findOwner(pool: Pick<Pool, 'query'>): Promise<string | undefined> {
  const { rows } = await pool.query<{ id: string }>(`select id from users where role = 'owner' order by created_at, id limit 1`);
  return rows[0]?.id;
}

async function insertOwner(pool: Pick<Pool, 'query'>): Promise<string> {
  const id = uuidv7();
  await pool.query(`insert into users (id, name, email, role) values ($1, 'Owner', $2, 'owner')`, [id, placeholderEmail(id)]);
  return id;
}
