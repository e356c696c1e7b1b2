import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import type { EmbeddedPostgres } from '@tendon/server/store';

/** A migrated database that nothing else uses. Dropped when disposed. */
export interface TestDatabase {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

const TEMPLATE = 'tendon_template';
const FOLDER_NAME = /^tendon-test-database-(\d+)-/;
/** Loaded when first needed: most tests that import this package want no database. */
const store = () => import('@tendon/server/store');
const quietLog = async () => (await import('pino')).pino({ level: 'error' });
const run = promisify(execFile);
/** Node's own copying takes four times as long for a thousand files. */
const copy = (from: string, to: string) => run('cp', ['-Rp', from, to]);

let server: Promise<EmbeddedPostgres> | undefined;
let count = 0;

/**
 * Clones the migrated template in an embedded PostgreSQL of this process alone: the first call starts it (0.5 s, the very first on a
 * machine 1.5 s), each further one takes about 50 ms. The server keeps no process alive and goes with it, folder and all.
 */
export async function testDatabase(): Promise<TestDatabase> {
  server ??= startServer();
  const { url } = await server;
  count += 1;
  const name = `test_${count}`;
  await administrate(url, `create database ${name} template ${TEMPLATE}`);
  let dropped: Promise<void> | undefined;
  return {
    url: databaseUrl(url, name),
    [Symbol.asyncDispose]: () => {
      dropped ??= administrate(url, `drop database ${name} with (force)`);
      return dropped;
    },
  };
}

/** What the first start of a server makes in its `dataDir`, which must not be there yet: a database with the schema of now, and nothing in it. */
export async function prepareDataDir(dataDir: string): Promise<void> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { schemaFingerprint } = await store();
  const prepared = join(tmpdir(), `tendon-prepared-database-${process.getuid?.() ?? 0}`, schemaFingerprint());
  if (existsSync(prepared)) await copy(prepared, join(dataDir, 'data'));
  else await prepare(dataDir, prepared);
}

async function startServer(): Promise<EmbeddedPostgres> {
  removeLeftovers();
  const { startEmbeddedPostgres } = await store();
  const folder = await mkdtemp(join(tmpdir(), `tendon-test-database-${process.pid}-`));
  await prepareDataDir(folder);
  const started = await startEmbeddedPostgres({ dataDir: folder, log: await quietLog() });
  process.once('exit', () => removeServer(started, folder));
  return started;
}

/** Makes it once, for this process and those to come. */
async function prepare(folder: string, prepared: string): Promise<void> {
  const { connect, migrate, startEmbeddedPostgres } = await store();
  const log = await quietLog();
  const first = await startEmbeddedPostgres({ dataDir: folder, log });
  const database = connect(first.url, log);
  await migrate(database);
  await database.close();
  // Both are alike: the one is cloned, and a server that is given this folder works in the other.
  await administrate(databaseUrl(first.url, 'template1'), `create database ${TEMPLATE} template postgres`);
  await first.close();
  await mkdir(join(prepared, '..'), { recursive: true, mode: 0o700 });
  const draft = await mkdtemp(join(prepared, '..', 'unfinished-'));
  await copy(join(folder, 'data'), join(draft, 'data'));
  await rename(join(draft, 'data'), prepared).catch(() => undefined);
  await rm(draft, { recursive: true, force: true });
}

async function administrate(url: string, statement: string): Promise<void> {
  const { default: pg } = await import('pg');
  const client = new pg.Client(url);
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function databaseUrl(url: string, name: string): string {
  const changed = new URL(url);
  changed.pathname = `/${name}`;
  return changed.href;
}

/** At exit nothing can be awaited: the server is told to end at once, and its lock file tells when it has. */
function removeServer(started: EmbeddedPostgres, folder: string): void {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  try {
    process.kill(started.pid, 'SIGQUIT');
    for (let waits = 0; waits < 200 && existsSync(join(folder, 'data', 'postmaster.pid')); waits += 1) Atomics.wait(clock, 0, 0, 5);
  } catch {
    // It has ended before.
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** Folders of test processes that were killed. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(FOLDER_NAME.exec(name)?.[1]);
    if (pid > 0 && !isAlive(pid)) rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
