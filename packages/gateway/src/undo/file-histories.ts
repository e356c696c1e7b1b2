import { basename, dirname, join } from 'node:path';
import type { ToolInput } from '@tendon/protocol';
import { ToolFault } from '../tools/faults.ts';
import type { FileStamp } from '../tools/file-stamp.ts';
import type { ToolContext } from '../tools/tool.ts';
import { locateFolder, openForReading, type Workspace, wordsInside } from '../tools/workspace.ts';
import { hashOf } from './blob-folder.ts';
import type { ChangeLine } from './snapshot-lines.ts';
import type { Now } from './undo-plan.ts';

/** No tool leaves a larger one. */
const LARGEST_BYTES = 64 * 1024 * 1024;

/** All that the calls were about to make of one file, in order. */
export interface FileHistory {
  /** As the calls name it: several names, when links lead there. */
  readonly paths: readonly string[];
  readonly place: string;
  readonly lines: readonly ChangeLine[];
}

/** What this gateway has kept of these calls of this session, as far as the files are among those that are asked for. */
export async function historiesOf(input: ToolInput<'undo_changes'>, { sessionId, snapshots, workspace }: ToolContext): Promise<FileHistory[]> {
  const wanted = new Set(input.files.map((path) => plainPath(workspace, path)));
  const lines: ChangeLine[] = [];
  for (const callId of new Set(input.calls)) lines.push(...(await snapshots.linesOf(sessionId, callId)));
  const own = lines.filter((line) => line.workspace === workspace.root && wanted.has(line.path));
  // Calls of one turn may run at once: what came first on this machine counts.
  const inOrder = own.toSorted((a, b) => a.at.localeCompare(b.at));
  return [...Map.groupBy(inOrder, (line) => line.place)].map(([place, ofPlace]) => ({
    place,
    paths: [...new Set(ofPlace.map(({ path }) => path))],
    lines: ofPlace,
  }));
}

/** Without detours; a path that leads outside is the path of no file that was kept. */
export function plainPath(workspace: Workspace, path: string): string {
  try {
    return wordsInside(workspace, path);
  } catch (error) {
    if (error instanceof ToolFault) return path;
    throw error;
  }
}

/** What is at a place now, with the stamp that it must still have when it is changed. */
export async function lookAt(workspace: Workspace, place: string): Promise<{ readonly now: Now; readonly stamp?: FileStamp }> {
  try {
    const found = await openForReading(workspace, place);
    try {
      if (found.path !== (await ownPath(workspace, place))) return { now: { kind: 'odd', why: 'a link stands there now' } };
      const { ino, size, mtimeMs } = await found.handle.stat();
      if (size > LARGEST_BYTES) return { now: { kind: 'odd', why: 'it was changed since, by whom is not known' } };
      return { now: { kind: 'file', hash: hashOf(await found.handle.readFile()) }, stamp: { ino, size, mtimeMs } };
    } finally {
      await found.handle.close();
    }
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    return error.code === 'not_found' ? { now: { kind: 'absent' } } : { now: { kind: 'odd', why: error.message } };
  }
}

/** Where the place is when no link stands in its own stead. */
async function ownPath(workspace: Workspace, place: string): Promise<string> {
  return join(await locateFolder(workspace, dirname(place)), basename(place));
}
