import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { StartError } from '../start-error.ts';
import type { Database } from './database.ts';
import { GUARDS } from './guards.ts';

const FOLDER = join(import.meta.dirname, 'migrations');
/** When a server starts, its machine is at its busiest, and nobody waits for an answer yet. */
const CONNECT_LIMIT_MS = 15_000;
/** Any number, the same in every node: "tendon" in ASCII, in decimal because PostgreSQL 15 reads no other. */
const LOCK = '127978992594798';

/**
 * Brings the tables up to date, once, however many nodes start together: drizzle's migrator takes no lock of its own. A database
 * that cannot be reached or that a newer Tendon has migrated is a `StartError`.
 */
export async function migrate(database: Database): Promise<void> {
  // A connection of its own: waiting for another node and building an index may take longer than a request may.
  const client = new pg.Client({ connectionString: database.url, connectionTimeoutMillis: CONNECT_LIMIT_MS, application_name: 'tendon migrations' });
  // Whatever is asked next hears of its end.
  client.on('error', () => undefined);
  await client.connect().catch((cause: unknown) => {
    throw unreachable(database, cause);
  });
  try {
    await client.query(`set client_min_messages = warning; select pg_advisory_lock(${LOCK})`);
    if ((await appliedMigrations(client)) < knownMigrations()) await applyMissing(client);
    await client.query(GUARDS);
  } finally {
    // The lock ends with the connection.
    await client.end();
  }
}

/** Whether every migration of this code is in the database: half of what `/readyz` says. */
export async function isMigrated(database: Database): Promise<boolean> {
  const found = await database.pool.query<{ count: number }>('select count(*)::int as count from drizzle.__drizzle_migrations');
  return found.rows[0]?.count === knownMigrations();
}

/** How many the database has, 0 for a new one. More than this code knows is a `StartError`. */
async function appliedMigrations(client: pg.Client): Promise<number> {
  const table = await client.query<{ is_there: boolean }>(`select to_regclass('drizzle.__drizzle_migrations') is not null as is_there`);
  if (!table.rows[0]?.is_there) return 0;
  const applied = await client.query<{ count: number }>('select count(*)::int as count from drizzle.__drizzle_migrations');
  const count = applied.rows[0]?.count ?? 0;
  if (count <= knownMigrations()) return count;
  throw new StartError('A newer Tendon has changed this database. Start that version, or restore the database from before the update.');
}

/** The library is loaded only when there is something for it to do: it is a large part of a server's start. */
async function applyMissing(client: pg.Client): Promise<void> {
  const [{ drizzle }, { migrate: applyMigrations }] = await Promise.all([import('drizzle-orm/node-postgres'), import('drizzle-orm/node-postgres/migrator')]);
  await applyMigrations(drizzle({ client }), { migrationsFolder: FOLDER });
}

/** Changes when the tables do: names a prepared database in tests. */
export function schemaFingerprint(): string {
  const hash = createHash('sha256').update(GUARDS);
  for (const name of readdirSync(FOLDER).sort()) if (name.endsWith('.sql')) hash.update(name).update(readFileSync(join(FOLDER, name)));
  return hash.digest('hex').slice(0, 16);
}

function knownMigrations(): number {
  const journal: { entries: unknown[] } = JSON.parse(readFileSync(join(FOLDER, 'meta', '_journal.json'), 'utf8'));
  return journal.entries.length;
}

function unreachable(database: Database, cause: unknown): StartError {
  const reason = (cause as { message?: string }).message || (cause as { code?: string }).code || 'no answer';
  return new StartError(`The database at ${database.address} cannot be reached (${reason}). Check TENDON_DATABASE_URL and that the server runs.`, { cause });
}
