import { after } from 'node:test';
import { testDatabase } from '@tendon/testing';
import pg from 'pg';
import { pino } from 'pino';
import { v7 } from 'uuid';
import { type ContractDatabase, storeContract } from './contract.ts';
import { connect } from './database.ts';
import { migrate } from './migrate.ts';
import { startServerPostgres } from './server-postgres-rig.ts';

storeContract('the embedded PostgreSQL', testDatabase);

const server = await startServerPostgres();
after(() => server[Symbol.asyncDispose]());
storeContract('a PostgreSQL server, over TCP', () => databaseOn(server.url));

/** A database of its own on a server that others may use too. */
async function databaseOn(url: string): Promise<ContractDatabase> {
  const name = `tendon_contract_${v7().replaceAll('-', '')}`;
  const administrate = async (statement: string) => {
    const client = new pg.Client(url);
    await client.connect();
    await client.query(statement).finally(() => client.end());
  };
  await administrate(`create database ${name}`);
  const own = new URL(url);
  own.pathname = `/${name}`;
  const database = connect(own.href, pino({ level: 'silent' }));
  await migrate(database);
  await database.close();
  return { url: own.href, [Symbol.asyncDispose]: () => administrate(`drop database ${name} with (force)`) };
}
