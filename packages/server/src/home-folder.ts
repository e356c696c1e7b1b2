import { randomBytes } from 'node:crypto';
import { chmod, link, mkdir, open, readFile, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { StartError } from './start-error.ts';

/**
 * Makes the home if it is missing, and takes it away from other users if it is not. Returns what it mended, as one line, or undefined.
 * Throws StartError when it cannot be ours: a file, another user's folder, no permission.
 */
export async function prepareHome(home: string): Promise<string | undefined> {
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    const found = await stat(home);
    if (!found.isDirectory()) throw new StartError(`TENDON_HOME is "${home}", which is not a folder: give another one`);
    if (process.getuid && found.uid !== process.getuid())
      throw new StartError(`TENDON_HOME is "${home}", which belongs to another user: give a folder of your own`);
    if ((found.mode & 0o077) === 0) return undefined;
    await chmod(home, 0o700);
    return `${home} was open to other users of this machine; it is yours alone now (0700)`;
  } catch (error) {
    if (error instanceof StartError) throw error;
    throw new StartError(`TENDON_HOME is "${home}", which cannot be used (${codeOf(error)}): give a folder that you may write to`, { cause: error });
  }
}

/** Text of `config.json` in the home, or undefined when there is none. Throws StartError when it is there and cannot be read. */
export async function readHomeFile(home: string): Promise<string | undefined> {
  const path = join(home, 'config.json');
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined;
    throw new StartError(`${path} cannot be read (${codeOf(error)}): mend its permissions or remove it`, { cause: error });
  }
}

const KEY_FILE = 'secret.key';
/** Earlier keys, one a line: what they sealed opens until it is sealed anew, and so do copies of the database from before. */
const PREVIOUS_FILE = 'secret.key.previous';

export interface SecretKeys {
  /** Seals secrets at rest and signs cookies. */
  readonly current: Buffer;
  /** Open as well: earlier keys, and the coming one while a rotation goes from node to node. */
  readonly others: readonly Buffer[];
}

/**
 * The secret key (TENDON_SECRET_KEY, or 32 random bytes kept in `$TENDON_HOME/secret.key`, 0600) and those that open beside it
 * (TENDON_SECRET_KEY_PREVIOUS, `secret.key.previous`, and the file's key where the environment now gives another one).
 */
export async function readSecretKeys(
  home: string,
  given: { readonly secretKey?: string | undefined; readonly previousKeys?: readonly string[] },
): Promise<SecretKeys> {
  const current = await readSecretKey(home, given.secretKey);
  const named = (given.previousKeys ?? []).map((key) => Buffer.from(key, 'base64'));
  const fromFile = given.secretKey === undefined ? undefined : await readKeyFile(join(home, KEY_FILE)).catch(() => undefined);
  const others = [...named, ...(fromFile ? [fromFile] : []), ...(await readPreviousKeys(home))];
  return { current, others: others.filter((key) => !key.equals(current)) };
}

/**
 * Puts a new key in the place of the home's own, which goes to the earlier ones first: whenever this is cut off, every key that has sealed
 * something is in one of the two files. Throws StartError when there is no key to replace.
 */
export async function rotateSecretKey(home: string): Promise<void> {
  const path = join(home, KEY_FILE);
  const current = await readKeyFile(path);
  if (!current) throw new StartError(`${path} is not there yet: there is nothing to rotate. Tendon makes it at its first start`);
  const earlier = (await readPreviousKeys(home)).filter((key) => !key.equals(current));
  await replaceFile(join(home, PREVIOUS_FILE), [current, ...earlier].map((key) => `${key.toString('base64')}\n`).join(''));
  await replaceFile(path, `${randomBytes(32).toString('base64')}\n`);
}

async function readPreviousKeys(home: string): Promise<readonly Buffer[]> {
  const path = join(home, PREVIOUS_FILE);
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return '';
    throw new StartError(`${path} cannot be read (${codeOf(error)}): mend its permissions`, { cause: error });
  });
  const keys = content.split('\n').flatMap((line) => (line.trim() === '' ? [] : [Buffer.from(line.trim(), 'base64')]));
  if (keys.some((key) => key.length !== 32))
    throw new StartError(`${path} is damaged: put back a copy, or remove it (secrets that only an earlier key opens must then be entered again)`);
  return keys;
}

/** The new content appears whole, on the disk, or not at all. */
async function replaceFile(path: string, content: string): Promise<void> {
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await writeFile(draft, content, { mode: 0o600, flag: 'wx', flush: true });
    await rename(draft, path);
    const folder = await open(dirname(path));
    await folder.sync().finally(() => folder.close());
  } catch (error) {
    throw new StartError(`${path} cannot be written (${codeOf(error)}): make room, or mend the permissions of its folder`, { cause: error });
  } finally {
    await unlink(draft).catch(() => undefined);
  }
}

/** Two processes that make the key at once end with the same one: the file appears whole or not at all. */
async function readSecretKey(home: string, given: string | undefined): Promise<Buffer> {
  if (given !== undefined) return Buffer.from(given, 'base64');
  const path = join(home, KEY_FILE);
  const known = await readKeyFile(path);
  if (known) return known;
  const draft = `${path}.${randomBytes(8).toString('hex')}`;
  try {
    await writeFile(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx', flush: true });
    await link(draft, path).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error;
    });
  } catch (error) {
    throw new StartError(`${path} cannot be written (${codeOf(error)}): make room, or mend the permissions of its folder`, { cause: error });
  } finally {
    await unlink(draft).catch(() => undefined);
  }
  const made = await readKeyFile(path);
  if (!made) throw new StartError(`${path} disappeared while starting: start again`);
  return made;
}

async function readKeyFile(path: string): Promise<Buffer | undefined> {
  let content: string;
  try {
    content = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new StartError(`${path} cannot be read (${codeOf(error)}): mend its permissions`, { cause: error });
  }
  const key = Buffer.from(content.trim(), 'base64');
  if (key.length !== 32)
    throw new StartError(`${path} is damaged: put back a copy, or remove it (people then sign in again, and stored secrets must be entered again)`);
  return key;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
