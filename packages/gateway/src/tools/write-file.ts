import { textResult, utf8Bytes } from '@tendon/protocol';
import { ToolFault } from './faults.ts';
import { diffMeta } from './file-diff.ts';
import type { PathQueue } from './path-queue.ts';
import { replaceFile } from './replace-file.ts';
import { readWholeText } from './text-file.ts';
import type { LocalTool, ToolContext } from './tool.ts';
import { type Workspace, wordsInside } from './workspace.ts';

export function writeFileTool(queue: PathQueue): LocalTool<'write_file'> {
  return {
    name: 'write_file',
    run: async (input, context) => queue.run(queueKey(context, input.path), () => write(context.workspace, input)),
  };
}

export function queueKey(context: ToolContext, path: string): string {
  return `${context.workspace.root}\0${wordsInside(context.workspace, path)}`;
}

async function write(workspace: Workspace, input: { path: string; content: string }): Promise<ReturnType<typeof textResult>> {
  const before = await formerText(workspace, input.path);
  const { created } = await replaceFile(workspace, { path: input.path, data: Buffer.from(input.content, 'utf8') });
  const meta = before === undefined ? {} : diffMeta(input.path, before, input.content);
  const bytes = utf8Bytes(input.content);
  return textResult('succeeded', `${created ? 'Created' : 'Replaced'} ${JSON.stringify(input.path)} (${bytes} bytes).`, meta);
}

/** The text that is about to be replaced, for the diff: empty for a new file, undefined when it is not text. Refusals of the path itself stand. */
async function formerText(workspace: Workspace, path: string): Promise<string | undefined> {
  try {
    return (await readWholeText(workspace, path)).text;
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    if (error.code === 'not_found') return '';
    if (['binary_file', 'not_utf8', 'too_large', 'no_permission'].includes(error.code)) return undefined;
    throw error;
  }
}
