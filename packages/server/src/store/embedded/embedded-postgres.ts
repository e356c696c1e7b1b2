import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Log } from '@tendon/protocol';
import { StartError } from '../../start-error.ts';
import { type Account, chooseAccount } from './account.ts';
import { type Binaries, findBinaries } from './binaries.ts';
import { CLEAN_ENVIRONMENT, checkCluster, createCluster, DATABASE_USER, damaged, giveTo, ownerOf, placeOf } from './cluster.ts';
import { type DeathWatch, watchOwnDeath } from './death-watch.ts';
import { stopOrphans } from './orphan.ts';
import { type OwnerLock, takeOwnership } from './owner-lock.ts';
import { SETTINGS } from './settings.ts';
import { type SocketFolder, socketFolder } from './socket-folder.ts';

/**
 * A PostgreSQL of our own in `dataDir`, reachable through a socket in a folder that only its user and ours can enter.
 *
 *   lock ─► orphans stopped ─► created? ─► starting ─► ready ─► stopping ─► stopped (lock free)
 *             (of a dead owner)   initdb       │ exits     │ exits by itself   ▲
 *                                              ▼           └───────────────────┘ `exited` tells
 *                                          StartError
 */
export interface EmbeddedPostgres {
  readonly url: string;
  /** The server's main process. */
  readonly pid: number;
  /** Settles when the server has ended, whether asked or not. */
  readonly exited: Promise<void>;
  /** Ends sessions and writes everything out; a second call while it does so ends it at once, which costs a recovery at the next start. */
  close(): Promise<void>;
}

/** A database that recovers from a crash may take its time. */
const START_LIMIT_MS = 120_000;
const STOP_LIMIT_MS = 10_000;
/** Said by the server in the one language that `lc_messages` gives it. */
const READY = 'database system is ready to accept connections';

/** Starts the database of this folder, making it first when there is none. What its reader can mend is a `StartError`. */
export async function startEmbeddedPostgres(options: { dataDir: string; log: Log }): Promise<EmbeddedPostgres> {
  const home = resolve(options.dataDir);
  makeHome(home);
  const lock = await takeOwnership(home);
  try {
    return await startOwned(home, lock, options.log);
  } catch (error) {
    lock.release();
    throw asStartError(error, home);
  }
}

async function startOwned(home: string, lock: OwnerLock, log: Log): Promise<EmbeddedPostgres> {
  const data = join(home, 'data');
  const account = chooseAccount(ownerOf(data));
  const binaries = await findBinaries({ copies: home, asOtherUser: account.server !== undefined });
  if (existsSync(data)) await stopOrphans(data, log);
  else await createCluster(data, binaries, account);
  checkCluster(data, binaries.majorVersion);
  if (account.server && ownerOf(data) === 0) giveTo(data, account.server);
  const server = new Server(data, { binaries, account, lock, log });
  await server.start();
  return server;
}

class Server implements EmbeddedPostgres {
  readonly url: string;
  readonly pid: number;
  readonly exited: Promise<void>;
  readonly #data: string;
  readonly #process: ChildProcess;
  readonly #watch: DeathWatch | undefined;
  readonly #socket: SocketFolder;
  readonly #log: Log;
  #phase: 'starting' | 'ready' | 'stopping' | 'stopped' = 'starting';
  #complaint = '';
  #heardReady: () => void = () => undefined;

  constructor(data: string, parts: { binaries: Binaries; account: Account; lock: OwnerLock; log: Log }) {
    this.#data = data;
    this.#log = parts.log;
    const place = placeOf(data, parts.account.server);
    this.#process = spawn(parts.binaries.postgres, ['-D', place.argument, ...SETTINGS], {
      cwd: place.cwd,
      env: CLEAN_ENVIRONMENT,
      // Its own group: Ctrl-C in the terminal is for us, who then close it in order.
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...parts.account.server,
    });
    this.pid = this.#process.pid ?? 0;
    this.#watch = this.pid > 0 ? watchOwnDeath(this.pid, parts.account.server) : undefined;
    this.#socket = socketFolder(data);
    this.url = `postgres://${DATABASE_USER}@localhost/postgres?host=${encodeURIComponent(this.#socket.path)}`;
    this.exited = this.#untilExit(parts.lock);
    this.#listen();
  }

  async start(): Promise<void> {
    const ready = new Promise<'ready'>((resolve) => {
      this.#heardReady = () => resolve('ready');
    });
    const limit = AbortSignal.timeout(START_LIMIT_MS);
    const late = once(limit, 'abort').then(() => 'late' as const);
    const first = await Promise.race([ready, late, this.exited.then(() => 'exited' as const)]);
    if (first === 'exited') throw damaged(this.#data, this.#complaint || 'PostgreSQL does not start on it');
    if (first === 'late') {
      this.#process.kill('SIGQUIT');
      await this.exited;
      throw new StartError(
        `The database in ${this.#data} was not ready after ${START_LIMIT_MS / 1_000} s. Try again; if it stays so, restore the folder from a backup.`,
      );
    }
    this.#phase = 'ready';
    // Nothing of it keeps our process alive: who wants it to end in order calls close().
    this.#process.unref();
    (this.#process.stderr as Socket | null)?.unref();
  }

  async close(): Promise<void> {
    if (this.#phase === 'stopped') return;
    const isSecond = this.#phase === 'stopping';
    this.#phase = 'stopping';
    this.#process.ref();
    this.#process.kill(isSecond ? 'SIGQUIT' : 'SIGINT');
    const impatience = setTimeout(() => this.#process.kill('SIGQUIT'), STOP_LIMIT_MS);
    await this.exited;
    clearTimeout(impatience);
  }

  async #untilExit(lock: OwnerLock): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#process.once('error', (error) => {
        this.#complaint = `its program cannot be run (${error.message})`;
        resolve();
      });
      // Before it was ever ready, its last words are the reason: wait for them too.
      this.#process.once('exit', () => (this.#phase === 'starting' ? this.#process.once('close', () => resolve()) : resolve()));
    });
    if (this.#phase === 'ready') this.#log.fatal({ folder: this.#data }, 'the embedded PostgreSQL has ended by itself');
    this.#phase = 'stopped';
    this.#watch?.end();
    this.#socket.remove();
    lock.release();
  }

  #listen(): void {
    const stream = this.#process.stderr as Readable;
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = (lines.pop() ?? '').slice(-10_000);
      for (const line of lines) this.#hear(line);
    });
  }

  #hear(line: string): void {
    const isGrave = /^(FATAL|PANIC|HINT)/.test(line);
    if (isGrave && this.#phase === 'starting' && this.#complaint === '') this.#complaint = line.replace(/^[A-Z]+:\s*/, '');
    // Other lines hold the values of statements.
    if (/^(FATAL|PANIC|WARNING|LOG)/.test(line)) this.#log[line.startsWith('LOG') ? 'debug' : 'warn']({ reason: line }, 'PostgreSQL says something');
    if (line.includes(READY)) this.#heardReady();
  }
}

function makeHome(home: string): void {
  try {
    mkdirSync(home, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw asStartError(cause, home);
  }
}

/** A folder that we may not use is for its reader to mend; anything else is a bug and stays one. */
function asStartError(error: unknown, home: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === undefined || error instanceof StartError) return error;
  return new StartError(
    `The database folder ${home} cannot be used (${(error as Error).message}). Check its owner and permissions, or give another TENDON_HOME.`,
    { cause: error },
  );
}
