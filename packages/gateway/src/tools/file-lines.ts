import type { PatchHunk } from '@tendon/protocol';
import { ToolFault } from './faults.ts';
import { BYTE_ORDER_MARK } from './text-encoding.ts';

/** A file's text by lines. The byte order mark and the ends of lines are put back as they were. */
export interface FileLines {
  readonly mark: string;
  readonly lines: readonly { readonly text: string; readonly end: string }[];
  /** How a line that is new ends. */
  readonly newEnd: string;
  readonly hasLastEnd: boolean;
}

const NAMED_LINES = 10;
const SHOWN_UNITS = 160;
/** A hint is not worth more than a moment. */
const MAX_COMPARED = 5_000_000;

interface Place {
  readonly from: number;
  readonly to: number;
}

/** Pure: the text with all hunks made. Errors: `ToolFault` that says which hunk does not fit, where, and what stands there. */
export function applyHunks(text: string, path: string, hunks: readonly PatchHunk[]): string {
  const file = splitLines(text);
  const texts = file.lines.map((line) => line.text);
  const places: Place[] = [];
  for (const hunk of hunks) places.push(findPlace({ texts, path, taken: places }, hunk));
  const edits = hunks.map((hunk, index) => ({ hunk, place: places[index] ?? { from: 0, to: 0 } })).toSorted((a, b) => a.place.from - b.place.from);
  const result: { text: string; end: string }[] = [];
  // One by one: a call takes no more than some 120,000 arguments.
  const keep = (lines: FileLines['lines']): void => {
    for (const line of lines) result.push(line);
  };
  let at = 0;
  for (const { hunk, place } of edits) {
    keep(file.lines.slice(at, place.from));
    at = place.from;
    for (const { sign, text: line } of hunk.lines) {
      if (sign === '+') result.push({ text: line, end: file.newEnd });
      else {
        // Lines that stay are those of the file, with their own ends.
        const own = file.lines[at];
        if (sign === ' ' && own) result.push(own);
        at += 1;
      }
    }
  }
  keep(file.lines.slice(at));
  return joinLines(file, result);
}

function splitLines(text: string): FileLines {
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : '';
  const pieces = text.slice(mark.length).split('\n');
  const last = pieces.pop() ?? '';
  const lines = pieces.map((piece) => (piece.endsWith('\r') ? { text: piece.slice(0, -1), end: '\r\n' } : { text: piece, end: '\n' }));
  const crlf = lines.filter((line) => line.end === '\r\n').length;
  if (last !== '') lines.push({ text: last, end: '' });
  return { mark, lines, newEnd: crlf * 2 > lines.length ? '\r\n' : '\n', hasLastEnd: last === '' };
}

function joinLines(file: FileLines, lines: readonly { text: string; end: string }[]): string {
  const ended = lines.map((line, index) => {
    const isLast = index === lines.length - 1;
    if (isLast && !file.hasLastEnd) return line.text;
    return line.text + (line.end === '' ? file.newEnd : line.end);
  });
  return file.mark + ended.join('');
}

interface Search {
  readonly texts: readonly string[];
  readonly path: string;
  /** Where the hunks before this one are made. */
  readonly taken: readonly Place[];
}

function findPlace(search: Search, hunk: PatchHunk): Place {
  const wanted = hunk.lines.filter(({ sign }) => sign !== '+').map((line) => line.text);
  const above = findAnchors(search, hunk);
  if (wanted.length === 0) return placeOfInsertion(search, hunk, above);
  const free = placesOf(search.texts, wanted).filter(
    (place) => place.from >= (above ?? 0) && (!hunk.isAtEnd || place.to === search.texts.length) && !search.taken.some((other) => isOverlapping(place, other)),
  );
  const first = free[0];
  if (!first) throw notThere(search, hunk, wanted);
  if (free.length === 1 || above !== undefined) return first;
  // Hunks stand in the order of the file: after the one before there may be only one place.
  const reached = search.taken.at(-1)?.to ?? 0;
  const later = reached === 0 ? free : free.filter((place) => place.from >= reached);
  if (later.length === 1 && later[0]) return later[0];
  throw new ToolFault(
    'found_several_times',
    `${where(search, hunk)} fits in ${free.length} places, at lines ${named(free)}. Give more of the lines around the one you mean, or a line that stands above it after @@.`,
  );
}

/** The line from which the hunk is looked for, when it names lines above it. */
function findAnchors(search: Search, hunk: PatchHunk): number | undefined {
  let from: number | undefined;
  for (const anchor of hunk.anchors) {
    const places = anchorPlaces(search, anchor).filter((place) => place.from >= (from ?? 0));
    const reached = search.taken.at(-1)?.to ?? 0;
    const later = places.filter((place) => place.from >= reached);
    const [place, ...others] = later.length > 0 ? later : places;
    if (!place) {
      const hint = looseHint(search, [anchor]) ?? 'Read the file again and copy a line that stands above the hunk, or leave the words after @@ out.';
      throw new ToolFault('not_found_in_file', `${where(search, hunk)} is to come after the line ${shown(anchor)}, which is not there. ${hint}`);
    }
    if (others.length > 0 && from === undefined)
      throw new ToolFault(
        'found_several_times',
        `${where(search, hunk)} is to come after the line ${shown(anchor)}, which stands at lines ${named([place, ...others])}. Name a line after @@ that stands there once.`,
      );
    from = place.to;
  }
  return from;
}

/** The whole line, or else its text without the indentation, which models leave out here. */
function anchorPlaces(search: Search, anchor: string): Place[] {
  const exact = placesOf(search.texts, [anchor]);
  if (exact.length > 0) return exact;
  return search.texts.flatMap((text, index) => (text.trim() === anchor.trim() ? [{ from: index, to: index + 1 }] : []));
}

function placeOfInsertion(search: Search, hunk: PatchHunk, above: number | undefined): Place {
  const from = above ?? (hunk.isAtEnd || search.texts.length === 0 ? search.texts.length : undefined);
  if (from !== undefined && search.taken.some((other) => other.from < from && from < other.to))
    throw new ToolFault('not_found_in_file', `${where(search, hunk)} adds lines in the middle of another hunk. Put both into one hunk.`);
  if (from !== undefined) return { from, to: from };
  throw new ToolFault(
    'not_found_in_file',
    `${where(search, hunk)} does not say where its lines come. Give lines that stay above or below them, a line above them after @@, or "*** End of File" below them.`,
  );
}

/** Knuth, Morris and Pratt: a file of a million equal lines takes no longer than another. */
function placesOf(texts: readonly string[], wanted: readonly string[]): Place[] {
  const places: Place[] = [];
  const fallback = fallbacksOf(wanted);
  let matched = 0;
  for (const [index, text] of texts.entries()) {
    while (matched > 0 && (matched === wanted.length || wanted[matched] !== text)) matched = fallback[matched - 1] ?? 0;
    if (wanted[matched] === text) matched += 1;
    if (matched === wanted.length) places.push({ from: index + 1 - matched, to: index + 1 });
  }
  return places;
}

/** For each number of lines that match: how many would match still if the place were one further on. */
function fallbacksOf(wanted: readonly string[]): number[] {
  const fallback = [0];
  let matched = 0;
  for (let index = 1; index < wanted.length; index += 1) {
    while (matched > 0 && wanted[matched] !== wanted[index]) matched = fallback[matched - 1] ?? 0;
    if (wanted[matched] === wanted[index]) matched += 1;
    fallback.push(matched);
  }
  return fallback;
}

/** Two hunks that insert at one place do not overlap; one that has lines needs them for itself. */
function isOverlapping(one: Place, other: Place): boolean {
  return one.from < other.to && other.from < one.to;
}

function notThere(search: Search, hunk: PatchHunk, wanted: readonly string[]): ToolFault {
  const exact = placesOf(search.texts, wanted);
  const at = exact[0];
  if (at && search.taken.some((other) => isOverlapping(at, other)))
    return new ToolFault('not_found_in_file', `${where(search, hunk)} changes lines that another hunk changes too. Put both into one hunk.`);
  if (at && hunk.isAtEnd)
    return new ToolFault(
      'not_found_in_file',
      `${where(search, hunk)} fits at line ${at.from + 1}, which is not the end of the file. Leave "*** End of File" out.`,
    );
  if (at)
    return new ToolFault(
      'not_found_in_file',
      `${where(search, hunk)} fits only at line ${at.from + 1}, above the line after its @@. Name one that stands above it.`,
    );
  const hint = looseHint(search, wanted) ?? nearestHint(search, wanted) ?? 'Read the file again and copy the lines exactly.';
  return new ToolFault('not_found_in_file', `${where(search, hunk)} does not fit: its lines do not stand in the file. ${hint}`);
}

/** The usual mistake: other white space. */
function looseHint({ texts }: Search, wanted: readonly string[]): string | undefined {
  const loose = texts.map(squeezed);
  const [place] = placesOf(loose, wanted.map(squeezed));
  if (!place) return undefined;
  const step = wanted.findIndex((line, index) => texts[place.from + index] !== line);
  return `Line ${place.from + step + 1} has other white space: the file has ${shown(texts[place.from + step] ?? '')}, the patch ${shown(wanted[step] ?? '')}. Copy the lines exactly; a line that stays has one blank in front of that.`;
}

/** Where most of the lines stand, and the first that differs there. */
function nearestHint({ texts }: Search, wanted: readonly string[]): string | undefined {
  if (texts.length * wanted.length > MAX_COMPARED) return undefined;
  let best = { score: 0, from: 0 };
  for (let from = 0; from < texts.length; from += 1) {
    const score = wanted.filter((line, step) => line.trim() !== '' && texts[from + step] === line).length;
    if (score > best.score) best = { score, from };
  }
  if (best.score === 0) return undefined;
  const step = wanted.findIndex((line, index) => texts[best.from + index] !== line);
  const have = texts[best.from + step];
  const there = have === undefined ? 'the file ends there' : `the file has ${shown(have)}`;
  return `It comes nearest at line ${best.from + 1}, but at line ${best.from + step + 1} ${there}, where the patch has ${shown(wanted[step] ?? '')}. Read the file again and copy the lines exactly.`;
}

function squeezed(line: string): string {
  return line.replaceAll(/\s+/g, ' ').trim();
}

function where({ path }: Search, hunk: PatchHunk): string {
  return `${JSON.stringify(path)}: the hunk at line ${hunk.line} of the patch`;
}

function named(places: readonly Place[]): string {
  const lines = places.slice(0, NAMED_LINES).map((place) => place.from + 1);
  return places.length > NAMED_LINES ? `${lines.join(', ')} and ${places.length - NAMED_LINES} more` : lines.join(', ');
}

function shown(line: string): string {
  return JSON.stringify(line.length > SHOWN_UNITS ? `${line.slice(0, SHOWN_UNITS)}…` : line);
}
