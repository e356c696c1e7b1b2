import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';

/**
 * The sockets in the file system that a program outside listens with: a network of one's own does not keep from them, and behind many stands one
 * that opens connections for whoever asks (a container engine, a resolver, a terminal, a display). What was opened in the network of a
 * sandbox is not in this list. See proc_net(5).
 */
export async function machineSockets(): Promise<string[]> {
  const table = await readFile('/proc/net/unix', 'utf8').catch(() => '');
  const keys = process.env['SSH_AUTH_SOCK'];
  const paths = new Set(pathsIn(table));
  const found = await Promise.all([...paths].map(async (path) => path !== keys && !isForKeys(path) && (await isSocket(path)) && path));
  return found.filter((path) => path !== false);
}

/** `…: RefCount Protocol Flags Type St Inode Path`; without a path it has no file, and with `@` neither. Pure. */
export function pathsIn(table: string): string[] {
  return table.split('\n').flatMap((line) => /^\S+:(?: \S+){5} +\d+ (\/.+)$/.exec(line)?.[1] ?? []);
}

/** They sign, and lead nowhere: commits could not be signed without them. */
function isForKeys(path: string): boolean {
  return basename(path) === 'S.gpg-agent';
}

function isSocket(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isSocket(),
    () => false,
  );
}
