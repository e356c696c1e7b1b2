import { type ToolInput, type ToolResult, textResult, utf8Bytes } from '@tendon/protocol';
import { makeChanges } from './change-files.ts';
import { ToolFault } from './faults.ts';
import { diffMeta } from './file-diff.ts';
import { isSameStamp } from './file-stamp.ts';
import type { FileWork } from './file-work.ts';
import type { SeenFiles } from './seen-files.ts';
import { readWholeText, type TextFile } from './text-file.ts';
import type { LocalTool, ToolContext } from './tool.ts';
import { type Workspace, wordsInside } from './workspace.ts';

export function writeFileTool({ queue, seen }: FileWork): LocalTool<'write_file'> {
  return {
    name: 'write_file',
    run: async (input, context) => queue.run(queueKey(context, input.path), () => write(seen, input, context)),
  };
}

export function queueKey(context: ToolContext, path: string): string {
  return `${context.workspace.root}\0${wordsInside(context.workspace, path)}`;
}

async function write(seen: SeenFiles, input: ToolInput<'write_file'>, context: ToolContext): Promise<ToolResult> {
  const { workspace, sessionId } = context;
  const former = await formerText(workspace, input.path);
  const before = typeof former === 'string' ? undefined : former;
  const read = before && seen.stamp(sessionId, before.truePath);
  if (read && !isSameStamp(read, before.stamp)) {
    throw new ToolFault(
      'changed_since_read',
      `${JSON.stringify(input.path)} was changed by someone else since you read it, and nothing was written. Read it again, then write what it should become now.`,
    );
  }
  const [replaced] = await makeChanges(context, [{ path: input.path, data: Buffer.from(input.content, 'utf8'), expected: before?.stamp }]);
  if (!replaced) throw new Error('a file that was written is gone');
  seen.remember(sessionId, replaced.truePath, replaced.stamp);
  const meta = former === 'unreadable' ? {} : diffMeta(input.path, before?.text ?? '', input.content);
  const bytes = utf8Bytes(input.content);
  return textResult('succeeded', `${replaced.created ? 'Created' : 'Replaced'} ${JSON.stringify(input.path)} (${bytes} bytes).`, meta);
}

/** The text that is about to be replaced, if there is a file and it is text. Refusals of the path itself stand. */
async function formerText(workspace: Workspace, path: string): Promise<TextFile | 'none' | 'unreadable'> {
  try {
    return await readWholeText(workspace, path);
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    if (error.code === 'not_found') return 'none';
    if (['binary_file', 'not_utf8', 'too_large', 'no_permission'].includes(error.code)) return 'unreadable';
    throw error;
  }
}
