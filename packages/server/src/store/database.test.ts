import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { testDatabase } from '@tendon/testing';
import { pino } from 'pino';
import { StartError } from '../start-error.ts';
import { cutAfterNextAnswer } from './cut-proxy.ts';
import { connect, type Database } from './database.ts';
import { isMigrated, migrate } from './migrate.ts';

const log = pino({ level: 'silent' });

async function withEmptyDatabase(work: (databases: Database[]) => Promise<void>): Promise<void> {
  await using cloned = await testDatabase();
  const databases = Array.from({ length: 4 }, () => connect(cloned.url, log));
  try {
    await databases[0]?.pool.query('drop schema public cascade; drop schema drizzle cascade; create schema public');
    await work(databases);
  } finally {
    await Promise.all(databases.map((database) => database.close()));
  }
}

test('D10: nodes that start together migrate once and all succeed', async () => {
  await withEmptyDatabase(async (databases) => {
    await Promise.all(databases.map(migrate));
    const [first] = databases;
    assert.ok(first);
    assert.equal(await isMigrated(first), true);
    const rows = await first.pool.query('select hash from drizzle.__drizzle_migrations');
    assert.equal(new Set(rows.rows.map((row) => row.hash)).size, rows.rowCount);
  });
});

test('D10: a database that a newer Tendon has changed is refused', async () => {
  await withEmptyDatabase(async ([database]) => {
    assert.ok(database);
    await migrate(database);
    await database.pool.query(`insert into drizzle.__drizzle_migrations (hash, created_at) values ('of the future', 9999999999999)`);
    await assert.rejects(migrate(database), (error: unknown) => error instanceof StartError && /newer Tendon/.test(error.message));
    assert.equal(await isMigrated(database), false);
  });
});

test('D11: the migrations are one generated chain that ends in the schema', () => {
  const run = spawnSync(process.execPath, [join(import.meta.dirname, '../../migrations.ts'), 'check'], { encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
});

test('D12: a database out of reach is named, its password not', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const address = taken.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  taken.close();
  await once(taken, 'close');
  const database = connect(`postgres://me:hunter2@127.0.0.1:${port}/tendon`, log);
  await assert.rejects(migrate(database), (error: unknown) => {
    assert.ok(error instanceof StartError);
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}`));
    assert.equal(error.message.includes('hunter2'), false);
    return true;
  });
  await database.close();
});

test('D12: an address that is none is refused in one line', async () => {
  const database = connect('not an address', log);
  await assert.rejects(migrate(database), (error: unknown) => error instanceof StartError && !error.message.includes('\n'));
  await database.close();
});

test('D10, D12: a node whose connection is cut while it waits for its turn to migrate says so, and ends nothing', async () => {
  await using cloned = await testDatabase();
  const proxy = await cutAfterNextAnswer(cloned.url);
  const database = connect(proxy.url, log);
  proxy.arm('pg_advisory_lock');
  await assert.rejects(migrate(database), /Connection terminated/);
  await database.close();
  await proxy.close();
});

test('D12: a statement that takes too long is given up, and the next one runs', async () => {
  await using cloned = await testDatabase();
  const database = connect(cloned.url, log);
  const client = await database.pool.connect();
  // It holds for the next one as well, which takes its time on a busy machine.
  await client.query('set statement_timeout = 1000');
  await assert.rejects(client.query('select pg_sleep(60)'), { code: '57014' });
  assert.equal((await client.query('select 1')).rowCount, 1);
  client.release(true);
  assert.deepEqual((await database.pool.query('show statement_timeout')).rows, [{ statement_timeout: '15s' }]);
  await database.close();
});

test('D12: a connection that is not made in time is given up, long before the time is over in which one may wait until one is free', async () => {
  await using silent = await silentServer();
  const nowhere = connect(`postgres://someone@127.0.0.1:${silent.port}/x`, log, { connectMs: 50, turnMs: 600_000 });
  await assert.rejects(nowhere.pool.query('select 1'), /timeout/);
  await nowhere.close();
});

test('D12: whoever waits until a connection is free may wait 15 s, and has it then', async () => {
  await using own = await testDatabase();
  const database = connect(own.url, log);
  assert.equal(database.pool.options.connectionTimeoutMillis, 15_000);
  const held = await Promise.all(Array.from({ length: database.pool.options.max }, () => database.pool.connect()));
  const waiting = database.pool.query('select 1 as one');
  assert.equal(database.pool.waitingCount, 1);
  for (const client of held) client.release();
  assert.deepEqual((await waiting).rows, [{ one: 1 }]);
  await database.close();
});

/** Takes connections and says nothing. */
async function silentServer(): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer().listen(0, '127.0.0.1');
  const open = new Set<Socket>();
  server.on('connection', (socket) => open.add(socket.on('error', () => undefined).resume()));
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
