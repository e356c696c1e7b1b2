import { lstatSync, type Stats } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setImmediate as othersTurn } from 'node:timers/promises';
import { textResult } from '@tendon/protocol';
import { nameFilter, SCOPE_WORDS, searchScope } from './file-pattern.ts';
import { pathMatcher } from './path-pattern.ts';
import { search } from './ripgrep.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from './tool.ts';
import { holdTrueFolder, openSearchedFolder, type Workspace } from './workspace.ts';

const MAX_FILES = 500;
/** So many matches are sorted by age; a folder with more is answered by name. */
const MAX_SORTED = 20_000;
/** So long at a time the process does nothing else than look again. */
const TURN_MS = 5;
/** How many files of a folder are looked at before the clock is, too. */
const FILES_AT_ONCE = 100;

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
    const sorted = context.signal.aborted ? [] : await newestFirst(context, folder.path, found);
    if (context.signal.aborted) return endedEarly(endReason(context.signal), '');
    if (sorted.length === 0) return textResult('succeeded', `No file matches ${JSON.stringify(input.pattern)}. ${SCOPE_WORDS}`);
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

interface Dated {
  readonly path: string;
  readonly changedAt: number;
}

/** Only what is truly there: a folder that is exchanged for a link while ripgrep walks by names leads it out of the workspace (G20). */
async function newestFirst(context: ToolContext, root: string, paths: readonly Found[]): Promise<string[]> {
  const dated: Dated[] = [];
  let turnEndsAt = performance.now() + TURN_MS;
  for (const [name, files] of inBundles(paths)) {
    dated.push(...datesIn(context.workspace, join(root, name), files));
    if (performance.now() < turnEndsAt) continue;
    await othersTurn();
    if (context.signal.aborted) break;
    turnEndsAt = performance.now() + TURN_MS;
  }
  return dated.sort((a, b) => b.changedAt - a.changedAt || (a.path < b.path ? -1 : 1)).map(({ path }) => path);
}

/** The files by their folders. A large folder comes several times, and is held anew each time: during the others' turn it may be exchanged. */
function* inBundles(paths: readonly Found[]): Generator<[folder: string, files: readonly Found[]]> {
  for (const [name, files] of Map.groupBy(paths, ({ path }) => dirname(path)))
    for (let from = 0; from < files.length; from += FILES_AT_ONCE) yield [name, files.slice(from, from + FILES_AT_ONCE)];
}

function datesIn(workspace: Workspace, folder: string, files: readonly Found[]): Dated[] {
  using held = holdTrueFolder(workspace, folder);
  if (!held) return [];
  return files.flatMap(({ path, name }) => {
    const info = fileInfo(Buffer.concat([Buffer.from(`${held.base}/`), name]));
    return info ? [{ path, changedAt: info.mtimeMs }] : [];
  });
}

/** Undefined for what cannot be looked at, such as a file that is gone meanwhile. */
function fileInfo(path: Buffer): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** A path on one line: a name with control characters is written as a JSON string, so that it cannot be mistaken for two. */
export function shownPath(path: string): string {
  return /\p{Cc}/u.test(path) ? JSON.stringify(path) : path;
}
