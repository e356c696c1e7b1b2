import { ToolFault } from './faults.ts';
import type { FileStamp } from './file-stamp.ts';
import { type Replaced, removeFile, replaceFile } from './replace-file.ts';
import type { ToolContext } from './tool.ts';
import type { Workspace } from './workspace.ts';

/** What is to become of one file. */
export interface FileChange {
  readonly path: string;
  /** The whole new content; left out, the file goes. */
  readonly data?: Uint8Array;
  /** What it has to look like still; left out, there must be no such file. */
  readonly former?: { readonly data: Uint8Array; readonly stamp: FileStamp; readonly mode: number };
  /** For a file that is new: its permissions. */
  readonly mode?: number;
}

/** What was made of one file; without `replaced`, it is gone. */
interface Made {
  readonly change: FileChange;
  readonly replaced?: Replaced;
}

/**
 * Makes changes of several files, each in one step, and puts back those that were made when one of them cannot be. Answers with what each file is
 * now. Errors: `ToolFault` that says of every file what it is now.
 */
export async function makeChanges(context: ToolContext, changes: readonly FileChange[]): Promise<(Replaced | undefined)[]> {
  const made: Made[] = [];
  for (const change of changes) {
    try {
      made.push(await make(context.workspace, change));
    } catch (error) {
      const stuck = await putBack(context.workspace, made);
      throw explained(error, stuck);
    }
  }
  return made.map(({ replaced }) => replaced);
}

async function make(workspace: Workspace, change: FileChange): Promise<Made> {
  const { path, data, former, mode } = change;
  if (data !== undefined && former) return { change, replaced: await replaceFile(workspace, { path, data, expected: former.stamp }) };
  if (data !== undefined) return { change, replaced: await replaceFile(workspace, { path, data, mustBeNew: true, ...(mode === undefined ? {} : { mode }) }) };
  if (former) await removeFile(workspace, { path, expected: former.stamp });
  return { change };
}

/** The last one first. Answers with the files that could not be put back, because somebody has changed them since or the disk refuses. */
async function putBack(workspace: Workspace, made: readonly Made[]): Promise<string[]> {
  const stuck: string[] = [];
  for (const { change, replaced } of made.toReversed()) {
    const { path, former } = change;
    try {
      if (former && replaced) await replaceFile(workspace, { path, data: former.data, expected: replaced.stamp });
      else if (former) await replaceFile(workspace, { path, data: former.data, mustBeNew: true, mode: former.mode });
      else if (replaced) await removeFile(workspace, { path, expected: replaced.stamp });
    } catch (error) {
      if (!(error instanceof ToolFault)) throw error;
      stuck.push(path);
    }
  }
  return stuck.toReversed();
}

function explained(error: unknown, stuck: readonly string[]): unknown {
  if (!(error instanceof ToolFault)) return error;
  const rest =
    stuck.length === 0
      ? 'Nothing was changed, in no file.'
      : `What was done before could not all be put back. These files are changed: ${stuck.map((path) => JSON.stringify(path)).join(', ')}. Look at them before you go on.`;
  return new ToolFault(error.code, `${error.message}\n${rest}`, { cause: error });
}
