/*
 * The patches that coding models are trained to write:
 *
 *   *** Begin Patch
 *   *** Add File: <path>            then lines with +
 *   *** Update File: <path>         then, perhaps, *** Move to: <path>, and hunks
 *   @@ <a line above the hunk>      then lines with a blank (kept), - (removed), + (added); perhaps *** End of File
 *   *** Delete File: <path>
 *   *** End Patch
 *
 * Read here and nowhere else, so that the card that is approved, the rules that are asked and the tool that runs see the same files.
 */

export interface PatchLine {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

export interface PatchHunk {
  /** Where it begins in the patch, from 1. */
  readonly line: number;
  /** Lines of the file that stand above the place, outermost first. */
  readonly anchors: readonly string[];
  readonly lines: readonly PatchLine[];
  /** It ends where the file ends. */
  readonly isAtEnd: boolean;
}

export type PatchSection =
  | { readonly kind: 'add'; readonly path: string; readonly line: number; readonly text: string }
  | { readonly kind: 'delete'; readonly path: string; readonly line: number }
  | { readonly kind: 'update'; readonly path: string; readonly line: number; readonly moveTo?: string; readonly hunks: readonly PatchHunk[] };

export type ParsedPatch = { readonly ok: true; readonly sections: readonly PatchSection[] } | { readonly ok: false; readonly message: string };

export const PATCH_FORM =
  'The form is: "*** Begin Patch", then for each file "*** Add File: path", "*** Update File: path" or "*** Delete File: path" with its lines, then "*** End Patch".';

const BEGIN = '*** Begin Patch';
const END = '*** End Patch';
const END_OF_FILE = '*** End of File';
const HEADER = /^\*\*\* (Add File|Update File|Delete File|Move to):(.*)$/;
/** The numbers of a unified diff say nothing here: a place is found by its lines. */
const NUMBERED_HUNK = /^@@ -\d+(,\d+)? \+\d+(,\d+)? @@/;

class PatchError extends Error {}

/** Pure. A patch that cannot be read is answered with the line that is wrong and what would be right. */
export function parsePatchText(patch: string): ParsedPatch {
  try {
    return { ok: true, sections: new PatchReader(linesOf(patch)).read() };
  } catch (error) {
    if (error instanceof PatchError) return { ok: false, message: error.message };
    throw error;
  }
}

/** The paths that a section is about: a file that is moved has two. */
export function sectionPaths(section: PatchSection): string[] {
  return section.kind === 'update' && section.moveTo !== undefined ? [section.path, section.moveTo] : [section.path];
}

/** Every path that the patch names, sorted, each once; nothing of a patch that cannot be read. */
export function patchPaths(patch: string): string[] {
  const parsed = parsePatchText(patch);
  return parsed.ok ? [...new Set(parsed.sections.flatMap(sectionPaths))].sort() : [];
}

/** A patch whose every line ends with CRLF is one that was written on such a machine; it says nothing about the files. */
function linesOf(patch: string): string[] {
  const isCrlf = patch.includes('\r\n') && !/(?<!\r)\n/.test(patch);
  return (isCrlf ? patch.replaceAll('\r\n', '\n') : patch).split('\n');
}

class PatchReader {
  readonly #lines: readonly string[];
  #at = 0;

  constructor(lines: readonly string[]) {
    this.#lines = lines;
  }

  read(): PatchSection[] {
    this.#readBegin();
    const sections: PatchSection[] = [];
    for (this.#skipBlank(); !this.#isAt(END); this.#skipBlank()) sections.push(this.#readSection());
    this.#at += 1;
    const extra = this.#lines.findIndex((line, index) => index >= this.#at && line.trim() !== '');
    if (extra !== -1) throw wrong(extra, `There is text after "${END}". Leave it out; several files go into one patch, before its end.`);
    if (sections.length === 0) throw wrong(0, `The patch is empty. ${PATCH_FORM}`);
    return sections;
  }

  #readBegin(): void {
    this.#skipBlank();
    if (this.#at === this.#lines.length) throw wrong(0, `The patch is empty. ${PATCH_FORM}`);
    const first = this.#line().trimEnd();
    if (/^(diff --git |--- |Index: )/.test(first))
      throw wrong(
        this.#at,
        `This is a unified diff, which this tool does not take. ${PATCH_FORM} Hunks keep their " ", "-" and "+" lines, with @@ and no numbers.`,
      );
    if (first !== BEGIN)
      throw wrong(this.#at, `The patch must begin with "${BEGIN}", without a code fence, a shell command or anything else around it. ${PATCH_FORM}`);
    this.#at += 1;
  }

  #skipBlank(): void {
    while (this.#at < this.#lines.length && this.#line().trim() === '') this.#at += 1;
  }

  #line(): string {
    return this.#lines[this.#at] ?? '';
  }

  #isAt(mark: string): boolean {
    return this.#at < this.#lines.length && this.#line().trimEnd() === mark;
  }

  #readSection(): PatchSection {
    const line = this.#at;
    if (line >= this.#lines.length)
      throw wrong(this.#lines.length - 1, `The patch ends without "${END}". It may have been cut: send all of it, with that as its last line.`);
    const [kind, path] = headerOf(this.#line(), line) ?? [];
    if (kind === undefined || path === undefined) throw wrong(line, this.#wordsForNoHeader());
    if (kind === 'Move to') throw wrong(line, '"*** Move to:" stands directly under "*** Update File:" of the file that is moved. Put it there.');
    this.#at += 1;
    if (kind === 'Add File') return { kind: 'add', path, line: line + 1, text: this.#readAdded(path) };
    if (kind === 'Delete File') return this.#readDelete(path, line);
    return this.#readUpdate(path, line);
  }

  #wordsForNoHeader(): string {
    const line = this.#line();
    if (line.startsWith('*** ')) return `${quoted(line)} is none of the headers of a patch. ${PATCH_FORM}`;
    return `${quoted(line)} belongs to no file. Put "*** Add File: path", "*** Update File: path" or "*** Delete File: path" above it.`;
  }

  #readAdded(path: string): string {
    let text = '';
    for (; !this.#isAtHeader() && !(this.#line() === '' && this.#isBlankToHeader()); this.#at += 1) {
      const line = this.#line();
      if (!line.startsWith('+'))
        throw wrong(this.#at, `${quoted(line)} has no + in front. Every line of an added file (${JSON.stringify(path)}) has one, empty lines too.`);
      text += `${line.slice(1)}\n`;
    }
    return text;
  }

  #readDelete(path: string, line: number): PatchSection {
    this.#skipBlank();
    if (!this.#isAtHeader())
      throw wrong(this.#at, `Nothing follows "*** Delete File: ${path}": the whole file goes. Leave its lines out, or use "*** Update File:".`);
    return { kind: 'delete', path, line: line + 1 };
  }

  #readUpdate(path: string, line: number): PatchSection {
    const [kind, moveTo] = headerOf(this.#line(), this.#at) ?? [];
    const isMove = kind === 'Move to' && moveTo !== undefined;
    if (isMove) this.#at += 1;
    const hunks: PatchHunk[] = [];
    while (!this.#isAtHeader()) {
      if (this.#isBlankToHeader()) this.#skipBlank();
      else hunks.push(this.#readHunk(path));
    }
    if (hunks.length === 0 && !isMove)
      throw wrong(line, `The section for ${JSON.stringify(path)} changes nothing. Give a hunk: @@, then lines with " ", "-" and "+".`);
    return { kind: 'update', path, line: line + 1, ...(isMove ? { moveTo } : {}), hunks };
  }

  #readHunk(path: string): PatchHunk {
    const begin = this.#at;
    const anchors: string[] = [];
    for (; this.#line().startsWith('@@'); this.#at += 1) {
      const anchor = anchorOf(this.#line());
      if (anchor !== '') anchors.push(anchor);
    }
    const lines: PatchLine[] = [];
    while (!this.#isAtHeader() && !this.#line().startsWith('@@') && !this.#isAt(END_OF_FILE) && !(this.#line() === '' && this.#isBlankToHeader())) {
      lines.push(this.#readPatchLine(path));
    }
    const isAtEnd = this.#isAt(END_OF_FILE);
    if (isAtEnd) this.#at += 1;
    if (!lines.some(({ sign }) => sign !== ' '))
      throw wrong(begin, `The hunk changes nothing: it has no line with - or +. Give the lines that go and come, or leave the hunk out.`);
    return { line: begin + 1, anchors, lines, isAtEnd };
  }

  #readPatchLine(path: string): PatchLine {
    const line = this.#line();
    const sign = line[0] ?? ' ';
    if (sign !== ' ' && sign !== '-' && sign !== '+')
      throw wrong(
        this.#at,
        `${quoted(line)} begins with neither a blank, - nor +. In a hunk (of ${JSON.stringify(path)}) a line that stays has one blank in front of its own text.`,
      );
    this.#at += 1;
    return { sign, text: line.slice(1) };
  }

  #isBlankToHeader(): boolean {
    for (let at = this.#at; at < this.#lines.length; at += 1) {
      const line = this.#lines[at] ?? '';
      if (line.startsWith('*** ') && line.trimEnd() !== END_OF_FILE) return true;
      if (line.trim() !== '') return false;
    }
    return true;
  }

  /** At the next section, at the end marker, or where the text ends. A line of a file has a sign in front, so none is taken for a header. */
  #isAtHeader(): boolean {
    if (this.#at >= this.#lines.length) return true;
    return this.#line().startsWith('*** ') && !this.#isAt(END_OF_FILE);
  }
}

type HeaderKind = 'Add File' | 'Update File' | 'Delete File' | 'Move to';

function headerOf(text: string, line: number): [HeaderKind, string] | undefined {
  const [, kind, rest] = HEADER.exec(text) ?? [];
  if (kind === undefined || rest === undefined) return undefined;
  const path = rest.trim();
  if (path === '') throw wrong(line, `"*** ${kind}:" names no path. Give one inside the workspace, relative to it.`);
  return [kind as HeaderKind, path];
}

function anchorOf(line: string): string {
  if (NUMBERED_HUNK.test(line)) return '';
  const rest = line.slice(2);
  return (rest.startsWith(' ') ? rest.slice(1) : rest).trimEnd();
}

function wrong(index: number, words: string): PatchError {
  return new PatchError(`Line ${index + 1} of the patch: ${words}`);
}

function quoted(line: string): string {
  return JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}…` : line);
}
