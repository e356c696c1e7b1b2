import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testDatabase } from '@tendon/testing';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { pino } from 'pino';
import { createStore } from './create-store.ts';
import { connect, type Database } from './database.ts';
import { isMigrated, migrate } from './migrate.ts';

/** Rows as a Tendon of that migration left them, and what it showed of them. Frozen: a new migration gets a new file. */
interface History {
  readonly tables: Readonly<Record<string, readonly unknown[]>>;
  readonly sessionId: string;
  readonly state: unknown;
  readonly page: unknown;
}

const HISTORIES = join(import.meta.dirname, 'histories');
const MIGRATIONS = join(import.meta.dirname, 'migrations');
const log = pino({ level: 'silent' });

async function withEmptyDatabase(work: (database: Database) => Promise<void>): Promise<void> {
  await using cloned = await testDatabase();
  const database = connect(cloned.url, log);
  try {
    await database.pool.query('drop schema public cascade; drop schema drizzle cascade; create schema public');
    await work(database);
  } finally {
    await database.close();
  }
}

/** The tables as they were when the chain had so many migrations. */
async function migrateTo(database: Database, count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'tendon-migrations-'));
  try {
    cpSync(MIGRATIONS, folder, { recursive: true });
    const path = join(folder, 'meta', '_journal.json');
    const journal = JSON.parse(readFileSync(path, 'utf8')) as { entries: unknown[] };
    writeFileSync(path, JSON.stringify({ ...journal, entries: journal.entries.slice(0, count) }));
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    await applyMigrations(drizzle({ client }), { migrationsFolder: folder });
    await client.end();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

for (const file of readdirSync(HISTORIES)) {
  test(`I20: a history of migration ${file.slice(0, 4)} loads after the upgrade, as it was`, async () => {
    const history = JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as History;
    await withEmptyDatabase(async (database) => {
      await migrateTo(database, Number(file.slice(0, 4)) + 1);
      for (const [table, rows] of Object.entries(history.tables)) {
        const values = JSON.stringify(rows);
        await database.pool.query(`insert into ${table} overriding system value select * from json_populate_recordset(null::${table}, $1::json)`, [values]);
      }
      await migrate(database);
      const store = createStore(database);
      const plain = (value: unknown) => JSON.parse(JSON.stringify(value));
      assert.deepEqual(plain(await store.load(history.sessionId)), history.state);
      assert.deepEqual(plain(await store.page(history.sessionId, { limit: 50 })), history.page);
      const events = await store.eventsAfter(history.sessionId, 0, 1_000);
      assert.equal(events?.length, history.tables['session_events']?.length);
    });
  });
}

test('D10: a migration whose connection is cut leaves nothing half, and the next start completes it', async () => {
  await withEmptyDatabase(async (database) => {
    const other = new pg.Client({ connectionString: database.url });
    await other.connect();
    await other.query('begin; create schema drizzle');
    const cut = migrate(database);
    const refused = assert.rejects(cut);
    for (let found = 0; found === 0; ) {
      const ended = await database.pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'tendon migrations' and wait_event_type = 'Lock' and datname = current_database()`,
      );
      found = ended.rowCount ?? 0;
    }
    await refused;
    await other.query('rollback');
    await other.end();
    const tables = await database.pool.query(`select 1 from pg_tables where schemaname = 'public'`);
    assert.equal(tables.rowCount, 0);
    await migrate(database);
    assert.equal(await isMigrated(database), true);
  });
});
