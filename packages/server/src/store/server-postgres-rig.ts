import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { chooseAccount } from './embedded/account.ts';
import { findBinaries } from './embedded/binaries.ts';
import { CLEAN_ENVIRONMENT, createCluster, DATABASE_USER, placeOf } from './embedded/cluster.ts';
import { watchOwnDeath } from './embedded/death-watch.ts';

/** Of this process alone: who asks for any port, or connects to somebody, is given one of 127.0.0.1, and cannot take one that was found free here. */
const HOST = `127.${64 + (process.pid >> 16)}.${(process.pid >> 8) & 255}.${process.pid & 255}`;

export interface ServerPostgres extends AsyncDisposable {
  /** Over TCP, with a password. */
  readonly url: string;
}

/** A PostgreSQL server as somebody else would run it for us: its own defaults, a TCP port, and a password. */
export async function startServerPostgres(): Promise<ServerPostgres> {
  const home = mkdtempSync(join(tmpdir(), 'tendon-server-postgres-'));
  const data = join(home, 'data');
  const account = chooseAccount(undefined);
  const binaries = await findBinaries({ copies: home, asOtherUser: account.server !== undefined });
  await createCluster(data, binaries, account);
  writeFileSync(join(data, 'pg_hba.conf'), 'local all all trust\nhost all all 127.0.0.0/8 scram-sha-256\n');
  const port = await freePort();
  const place = placeOf(data, account.server);
  const settings = [`listen_addresses=${HOST}`, `port=${port}`, 'unix_socket_directories=.', 'max_connections=200'].flatMap((setting) => ['-c', setting]);
  const child = spawn(binaries.postgres, ['-D', place.argument, ...settings], {
    cwd: place.cwd,
    env: CLEAN_ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...account.server,
  });
  const watch = watchOwnDeath(child.pid ?? 0, account.server);
  const exited = once(child, 'exit');
  await untilReady(child.stderr, exited);
  const password = randomBytes(12).toString('hex');
  const administrator = new pg.Client({ host: data, port, user: DATABASE_USER, database: 'postgres' });
  await administrator.connect();
  await administrator.query(`alter user ${DATABASE_USER} password '${password}'`);
  await administrator.end();
  return {
    url: `postgres://${DATABASE_USER}:${password}@${HOST}:${port}/postgres`,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGINT');
      await exited;
      watch.end();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

function untilReady(log: NodeJS.ReadableStream, exited: Promise<unknown>): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    log.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('ready to accept connections')) resolve();
    });
    void exited.then(() => reject(new Error(`the server did not start: ${said}`)));
  });
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}
