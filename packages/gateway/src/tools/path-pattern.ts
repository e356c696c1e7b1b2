import { ToolFault } from './faults.ts';

/*
 * A pattern for paths, taken apart once and matched without a regular expression, so that no pattern makes a long name expensive:
 *
 *   {src,lib}/a*.ts ──braces──► src/a*.ts, lib/a*.ts ──slashes──► "src", "a*.ts" ──► "a", any text, ".ts"
 *
 * What can only be a mistake (a brace that is not closed, a range that runs backwards, "!", "..") is refused with what would be right:
 * matched as it is written it would match nothing, and that reads as if there were no such file. Stars match a dot at the beginning, too:
 * who asks for every .yml means those of .github.
 */

type Piece =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'any' }
  | { readonly kind: 'one'; readonly accepts: (character: string) => boolean; readonly cost: number };

/** A part between two slashes, or any number of folders. */
type Part = readonly Piece[] | 'folders';

const MAX_ALTERNATIVES = 256;
/** So many stars, and characters of classes, in all alternatives together. One alone that is as long as a pattern may be stays below it. */
const MAX_COST = 2_048;
const ANY: Piece = { kind: 'any' };
const ONE: Piece = { kind: 'one', accepts: () => true, cost: 1 };

/** Whether a path fits one of the alternatives. One without a slash is about names at any depth, as in .gitignore. Errors: `ToolFault`. */
export function pathMatcher(pattern: string): (path: string) => boolean {
  checkForm(pattern);
  // Once, before one that is not closed would be searched for its end in each alternative.
  for (let at = 0; at < pattern.length; ) at = endOfUnit(pattern, pattern, at);
  const alternatives: Part[][] = [];
  let cost = 0;
  for (const alternative of expandBraces(pattern)) {
    const parts = partsOf(pattern, alternative);
    cost += costOf(parts);
    if (cost > MAX_COST)
      throw wrong(pattern, 'has too many stars, question marks and classes once its braces are written out. Use fewer of them, or fewer braces.');
    alternatives.push(parts);
  }
  return (path) => {
    const names = path.split('/');
    return alternatives.some((parts) => fitsAll(parts, names));
  };
}

function costOf(parts: readonly Part[]): number {
  const pieces = parts.flatMap((part) => (part === 'folders' ? [ANY] : part));
  return pieces.reduce((sum, piece) => sum + (piece.kind === 'one' ? piece.cost : Number(piece.kind === 'any')), 0);
}

function wrong(pattern: string, words: string): ToolFault {
  return new ToolFault('invalid_input', `The pattern ${JSON.stringify(pattern)} ${words}`);
}

function checkForm(pattern: string): void {
  if (pattern.includes('\0')) throw new ToolFault('invalid_input', 'The pattern contains a NUL character. Leave it out.');
  if (pattern.startsWith('/')) throw wrong(pattern, 'begins with a slash. Give it relative to the folder, and the folder as path.');
  if (/(^|[,{/])!/.test(pattern))
    throw wrong(pattern, 'has a "!", but nothing can be left out by a pattern. Give a pattern for what is wanted; the character itself is written \\!.');
  if (/[@+*?]\([^()]*\|[^()]*\)/.test(pattern)) throw wrong(pattern, 'has alternatives in parentheses. Write them in braces: {a,b}.');
  if (/[{}[\]\\]/.test(pattern)) return;
  // Between two that are whole a star or an ending stands beside the comma; "Smith, John" is one name.
  if (/(?:\*|\.\w+)[,;|]|[,;|]\s*\*/.test(pattern)) checkIsOne(pattern, /[,;|]\s*/, /\*\.\w|\*\*/);
  checkIsOne(pattern, /\s+/, /\*\.\w/);
}

function checkIsOne(pattern: string, between: RegExp, form: RegExp): void {
  const several = pattern.split(between).filter((part) => form.test(part));
  if (several.length < 2) return;
  const mark = JSON.stringify(between.exec(pattern)?.[0].charAt(0));
  throw wrong(
    pattern,
    `looks like several patterns. Write them as one, in braces: {${several.join(',')}}. Where it is one name, put a backslash before the ${mark}.`,
  );
}

/** Where what begins at `at` ends: an escaped character, a class, or the one character. Errors: `ToolFault` for a class that is not closed. */
function endOfUnit(pattern: string, text: string, at: number): number {
  if (text[at] === '\\') return Math.min(at + 2, text.length);
  if (text[at] !== '[') return at + 1;
  const end = endOfClass(text, at);
  if (end === undefined) throw wrong(pattern, 'has a "[" that is never closed. Write [abc]; the character itself is written \\[.');
  return end;
}

/** Past the "]" of the class that begins at `at`. One that stands first is a character of it. */
function endOfClass(text: string, at: number): number | undefined {
  let lastNamed: number | undefined;
  let next = at + 1;
  if (text[next] === '!' || text[next] === '^') next += 1;
  if (text[next] === ']') next += 1;
  while (next < text.length) {
    if (text[next] === ']') return next + 1;
    const isNamed = text.startsWith('[:', next);
    if (isNamed) lastNamed ??= text.lastIndexOf(':]');
    // Each search finds something, and goes on behind it: none goes over the same text again.
    if (isNamed && next < (lastNamed ?? 0)) next = text.indexOf(':]', next) + 2;
    else next += text[next] === '\\' ? 2 : 1;
  }
  return undefined;
}

/** One more pair of braces is written out in each round, the first one first; what stands within comes in a later round. */
function expandBraces(pattern: string): string[] {
  const open: Unwritten[] = [{ text: pattern, at: 0 }];
  const done: string[] = [];
  let rounds = 0;
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { text } = next;
    const braces = firstBraces(pattern, next);
    if (!braces) done.push(text);
    else for (const choice of braces.choices) open.push({ text: text.slice(0, braces.from) + choice + text.slice(braces.to), at: braces.from });
    if (open.length + done.length > MAX_ALTERNATIVES) throw wrong(pattern, `stands for more than ${MAX_ALTERNATIVES} patterns. Use fewer braces.`);
    rounds += 1;
    // Braces around one thing alone take rounds, and make no more patterns.
    if (rounds > 4 * MAX_ALTERNATIVES) throw wrong(pattern, 'has too many braces, with only one thing in many of them. Leave those out.');
  }
  return done;
}

/** A text in which there are no braces before `at`. */
interface Unwritten {
  readonly text: string;
  readonly at: number;
}

interface Braces {
  readonly from: number;
  readonly to: number;
  readonly choices: readonly string[];
}

function firstBraces(pattern: string, { text, at: start }: Unwritten): Braces | undefined {
  let from: number | undefined;
  let depth = 0;
  const choices: string[] = [];
  let begin = 0;
  for (let at = start; at < text.length; at = endOfUnit(pattern, text, at)) {
    const character = text[at];
    if (character === '{') {
      if (depth === 0) [from, begin] = [at, at + 1];
      depth += 1;
    }
    if (character === ',' && depth === 1) {
      choices.push(text.slice(begin, at));
      begin = at + 1;
    }
    if (character !== '}') continue;
    depth -= 1;
    if (depth < 0) throw wrong(pattern, 'has a "}" without a "{" before it. Write {a,b}; the character itself is written \\}.');
    if (depth > 0 || from === undefined) continue;
    const last = text.slice(begin, at);
    return { from, to: at + 1, choices: choices.length === 0 ? rangeOf(last) : [...choices, last] };
  }
  if (depth > 0) throw wrong(pattern, 'has a "{" that is never closed. Write {a,b}; the character itself is written \\{.');
  return undefined;
}

/** `1..3` and `a..c`, upwards or downwards; anything else stands for itself. */
function rangeOf(inner: string): readonly string[] {
  const [, first, last] = /^(-?\d{1,6}|[a-zA-Z])\.\.(-?\d{1,6}|[a-zA-Z])$/.exec(inner) ?? [];
  if (first === undefined || last === undefined) return [inner];
  const isNumber = /\d/.test(first);
  if (isNumber !== /\d/.test(last)) return [inner];
  const [from, to] = isNumber ? [Number(first), Number(last)] : [first.charCodeAt(0), last.charCodeAt(0)];
  const count = Math.min(Math.abs(to - from), MAX_ALTERNATIVES) + 1;
  const values = Array.from({ length: count }, (_, index) => (to < from ? from - index : from + index));
  return values.map((value) => (isNumber ? String(value) : String.fromCharCode(value)));
}

function partsOf(pattern: string, alternative: string): Part[] {
  if (alternative === '') throw wrong(pattern, 'stands for an empty name by its braces, and no file has one. Write a name in each choice: {a,b}.');
  const names = alternative.split('/');
  if (names.includes('..')) throw wrong(pattern, 'leads out of the folder with "..". Give it relative to the folder, and the folder as path.');
  if (names.at(-1) === '' || names.at(-1) === '.') {
    const within = [...names.slice(0, -1).filter((name) => name !== ''), '**'].join('/');
    throw wrong(pattern, `names a folder, and only files are found. Write ${JSON.stringify(within)}.`);
  }
  const parts = names.filter((name) => name !== '' && name !== '.').map((name): Part => (name === '**' ? 'folders' : piecesOf(pattern, name)));
  return parts.length === 1 && !alternative.includes('/') ? ['folders', ...parts] : parts;
}

function piecesOf(pattern: string, name: string): Piece[] {
  const pieces: Piece[] = [];
  for (let at = 0; at < name.length; ) {
    const end = endOfUnit(pattern, name, at);
    const unit = name.slice(at, end);
    if (unit === '*') {
      if (pieces.at(-1) !== ANY) pieces.push(ANY);
    } else if (unit === '?') pieces.push(ONE);
    else if (unit.startsWith('[')) pieces.push(classOf(pattern, unit));
    else addText(pieces, unit.startsWith('\\') ? unit.slice(1) || '\\' : unit);
    at = end;
  }
  return pieces;
}

function addText(pieces: Piece[], text: string): void {
  const last = pieces.at(-1);
  if (last?.kind === 'text') pieces[pieces.length - 1] = { kind: 'text', text: last.text + text };
  else pieces.push({ kind: 'text', text });
}

const NAMED_CLASSES: Readonly<Record<string, RegExp>> = {
  alpha: /^\p{L}$/u,
  digit: /^\d$/,
  alnum: /^[\p{L}\p{N}]$/u,
  upper: /^\p{Lu}$/u,
  lower: /^\p{Ll}$/u,
  space: /^\s$/,
  punct: /^[\p{P}\p{S}]$/u,
  xdigit: /^[\da-fA-F]$/,
};

function classOf(pattern: string, unit: string): Piece {
  const isNegated = unit[1] === '!' || unit[1] === '^';
  const inner = unit.slice(isNegated ? 2 : 1, -1);
  const tests: ((character: string) => boolean)[] = [];
  for (const [whole, named, first = '', last] of inner.matchAll(/\[:(\w+):\]|(\\.|.)(?:-(\\.|.))?/gsu)) {
    const of = named === undefined ? undefined : NAMED_CLASSES[named];
    if (named !== undefined && !of) throw wrong(pattern, `has the class ${whole}, which is not known. These are: ${Object.keys(NAMED_CLASSES).join(', ')}.`);
    if (of) tests.push((character) => of.test(character));
    else tests.push(rangeTest(pattern, unescaped(first), last === undefined ? unescaped(first) : unescaped(last)));
  }
  return { kind: 'one', accepts: (character) => tests.some((test) => test(character)) !== isNegated, cost: tests.length };
}

function unescaped(text: string): string {
  return text.length > 1 && text.startsWith('\\') ? text.slice(1) : text;
}

function rangeTest(pattern: string, first: string, last: string): (character: string) => boolean {
  const [from, to] = [first.codePointAt(0) ?? 0, last.codePointAt(0) ?? 0];
  if (from > to) throw wrong(pattern, `has the range ${first}-${last}, which runs backwards. Write ${last}-${first}.`);
  return (character) => {
    const code = character.codePointAt(0) ?? -1;
    return code >= from && code <= to;
  };
}

/** Of two stars only the later one is tried again, which is enough: what stood between them has been found as early as it can be. */
function fitsAll(parts: readonly Part[], names: readonly string[]): boolean {
  const lastFolders = parts.lastIndexOf('folders');
  let [part, name] = [0, 0];
  let retry: { readonly part: number; name: number } | undefined;
  while (part <= lastFolders) {
    const wanted = parts[part];
    if (wanted === 'folders') {
      part += 1;
      retry = { part, name };
    } else if (wanted !== undefined && name < names.length && fits(wanted, names[name] ?? '')) {
      part += 1;
      name += 1;
    } else {
      if (!retry || retry.name >= names.length) return false;
      retry.name += 1;
      ({ part, name } = retry);
    }
  }
  // What comes after the last folders is the end of the path, and folders at the end stand for at least the file in them.
  const rest = parts.length - part;
  if (lastFolders === -1 ? names.length !== rest : names.length - name < Math.max(rest, 1)) return false;
  return parts.slice(part).every((wanted, index) => wanted !== 'folders' && fits(wanted, names[names.length - rest + index] ?? ''));
}

function fits(pieces: readonly Piece[], name: string): boolean {
  const [first, second] = pieces;
  if (pieces.length === 2 && first?.kind === 'any' && second?.kind === 'text') return name.endsWith(second.text);
  let [piece, at] = [0, 0];
  let retry: { readonly piece: number; at: number } | undefined;
  while (at < name.length || piece < pieces.length) {
    const wanted = pieces[piece];
    const step = wanted === undefined ? 0 : stepOf(wanted, name, at);
    if (wanted?.kind === 'any') {
      piece += 1;
      if (piece === pieces.length) return true;
      retry = { piece, at };
    } else if (step > 0) {
      piece += 1;
      at += step;
    } else {
      if (!retry || retry.at >= name.length) return false;
      retry.at += sizeAt(name, retry.at);
      ({ piece, at } = retry);
    }
  }
  return true;
}

/** How much of the name the piece takes; 0 when it does not fit. */
function stepOf(piece: Piece, name: string, at: number): number {
  if (piece.kind === 'any' || at >= name.length) return 0;
  if (piece.kind === 'text') return name.startsWith(piece.text, at) ? piece.text.length : 0;
  const size = sizeAt(name, at);
  return piece.accepts(name.slice(at, at + size)) ? size : 0;
}

/** A character outside of the basic plane is one, and has two units. */
function sizeAt(name: string, at: number): number {
  return (name.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}
