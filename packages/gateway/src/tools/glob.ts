import { lstat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { textResult } from '@tendon/protocol';
import { nameFilter, pathMatcher, searchScope } from './file-pattern.ts';
import { search } from './ripgrep.ts';
import { endedEarly, endReason, type LocalTool } from './tool.ts';
import { locateFolder } from './workspace.ts';

const MAX_FILES = 500;
/** So many matches are sorted by age; a folder with more is answered by name. */
const MAX_SORTED = 20_000;

export const glob: LocalTool<'glob'> = {
  name: 'glob',
  async run(input, context) {
    const folder = await locateFolder(context.workspace, input.path);
    const matches = pathMatcher(input.pattern);
    const found: string[] = [];
    let isCut = false;
    await search(context, {
      args: ['--files', '--null', ...nameFilter(input.pattern), ...searchScope(folder, context.workspace.forbidden), '--', '.'],
      folder,
      recordEnd: 0,
      onRecord(record) {
        const path = record?.toString('utf8').replace(/^\.\//, '');
        if (path !== undefined && matches(path)) found.push(path);
        isCut = found.length >= MAX_SORTED;
        return !isCut;
      },
    });
    if (context.signal.aborted) return endedEarly(endReason(context.signal), '');
    if (found.length === 0) return textResult('succeeded', `No file matches ${JSON.stringify(input.pattern)}.`);
    const sorted = await newestFirst(folder, found);
    const lines = sorted.slice(0, MAX_FILES).map((path) => shownPath(relative(context.workspace.root, join(folder, path))));
    if (sorted.length > MAX_FILES)
      lines.push(`[${isCut ? 'More than ' : ''}${sorted.length - MAX_FILES} further files match. Narrow the pattern or give a folder.]`);
    return textResult('succeeded', lines.join('\n'), { files: sorted.length });
  },
};

async function newestFirst(folder: string, paths: readonly string[]): Promise<string[]> {
  const dated = await Promise.all(
    paths.map(async (path) => ({
      path,
      changedAt: await lstat(join(folder, path)).then(
        (info) => info.mtimeMs,
        () => 0,
      ),
    })),
  );
  return dated.sort((a, b) => b.changedAt - a.changedAt || (a.path < b.path ? -1 : 1)).map(({ path }) => path);
}

/** A path on one line: a name with control characters is written as a JSON string, so that it cannot be mistaken for two. */
export function shownPath(path: string): string {
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
}
