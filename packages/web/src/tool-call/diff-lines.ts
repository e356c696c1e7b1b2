import type { Call } from '@tendon/protocol';
import { parsePatch, structuredPatch } from 'diff';
import { editsOf, lineCount, textField } from './call-input.ts';
import type { DiffLine } from './diff-line.ts';
import type { ShownFile } from './patch-files.ts';

interface Hunk {
  readonly oldStart: number;
  readonly newStart: number;
  readonly lines: readonly string[];
}

/** Myers' diff is quadratic in what differs; past this time the two texts are shown one after the other. */
const DIFF_TIMEOUT_MS = 150;

/** The lines of a unified diff, with their numbers; hunks are parted by a gap. A diff that cannot be parsed is shown as plain lines. */
export function linesOfUnifiedDiff(diff: string): DiffLine[] {
  try {
    const hunks = parsePatch(diff).flatMap((file) => file.hunks);
    if (hunks.some((hunk) => hunk.lines.length > 0)) return hunks.flatMap((hunk, index) => linesOfHunk(hunk, index > 0));
  } catch {
    // Cut in the middle, or not a diff at all: its text is still worth showing.
  }
  return diff.split('\n').map((text) => ({ kind: 'same', text }));
}

/** What was done to each file, of a unified diff over several. One that cannot be parsed is shown as it is, as one. */
export function filesOfUnifiedDiff(diff: string): ShownFile[] {
  try {
    const parts = diff.split(/^(?=--- a\/.*\n\+\+\+ b\/)/m).filter((part) => part !== '');
    return parts.map((part): ShownFile => {
      const [file] = parsePatch(part);
      const [from, to] = [nameOf(file?.oldFileName), nameOf(file?.newFileName)];
      const words = from === to ? '' : `Moved to ${to}`;
      return { path: from, words, lines: file && file.hunks.length > 0 ? linesOfUnifiedDiff(part) : [] };
    });
  } catch {
    return [{ path: '', words: '', lines: linesOfUnifiedDiff(diff) }];
  }
}

function nameOf(name: string | undefined): string {
  return name?.replace(/^[ab]\//, '') ?? '';
}

/** What an edit would change, from its two texts. Line numbers are those of the pieces: the file itself has not been read. */
export function linesOfEdit(oldText: string, newText: string): DiffLine[] {
  const patch = structuredPatch('', '', oldText, newText, undefined, undefined, { context: 3, timeout: DIFF_TIMEOUT_MS });
  if (!patch) return [...oldText.split('\n').map(removedLine), ...newText.split('\n').map(addedLine)];
  const lines = patch.hunks.flatMap((hunk, index) => linesOfHunk(hunk, index > 0));
  // The pieces of an edit seldom end with a line: that says nothing, unless it is what the edit changes.
  return oldText.endsWith('\n') === newText.endsWith('\n') ? lines.filter((line) => line.kind !== 'gap' || line.text === '') : lines;
}

function removedLine(text: string, index: number): DiffLine {
  return { kind: 'removed', text, oldLine: index + 1 };
}

function addedLine(text: string, index: number): DiffLine {
  return { kind: 'added', text, newLine: index + 1 };
}

function linesOfHunk(hunk: Hunk, isLater: boolean): DiffLine[] {
  const lines: DiffLine[] = isLater ? [{ kind: 'gap', text: '' }] : [];
  let oldLine = hunk.oldStart;
  let newLine = hunk.newStart;
  for (const line of hunk.lines) {
    const text = line.slice(1);
    if (line.startsWith('+')) lines.push({ kind: 'added', text, newLine: newLine++ });
    else if (line.startsWith('-')) lines.push({ kind: 'removed', text, oldLine: oldLine++ });
    else if (line.startsWith('\\')) lines.push({ kind: 'gap', text: text.trim() });
    else lines.push({ kind: 'same', text, oldLine: oldLine++, newLine: newLine++ });
  }
  return lines;
}

/** What the machine counted, or before it ran, what the two texts say. */
export function editCounts(call: Call): { added: number; removed: number } | undefined {
  const meta = call.result?.meta;
  if (meta?.added !== undefined && meta.removed !== undefined) return { added: meta.added, removed: meta.removed };
  const several = editsOf(call.input)?.map((edit) => countsOf(edit.oldText, edit.newText));
  if (several) return several.reduce((sum, one) => ({ added: sum.added + one.added, removed: sum.removed + one.removed }));
  const oldText = textField(call.input, 'oldText');
  const newText = textField(call.input, 'newText');
  return oldText === undefined || newText === undefined ? undefined : countsOf(oldText, newText);
}

function countsOf(oldText: string, newText: string): { added: number; removed: number } {
  if (oldText.length + newText.length > 40_000) return { added: lineCount(newText), removed: lineCount(oldText) };
  const lines = linesOfEdit(oldText, newText);
  return { added: lines.filter((line) => line.kind === 'added').length, removed: lines.filter((line) => line.kind === 'removed').length };
}

/** Rows of a side by side view: removed and added lines of one place face each other. */
export interface SplitRow {
  readonly left?: DiffLine;
  readonly right?: DiffLine;
  readonly gap?: DiffLine;
}

export function splitRows(lines: readonly DiffLine[]): SplitRow[] {
  const rows: SplitRow[] = [];
  let removed: DiffLine[] = [];
  let added: DiffLine[] = [];
  const flush = () => {
    for (let index = 0; index < Math.max(removed.length, added.length); index += 1) rows.push(facing(removed[index], added[index]));
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === 'removed') removed.push(line);
    else if (line.kind === 'added') added.push(line);
    else {
      flush();
      rows.push(line.kind === 'gap' ? { gap: line } : { left: line, right: line });
    }
  }
  flush();
  return rows;
}

function facing(left: DiffLine | undefined, right: DiffLine | undefined): SplitRow {
  return { ...(left && { left }), ...(right && { right }) };
}
