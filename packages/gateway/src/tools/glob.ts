import { lstat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { textResult } from '@tendon/protocol';
import { nameFilter, pathMatcher, searchScope } from './file-pattern.ts';
import { search } from './ripgrep.ts';
import { endedEarly, endReason, type LocalTool } from './tool.ts';
import { type Folder, openSearchedFolder, openTrueFolder, type Workspace } from './workspace.ts';

const MAX_FILES = 500;
/** So many matches are sorted by age; a folder with more is answered by name. */
const MAX_SORTED = 20_000;

export const glob: LocalTool<'glob'> = {
  name: 'glob',
  async run(input, context) {
    const folder = await openSearchedFolder(context.workspace, input.path);
    await using _held = folder.handle;
    const matches = pathMatcher(input.pattern);
    const found: Found[] = [];
    let isCut = false;
    await search(context, {
      args: ['--files', '--null', ...nameFilter(input.pattern), ...searchScope(folder.path, context.workspace.forbidden), '--', '.'],
      folder,
      recordEnd: 0,
      onRecord(record) {
        const path = record?.toString('utf8').replace(/^\.\//, '');
        if (record !== undefined && path !== undefined && matches(path)) found.push({ path, name: record.subarray(record.lastIndexOf('/') + 1) });
        isCut = found.length >= MAX_SORTED;
        return !isCut;
      },
    });
    if (context.signal.aborted) return endedEarly(endReason(context.signal), '');
    const sorted = await newestFirst(context.workspace, folder.path, found);
    if (sorted.length === 0) return textResult('succeeded', `No file matches ${JSON.stringify(input.pattern)}.`);
    const lines = sorted.slice(0, MAX_FILES).map((path) => shownPath(relative(context.workspace.root, join(folder.path, path))));
    if (sorted.length > MAX_FILES)
      lines.push(`[${isCut ? 'More than ' : ''}${sorted.length - MAX_FILES} further files match. Narrow the pattern or give a folder.]`);
    return textResult('succeeded', lines.join('\n'), { files: sorted.length });
  },
};

interface Found {
  readonly path: string;
  /** Its last part, byte for byte: it need not be UTF-8. */
  readonly name: Buffer;
}

/** Only what is truly there: a folder that is exchanged for a link while ripgrep walks by names leads it out of the workspace (G20). */
async function newestFirst(workspace: Workspace, root: string, paths: readonly Found[]): Promise<string[]> {
  const dated: { path: string; changedAt: number }[] = [];
  for (const [name, files] of Map.groupBy(paths, ({ path }) => dirname(path))) {
    const folder = await openTrueFolder(workspace, join(root, name));
    if (folder) dated.push(...(await datesOf(folder, files).finally(() => folder.handle.close())));
  }
  return dated.sort((a, b) => b.changedAt - a.changedAt || (a.path < b.path ? -1 : 1)).map(({ path }) => path);
}

async function datesOf(folder: Folder, files: readonly Found[]): Promise<{ path: string; changedAt: number }[]> {
  const dated = files.map(async ({ path, name }) => {
    const info = await lstat(Buffer.concat([Buffer.from(`${folder.base}/`), name])).catch(() => undefined);
    return info ? [{ path, changedAt: info.mtimeMs }] : [];
  });
  return (await Promise.all(dated)).flat();
}

/** A path on one line: a name with control characters is written as a JSON string, so that it cannot be mistaken for two. */
export function shownPath(path: string): string {
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
}
