import { constants } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ToolFault } from './faults.ts';
import { locateFolder, type Workspace } from './workspace.ts';

/*
 * Where a command's shell was when it ended. The shell itself says so, in a trap for its end that bash sets before it reads the command
 * (BASH_ENV), into a file of a folder that is made for this call: not into the output, where a program could say it too, and not through a
 * descriptor, which every child would hold. The command's own words, line numbers and exit code stay as they are.
 *
 *   made ──the shell ends──► at (inside the workspace) | outside | gone (deleted) | unknown (stopped, replaced by `exec`, a trap of its own)
 *
 * A command can write what it likes there, as it can go where it likes: what is read is only a wish, and is located like any other path.
 */
export type EndFolder = { readonly kind: 'at'; readonly folder: string } | { readonly kind: 'outside' | 'gone' | 'unknown' };

/** Beside this file, and not in a folder for temporary files: what another command could change, this one's shell would run. */
const SCRIPT = fileURLToPath(new URL('./end-folder.sh', import.meta.url));
/** A path may be so long (PATH_MAX), and a newline after it says that it is whole. */
const MOST_BYTES = 4_096 + 1;

export class EndFolderReport {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Undefined where no file can be made for it: then nobody will know. */
  static async create(): Promise<EndFolderReport | undefined> {
    try {
      return new EndFolderReport(await mkdtemp(join(tmpdir(), 'tendon-')));
    } catch {
      return undefined;
    }
  }

  /** To be added to the environment of the shell; it takes it out again before the command begins. */
  get environment(): Record<string, string> {
    // Bash expands it as between double quotes.
    return { BASH_ENV: SCRIPT.replaceAll(/[\\$`"]/g, String.raw`\$&`), TENDON_END_FOLDER: this.#answer };
  }

  /** Once the shell has ended. */
  async read(workspace: Workspace): Promise<EndFolder> {
    const said = await readStart(this.#answer).catch(() => undefined);
    if (said === '\n') return { kind: 'gone' };
    if (!said?.endsWith('\n') || !said.startsWith('/')) return { kind: 'unknown' };
    try {
      return { kind: 'at', folder: relative(workspace.root, await locateFolder(workspace, said.slice(0, -1))) || '.' };
    } catch (error) {
      const code = error instanceof ToolFault ? error.code : undefined;
      if (code === 'outside_workspace' || code === 'forbidden_path') return { kind: 'outside' };
      return { kind: code === 'not_found' ? 'gone' : 'unknown' };
    }
  }

  async close(): Promise<void> {
    // A command can hold it fast; its result is what counts.
    await rm(this.#folder, { recursive: true, force: true }).catch(() => undefined);
  }

  get #answer(): string {
    return join(this.#folder, 'folder');
  }
}

/** Where the next command of a session starts, and what its model is told of that. */
export interface NextPlace {
  /** Relative to the workspace; `.` is the workspace. */
  readonly folder: string;
  readonly note: string;
}

/** `start`: where the command itself has started, relative to the workspace. */
export function nextPlace(start: string, end: EndFolder): NextPlace {
  const before = start === '' ? '.' : start;
  if (end.kind === 'at') return { folder: end.folder, note: noteAt(before, end.folder) };
  if (end.kind === 'gone') return { folder: '.', note: noteFor('The folder in which its shell ended is gone', '.') };
  const why = end.kind === 'outside' ? 'Its shell ended outside of the workspace' : 'It is not known where its shell ended';
  return { folder: before, note: noteFor(why, before) };
}

function noteAt(before: string, folder: string): string {
  // Who has started it there knows that already.
  if (folder === before) return '';
  if (folder === '.') return noteFor('Back in the workspace', folder);
  return `\n[In ${words(folder)}. The next command starts there, unless it names a folder.]`;
}

function noteFor(why: string, folder: string): string {
  return `\n[${why}. The next command starts ${folder === '.' ? 'in the workspace' : `in ${words(folder)}`}, unless it names a folder.]`;
}

function words(folder: string): string {
  return /^[\w./@+-]+$/.test(folder) ? folder : JSON.stringify(folder);
}

/** Undefined for what is longer, no regular file, or no text: a command may have put anything there. */
async function readStart(path: string): Promise<string | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) return undefined;
    const bytes = Buffer.alloc(MOST_BYTES + 1);
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, 0);
    if (bytesRead > MOST_BYTES) return undefined;
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, bytesRead));
  } finally {
    await handle.close();
  }
}
