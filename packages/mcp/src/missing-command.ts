import { access, constants, stat } from 'node:fs/promises';
import { basename, delimiter, resolve } from 'node:path';

const NODE = 'Install Node.js: https://nodejs.org, or on Debian: apt install nodejs npm';
const UV = 'Install uv: curl -LsSf https://astral.sh/uv/install.sh | sh';
const PYTHON = 'Install Python: on Debian: apt install python3';

/** The commands that most servers are started with. */
const INSTALL: Readonly<Record<string, string>> = {
  node: NODE,
  npm: NODE,
  npx: NODE,
  uv: UV,
  uvx: UV,
  python: PYTHON,
  python3: PYTHON,
  pipx: 'Install pipx: on Debian: apt install pipx',
  docker: 'Install Docker: on Debian: apt install docker.io',
  podman: 'Install Podman: on Debian: apt install podman',
  deno: 'Install Deno: curl -fsSL https://deno.land/install.sh | sh',
  bun: 'Install Bun: curl -fsSL https://bun.sh/install | bash',
  bunx: 'Install Bun: curl -fsSL https://bun.sh/install | bash',
};

interface StdioPlace {
  readonly command: string;
  /** Where it is started. */
  readonly folder: string;
  readonly path: string | undefined;
}

/**
 * Why a server over stdio could not be started, from the code of the fault and from what is there; undefined when it is something else. A folder
 * that is missing and a command that is missing have the same code.
 */
export async function whyNotStarted(code: string | undefined, place: StdioPlace): Promise<string | undefined> {
  const { command, folder } = place;
  if (code !== 'ENOENT' && code !== 'ENOTDIR' && code !== 'EACCES') return undefined;
  const missing = await folderFault(folder);
  if (missing !== undefined) return missing;
  if (code === 'EACCES') return `the command "${command}" may not be run. Make it executable: chmod +x ${command}`;
  if (await isThere(place)) return `the command "${command}" is there, but not the program that its first line names (#!): install that one`;
  return severalWordsFault(command) ?? `the command "${command}" was not found. ${howToInstall(command)}`;
}

/** What is wrong with the folder that a server is to be started in; undefined when nothing is. */
export async function folderFault(folder: string): Promise<string | undefined> {
  const found = await stat(folder).catch(() => undefined);
  if (found === undefined) return `its folder "${folder}" is not there. Make it, or name another one in "cwd" of mcp.json`;
  if (!found.isDirectory()) return `its folder "${folder}" is a file. Name a folder in "cwd" of mcp.json`;
  const isOpen = await access(folder, constants.X_OK).then(
    () => true,
    () => false,
  );
  return isOpen ? undefined : `its folder "${folder}" may not be entered. Mend its permissions, or name another one in "cwd" of mcp.json`;
}

/** One line that mends a command which is not there. The gateway tries again by itself. */
export function howToInstall(command: string): string {
  const name = basename(command);
  const known = Object.hasOwn(INSTALL, name) ? INSTALL[name] : undefined;
  return known ?? `Install "${name}", or give the full path of the command in mcp.json`;
}

/** What is wrong with a command that is a whole line. A path may have a space in it; the name of a program has none. The words after the first may be secrets. */
export function severalWordsFault(command: string): string | undefined {
  const [, first] = /^([^/\s]+)\s+\S/.exec(command.trim()) ?? [];
  if (first === undefined) return undefined;
  return `its command has more words than the name of a program: leave "command": "${first}" and put the words after the first into "args": [ … ]`;
}

async function isThere({ command, folder, path = process.env['PATH'] ?? '' }: StdioPlace): Promise<boolean> {
  const folders = command.includes('/') ? [folder] : path.split(delimiter).map((one) => resolve(folder, one));
  const found = folders.map((one) =>
    access(resolve(one, command), constants.X_OK).then(
      () => true,
      () => false,
    ),
  );
  return (await Promise.all(found)).includes(true);
}
