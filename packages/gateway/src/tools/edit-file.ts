import { type ToolInput, type ToolResult, textResult } from '@tendon/protocol';
import { makeChanges } from './change-files.ts';
import { ToolFault } from './faults.ts';
import { diffMeta } from './file-diff.ts';
import { isSameStamp } from './file-stamp.ts';
import type { FileWork } from './file-work.ts';
import { endsKeeper, type Span, spansOf } from './line-ends.ts';
import { encodeFor, readWholeText } from './text-file.ts';
import type { LocalTool, ToolContext } from './tool.ts';
import { queueKey } from './write-file.ts';

const NAMED_LINES = 20;

type EditInput = ToolInput<'edit_file'>;

/** A text and the lines of it that were changed. */
export interface Change {
  readonly text: string;
  readonly lines: readonly number[];
}

export function editFileTool(files: FileWork): LocalTool<'edit_file'> {
  return {
    name: 'edit_file',
    run: (input, context) => changeFile(files, context, { path: input.path, change: (text) => applyEdit(text, input) }),
  };
}

/** Reads a file, changes its text and puts it back in one step, unless someone else has changed it meanwhile. Errors: `ToolFault`. */
export async function changeFile(files: FileWork, context: ToolContext, work: { path: string; change: (text: string) => Change }): Promise<ToolResult> {
  const { path } = work;
  return files.queue.run(queueKey(context, path), async () => {
    const file = await readWholeText(context.workspace, path);
    const changed = work.change(file.text);
    const [replaced] = await makeChanges(context, [{ path, data: encodeFor(path, changed.text, file.encoding), expected: file.stamp }]);
    const read = files.seen.stamp(context.sessionId, file.truePath);
    // Who had not seen the whole of it as it was has still not seen what others did to the rest.
    if (replaced && read && isSameStamp(read, file.stamp)) files.seen.remember(context.sessionId, replaced.truePath, replaced.stamp);
    const meta = diffMeta(path, file.text, changed.text);
    const where = changed.lines.length === 1 ? `at line ${changed.lines[0]}` : `at lines ${named(changed.lines)}`;
    return textResult('succeeded', `Edited ${JSON.stringify(path)} ${where} (+${meta.added ?? '?'} -${meta.removed ?? '?'} lines).`, meta);
  });
}

/** Pure: the text after the edit and the lines it happened at. Errors: `ToolFault` that says how often the old text stands and where. */
export function applyEdit(text: string, input: EditInput): Change {
  if (input.oldText === input.newText)
    throw new ToolFault('invalid_input', 'oldText and newText are the same, so nothing would change. Give the text as it should become.');
  const places = spansOf(text, input.oldText);
  if (places.length === 0) throw notFound(text, input);
  const lines = linesAt(text, places);
  if (places.length > 1 && input.replaceAll !== true) {
    throw new ToolFault(
      'found_several_times',
      `The old text stands ${places.length} times in ${JSON.stringify(input.path)}, at lines ${named(lines)}. Give more of the text around the one you mean, or set replaceAll.`,
    );
  }
  const changed = splice(text, places, endsKeeper(text, input));
  if (changed === text)
    throw new ToolFault(
      'invalid_input',
      'oldText and newText differ only in how lines end, and those ends stay as the file has them. To change them, use bash (sed, or dos2unix where it is installed).',
    );
  return { text: changed, lines };
}

function linesAt(text: string, places: readonly Span[]): number[] {
  const lines: number[] = [];
  let line = 1;
  let from = 0;
  for (const place of places) {
    for (let at = text.indexOf('\n', from); at !== -1 && at < place.from; at = text.indexOf('\n', at + 1)) line += 1;
    from = place.from;
    lines.push(line);
  }
  return lines;
}

function splice(text: string, places: readonly Span[], pieceFor: (former: string) => string): string {
  const pieces: string[] = [];
  let from = 0;
  for (const place of places) {
    pieces.push(text.slice(from, place.from), pieceFor(text.slice(place.from, place.to)));
    from = place.to;
  }
  pieces.push(text.slice(from));
  return pieces.join('');
}

function named(lines: readonly number[]): string {
  const shown = lines.slice(0, NAMED_LINES).join(', ');
  return lines.length > NAMED_LINES ? `${shown} and ${lines.length - NAMED_LINES} more` : shown;
}

/** Looks once more with all white space set equal, because that is the usual mistake. */
function notFound(text: string, input: EditInput): ToolFault {
  const line = looseLine(text, input.oldText);
  const hint =
    line === undefined
      ? 'Read the file again and copy the text exactly.'
      : `Line ${line} has it with other white space. Copy the text exactly as read_file shows it after the tab.`;
  return new ToolFault('not_found_in_file', `The old text does not stand in ${JSON.stringify(input.path)}. ${hint}`);
}

function looseLine(text: string, oldText: string): number | undefined {
  const wanted = oldText
    .split('\n')
    .map(loose)
    .filter((line) => line !== '');
  const have = text
    .split('\n')
    .map((line, index) => ({ text: loose(line), number: index + 1 }))
    .filter((line) => line.text !== '');
  if (wanted.length === 0) return undefined;
  const start = have.findIndex((_, index) => wanted.every((line, step) => have[index + step]?.text === line));
  return have[start]?.number;
}

function loose(line: string): string {
  return line.replaceAll(/\s+/g, ' ').trim();
}
