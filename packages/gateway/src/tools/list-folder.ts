import type { Dirent } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { textResult } from '@tendon/protocol';
import { shownPath } from './glob.ts';
import type { LocalTool } from './tool.ts';
import { openForListing } from './workspace.ts';

const MAX_ENTRIES = 1_000;

export const listFolder: LocalTool<'list_folder'> = {
  name: 'list_folder',
  async run(input, context) {
    await using folder = await openForListing(context.workspace, input.path);
    const entries = folder.entries.toSorted((a, b) => Number(b.isDirectory()) - Number(a.isDirectory()) || (a.name < b.name ? -1 : 1));
    if (entries.length === 0) return textResult('succeeded', '(The folder is empty.)', { files: 0 });
    const lines = await Promise.all(entries.slice(0, MAX_ENTRIES).map((entry) => lineOf(entry, folder.child(entry.name))));
    if (entries.length > MAX_ENTRIES) lines.push(`[${entries.length - MAX_ENTRIES} further entries. Use glob with a pattern to find among them.]`);
    return textResult('succeeded', lines.join('\n'), { files: entries.length, ...(entries.length > MAX_ENTRIES ? { truncated: true } : {}) });
  },
};

/** `src/`, `README.md  1204 bytes`, `latest -> releases/3`, `queue  (pipe)`. A link is told, and not followed. */
async function lineOf(entry: Dirent, path: string): Promise<string> {
  const name = shownPath(entry.name);
  if (entry.isDirectory()) return `${name}/`;
  if (entry.isSymbolicLink()) return `${name} -> ${shownPath(await readlink(path).catch(() => '?'))}`;
  if (!entry.isFile()) return `${name}  (${kindOf(entry)})`;
  const info = await lstat(path).catch(() => undefined);
  return info ? `${name}  ${info.size} bytes` : name;
}

function kindOf(entry: Dirent): string {
  if (entry.isFIFO()) return 'pipe';
  return entry.isSocket() ? 'socket' : 'device';
}
