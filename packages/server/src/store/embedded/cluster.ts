import { spawn } from 'node:child_process';
import { existsSync, lchownSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { chown, mkdtemp, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StartError } from '../../start-error.ts';
import type { Account, Identity } from './account.ts';
import type { Binaries } from './binaries.ts';

export const DATABASE_USER = 'tendon';
const UNFINISHED = 'unfinished-';

/** What PostgreSQL is told of its data folder, and where it is started. */
export interface Place {
  readonly argument: string;
  readonly cwd: string;
}

/**
 * Under another user than ours the path to the folder may lead through folders that only we can enter (the home of root). The
 * process is then started inside it and calls it by a name that needs no path.
 */
export function placeOf(folder: string, identity: Identity | undefined): Place {
  return { cwd: folder, argument: identity ? '/proc/self/cwd' : folder };
}

/** No secret of our environment reaches the database's processes. */
export const CLEAN_ENVIRONMENT = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** Creates the data folder at the first start, whole or not at all: initdb fills a folder beside it, which is then renamed. */
export async function createCluster(data: string, binaries: Binaries, account: Account): Promise<void> {
  const home = dirname(data);
  for (const name of await readdir(home)) if (name.startsWith(UNFINISHED)) await rm(join(home, name), { recursive: true, force: true });
  const draft = await mkdtemp(join(home, UNFINISHED));
  if (account.setup) await chown(draft, account.setup.uid, account.setup.gid);
  await runInitdb(binaries, placeOf(draft, account.setup), account.setup);
  if (account.server) giveTo(draft, account.server);
  await rename(draft, data);
  const parent = await open(home);
  await parent.sync();
  await parent.close();
}

/** A folder restored from a backup by root belongs to root; PostgreSQL wants its own. */
export function giveTo(folder: string, identity: Identity): void {
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) lchownSync(join(folder, name), identity.uid, identity.gid);
  lchownSync(folder, identity.uid, identity.gid);
}

/** Refuses what no start can mend, by the folder's name. */
export function checkCluster(data: string, majorVersion: string): void {
  const versionFile = join(data, 'PG_VERSION');
  if (!existsSync(versionFile) || !existsSync(join(data, 'global', 'pg_control'))) throw damaged(data, 'its main files are missing');
  const found = readFileSync(versionFile, 'utf8').trim();
  if (!/^\d+$/.test(found)) throw damaged(data, 'PG_VERSION cannot be read');
  if (found !== majorVersion) {
    throw new StartError(
      `The database folder ${data} was made by PostgreSQL ${found} and this Tendon brings ${majorVersion}. Use the Tendon that made it, or move the folder away to begin with an empty one.`,
    );
  }
}

export function damaged(data: string, reason: string): StartError {
  return new StartError(`The database folder ${data} is damaged: ${reason}. Restore it from a backup, or move it away to begin with an empty one.`);
}

/** The user who owns an existing data folder. */
export function ownerOf(data: string): number | undefined {
  return statSync(data, { throwIfNoEntry: false })?.uid;
}

function runInitdb(binaries: Binaries, place: Place, identity: Identity | undefined): Promise<void> {
  const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
  const access = [`--username=${DATABASE_USER}`, '--auth-local=trust', '--auth-host=reject'];
  const child = spawn(binaries.initdb, ['-D', place.argument, ...locale, ...access, '--no-instructions'], {
    cwd: place.cwd,
    env: CLEAN_ENVIRONMENT,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...identity,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4_000);
  });
  const failure = (reason: string, cause?: Error) =>
    new StartError(`The database cannot be created in ${dirname(place.cwd)}: ${reason}. Mend that, or set TENDON_DATABASE_URL.`, { cause });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(failure(error.message, error)));
    child.once('close', (code) => (code === 0 ? resolve() : reject(failure(lastLine(said) || `${basename(binaries.initdb)} ended with ${code}`))));
  });
}

function lastLine(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /error|fatal|could not/i.test(line)) ?? lines.at(-1) ?? '';
}
