import { type PatchHunk, parsePatchText } from '@tendon/protocol';
import type { DiffLine } from './diff-line.ts';

/** One file of a change to several. `words` says what becomes of it besides its lines. */
export interface ShownFile {
  readonly path: string;
  readonly words: string;
  readonly lines: readonly DiffLine[];
}

/** What a patch would do to each file, read as the machine reads it. Undefined for one that cannot be read: it is then shown as it came. */
export function filesOfPatch(patch: string): ShownFile[] | undefined {
  const parsed = parsePatchText(patch);
  if (!parsed.ok) return undefined;
  return parsed.sections.map((section): ShownFile => {
    if (section.kind === 'add') return { path: section.path, words: 'New file', lines: addedLines(section.text) };
    if (section.kind === 'delete') return { path: section.path, words: 'Deleted, the whole file', lines: [] };
    const lines = section.hunks.flatMap((hunk, index) => linesOfPatchHunk(hunk, index > 0));
    return section.moveTo === undefined ? { path: section.path, words: 'Changed', lines } : { path: section.path, words: `Moved to ${section.moveTo}`, lines };
  });
}

function addedLines(text: string): DiffLine[] {
  if (text === '') return [];
  return text
    .slice(0, -1)
    .split('\n')
    .map((line, index) => ({ kind: 'added', text: line, newLine: index + 1 }));
}

const KINDS = { ' ': 'same', '-': 'removed', '+': 'added' } as const;

function linesOfPatchHunk(hunk: PatchHunk, isLater: boolean): DiffLine[] {
  const lines: DiffLine[] = hunk.anchors.map((anchor) => ({ kind: 'gap', text: `below ${anchor}` }));
  if (isLater && lines.length === 0) lines.push({ kind: 'gap', text: '' });
  lines.push(...hunk.lines.map(({ sign, text }): DiffLine => ({ kind: KINDS[sign], text })));
  if (hunk.isAtEnd) lines.push({ kind: 'gap', text: 'end of the file' });
  return lines;
}
