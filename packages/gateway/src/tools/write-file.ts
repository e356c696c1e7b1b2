import { type ToolInput, type ToolResult, textResult } from '@tendon/protocol';
import { makeChanges } from './change-files.ts';
import { ToolFault } from './faults.ts';
import { diffMeta } from './file-diff.ts';
import { type FileStamp, isSameStamp } from './file-stamp.ts';
import type { FileWork } from './file-work.ts';
import { dominantEnd, withCrlf } from './line-ends.ts';
import type { SeenFiles } from './seen-files.ts';
import { BYTE_ORDER_MARK, nameOfEncoding } from './text-encoding.ts';
import { encodeFor, type FoundFile, lookAtFile, readWholeText, type TextFile } from './text-file.ts';
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
  const former = await formerFile(workspace, input.path);
  const before = former && 'text' in former ? former : undefined;
  if (former?.isText) checkSeen(former, seen.stamp(sessionId, former.truePath), input.path);
  const { text, data, words } = contentFor(input, former);
  const [replaced] = await makeChanges(context, [{ path: input.path, data, expected: former?.stamp }]);
  if (!replaced) throw new Error('a file that was written is gone');
  seen.remember(sessionId, replaced.truePath, replaced.stamp);
  const meta = former && !before ? {} : diffMeta(input.path, before?.text ?? '', text);
  return textResult('succeeded', `${replaced.created ? 'Created' : 'Replaced'} ${JSON.stringify(input.path)} (${data.length} bytes${words}).`, meta);
}

/** What was seen is forgotten with the process. A file that nobody knows to have been seen may hold what a person wrote since, so it is read first. */
function checkSeen({ stamp }: FormerFile, read: FileStamp | undefined, path: string): void {
  const name = JSON.stringify(path);
  if (read && !isSameStamp(read, stamp))
    throw new ToolFault(
      'changed_since_read',
      `${name} was changed by someone else since you read it, and nothing was written. Read it again, then write what it should become now.`,
    );
  if (!read && stamp.size > 0)
    throw new ToolFault(
      'not_read',
      `${name} exists, and you have not read it since the gateway on this machine was started, so nothing was written. Read it first, then write what it should become.`,
    );
}

interface Content {
  readonly text: string;
  readonly data: Uint8Array;
  /** What is kept of the file that was there, where that is not what everybody expects. */
  readonly words: string;
}

/**
 * A file that is text stays in its encoding, with its byte order mark, and with its lines ending as most of them did: that is what its other readers
 * expect. Carriage returns of the content itself are meant.
 */
function contentFor({ path, content }: ToolInput<'write_file'>, former: FormerFile | undefined): Content {
  const unlike = { text: content, data: Buffer.from(content, 'utf8') };
  if (!former) return { ...unlike, words: '' };
  if (!('text' in former)) return { ...unlike, words: ', now UTF-8: what was there was not read as text' };
  const isMarked = former.text.startsWith(BYTE_ORDER_MARK);
  const isCrlf = dominantEnd(former.text) === '\r\n';
  const marked = isMarked && !content.startsWith(BYTE_ORDER_MARK) ? `${BYTE_ORDER_MARK}${content}` : content;
  const text = isCrlf ? withCrlf(marked) : marked;
  const kept = [
    ...(former.encoding === 'utf-8' ? [] : [nameOfEncoding(former.encoding)]),
    ...(isMarked ? ['its byte order mark'] : []),
    ...(isCrlf && text.includes('\n') ? ['its CRLF line ends'] : []),
  ];
  return { text, data: encodeFor(path, text, former.encoding), words: kept.length === 0 ? '' : `, with ${kept.join(', ')} kept` };
}

/** What is about to be replaced. `isText`: read_file shows it, also where it is too large, or damaged, to be edited as text. */
type FormerFile = (TextFile & { readonly isText: true }) | FoundFile;

/** Undefined when there is none. Refusals of the path itself stand. */
async function formerFile(workspace: Workspace, path: string): Promise<FormerFile | undefined> {
  try {
    return { ...(await readWholeText(workspace, path)), isText: true };
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    if (error.code === 'not_found') return undefined;
    if (['binary_file', 'unknown_encoding', 'too_large'].includes(error.code)) return lookAtFile(workspace, path);
    throw error;
  }
}
