import type { Present } from '../undo/snapshots.ts';
import { ToolFault } from './faults.ts';
import { type FileStamp, isSameStamp } from './file-stamp.ts';
import { type Replaced, removeFile, replaceFile } from './replace-file.ts';
import type { ToolContext } from './tool.ts';
import { removeEmptyFolders, type Workspace } from './workspace.ts';

/** What is to become of one file. */
export interface FileChange {
  readonly path: string;
  /** The whole new content; left out, the file goes. */
  readonly data?: Uint8Array;
  /** What it has to look like still. Left out: whatever is there. */
  readonly expected?: FileStamp | 'absent' | undefined;
  /** What to put back when another change cannot be made. Left out: what was kept of it for an undo. */
  readonly former?: { readonly data: Uint8Array; readonly mode: number };
  /** For a file that is new: its permissions. */
  readonly mode?: number;
  readonly movedFrom?: string;
}

type ChangeContext = Pick<ToolContext, 'sessionId' | 'callId' | 'workspace' | 'snapshots'>;

/** What was made of one file; without `replaced`, it is gone. */
interface Made {
  readonly change: FileChange;
  readonly present: Present | undefined;
  readonly replaced?: Replaced;
}

/**
 * The one way in which tools change files: what is there is kept for an undo, then each file is changed in one step, if it is still what was kept.
 * When one of them cannot be, those before are put back. Answers with what each file is now. Errors: `ToolFault` that says what is changed.
 */
export async function makeChanges(context: ChangeContext, changes: readonly FileChange[]): Promise<(Replaced | undefined)[]> {
  const made: Made[] = [];
  try {
    const present = await context.snapshots.keep(context, changes);
    for (const [index, change] of changes.entries()) checkExpected(change, present[index]);
    for (const [index, change] of changes.entries()) made.push(await make(context.workspace, change, present[index]));
    return made.map(({ replaced }) => replaced);
  } catch (error) {
    const stuck = await putBack(context, made);
    throw explained(error, stuck);
  }
}

function checkExpected({ path, expected }: FileChange, present: Present | undefined): void {
  if (expected === undefined) return;
  if (expected === 'absent' ? present?.kind === 'absent' : present?.kind === 'file' && isSameStamp(present.stamp, expected)) return;
  throw new ToolFault('changed_meanwhile', `${JSON.stringify(path)} was changed by someone else meanwhile. Read it again, then repeat what is still right.`);
}

async function make(workspace: Workspace, change: FileChange, present: Present | undefined): Promise<Made> {
  const { path, data, mode } = change;
  if (present?.kind === 'file') {
    if (data !== undefined) return { change, present, replaced: await replaceFile(workspace, { path, data, expected: present.stamp }) };
    await removeFile(workspace, { path, expected: present.stamp });
    return { change, present };
  }
  if (data === undefined) return { change, present };
  return { change, present, replaced: await replaceFile(workspace, { path, data, mustBeNew: true, ...(mode === undefined ? {} : { mode }) }) };
}

/**
 * The last one first, and then the folders that were made for them. Answers with the files that could not be put back, because somebody has changed
 * them since or the disk refuses.
 */
async function putBack({ workspace, snapshots }: ChangeContext, made: readonly Made[]): Promise<string[]> {
  const stuck: string[] = [];
  for (const { change, present, replaced } of made.toReversed()) {
    const { path } = change;
    try {
      const former = change.former ?? (await keptFile(snapshots, present));
      if (former && replaced) await replaceFile(workspace, { path, data: former.data, expected: replaced.stamp });
      else if (former) await replaceFile(workspace, { path, data: former.data, mustBeNew: true, mode: former.mode });
      else if (present?.kind === 'file') stuck.push(path);
      else if (replaced) await removeFile(workspace, { path, expected: replaced.stamp });
    } catch (error) {
      if (!(error instanceof ToolFault)) throw error;
      stuck.push(path);
    }
  }
  await removeEmptyFolders(
    workspace,
    made.flatMap(({ replaced }) => replaced?.madeFolders ?? []),
  );
  return stuck.toReversed();
}

async function keptFile(snapshots: ChangeContext['snapshots'], present: Present | undefined): Promise<FileChange['former']> {
  if (present?.kind !== 'file' || !present.kept) return undefined;
  const data = await snapshots.read(present.kept.hash);
  return data && { data, mode: present.kept.mode };
}

function explained(error: unknown, stuck: readonly string[]): unknown {
  if (!(error instanceof ToolFault)) return error;
  const rest =
    stuck.length === 0
      ? 'Nothing was changed.'
      : `What was done before could not all be put back. These files are changed: ${stuck.map((path) => JSON.stringify(path)).join(', ')}. Look at them before you go on.`;
  return new ToolFault(error.code, `${error.message}\n${rest}`, { cause: error });
}
