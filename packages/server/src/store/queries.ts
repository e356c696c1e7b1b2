import type pg from 'pg';
import type { Database } from './database.ts';
import type { Statement } from './sql/statement.ts';

/** Runs a prepared statement on any free connection. An error means that the database is lost or that the statement is a bug. */
export async function run<Row extends pg.QueryResultRow>(database: Database, statement: Statement, values: readonly unknown[]): Promise<Row[]> {
  const result = await database.pool.query<Row>({ name: statement.name, text: statement.text, values: [...values] });
  return result.rows;
}

/** The same for statements that answer with how many rows they touched. */
export async function touch(database: Database, statement: Statement, values: readonly unknown[]): Promise<number> {
  const result = await database.pool.query({ name: statement.name, text: statement.text, values: [...values] });
  return result.rowCount ?? 0;
}
