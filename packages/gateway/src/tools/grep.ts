import { basename, join, relative } from 'node:path';
import { type ToolInput, textResult } from '@tendon/protocol';
import { cutBefore } from '@tendon/protocol/truncation';
import { z } from 'zod';
import { ToolFault } from './faults.ts';
import { nameFilter, SCOPE_WORDS, searchScope } from './file-pattern.ts';
import { shownPath } from './glob.ts';
import { type LineMark, markLine, standingLines } from './line-marks.ts';
import { pathMatcher } from './path-pattern.ts';
import { search } from './ripgrep.ts';
import { decode, findEncoding } from './text-encoding.ts';
import { checkIsText, probe } from './text-file.ts';
import { endedEarly, endReason, type LocalTool } from './tool.ts';
import { type Folder, openFolderOf, openForReading, openSearchedFolder, type Workspace } from './workspace.ts';

const DEFAULT_LINES = 200;
const MAX_LINE_UNITS = 500;
const NAMED_RULES = 10;
const NEW_LINE = 10;
/** How ripgrep's JSON about a further file starts. */
const BEGIN = Buffer.from('{"type":"begin"');

/** ripgrep's JSON: text as it is, or as base64 where it is not UTF-8. */
const wordsSchema = z.union([z.object({ text: z.string() }), z.object({ bytes: z.string() })]);
const beginSchema = z.object({ type: z.literal('begin'), data: z.object({ path: wordsSchema }) });
const matchSchema = z.object({
  type: z.literal('match'),
  data: z.object({ path: wordsSchema, lines: wordsSchema, line_number: z.number(), absolute_offset: z.number() }),
});

interface FoundLine {
  readonly path: string;
  readonly text: string;
  /** Left out for one that was too long to be read whole. */
  readonly mark?: LineMark | undefined;
}

interface Findings {
  readonly lines: FoundLine[];
  readonly limit: number;
  /** Whether it is among the files that are asked for, and none that the machine's policy keeps from this call. */
  readonly isWanted: (path: string) => boolean;
  readonly place: (path: string) => string;
  currentPath: string;
  isCurrentWanted: boolean;
  isCut: boolean;
}

export const grep: LocalTool<'grep'> = {
  name: 'grep',
  async run(input, context) {
    if (input.pattern.includes('\0')) throw new ToolFault('invalid_input', 'The pattern contains a NUL character, which no text has. Leave it out.');
    const { folder, file } = await openPlace(context.workspace, input.path);
    await using _held = folder.handle;
    const find = async (order: 'any' | 'path'): Promise<Findings> => {
      const findings = newFindings(input, { workspace: context.workspace, folder: folder.path });
      const filter = input.glob === undefined ? [] : nameFilter(input.glob);
      const args = [
        ...searchArguments(input, order),
        ...filter,
        ...searchScope(folder.path, context.workspace.forbidden),
        '--',
        file === undefined ? '.' : `./${file}`,
      ];
      await search(context, { args, folder, recordEnd: NEW_LINE, onRecord: (record) => takeRecord(findings, record) });
      return findings;
    };
    // In order, ripgrep uses one core alone. What has more matches than are wanted is over soon, and is asked for again in order.
    const first = await find('any');
    const findings = first.isCut && !context.signal.aborted ? await find('path') : first;
    const lines = await standing(context.workspace, folder.path, findings.lines);
    const text = inOrder(lines).join('\n');
    if (context.signal.aborted) return endedEarly(endReason(context.signal), text);
    // One that is named was judged when it was opened.
    const kept = file === undefined ? (context.workspace.fileRules?.kept ?? []) : [];
    const left = findings.lines.length - lines.length;
    const notes = [
      ...(findings.isCut ? [`[Cut after ${findings.limit} lines. Narrow the search, or raise maxResults.]`] : []),
      ...(kept.length > 0 ? [keptWords(kept)] : []),
      ...(left > 0 ? [`[${left} lines are left out: their files could not be looked at again, such as one that was changed or exchanged meanwhile.]`] : []),
    ];
    const words = lines.length === 0 ? nothingWords(input, file) : text;
    return textResult('succeeded', [words, ...notes].join('\n'), lines.length === 0 ? {} : { matches: lines.length });
  },
};

/** The same whether or not the pattern matches in such a file: the answer to that would give away what stands there, a letter at a time. */
function keptWords(kept: readonly string[]): string {
  const named = kept.slice(0, NAMED_RULES).map((subject) => JSON.stringify(subject));
  const more = kept.length > NAMED_RULES ? ` and ${kept.length - NAMED_RULES} more` : '';
  return `[Left out, whatever stands in them: files that this machine's policy keeps from read_file, or wants a person to approve each time (${named.join(', ')}${more}).]`;
}

/** Where the search begins: a folder, and the one file of it when a file was asked for, whatever .gitignore says of that. */
async function openPlace(workspace: Workspace, path: string | undefined): Promise<{ readonly folder: Folder; readonly file?: string }> {
  try {
    return { folder: await openSearchedFolder(workspace, path) };
  } catch (error) {
    if (path === undefined || !(error instanceof ToolFault && error.code === 'not_a_folder')) throw error;
  }
  const { handle, path: truePath } = await openForReading(workspace, path);
  try {
    checkIsText(path, await probe(handle), (await handle.stat()).size);
  } finally {
    await handle.close();
  }
  return { folder: await openFolderOf(workspace, truePath), file: basename(truePath) };
}

function nothingWords({ pattern, path, glob }: ToolInput<'grep'>, file: string | undefined): string {
  const where = file === undefined ? '' : ` in ${JSON.stringify(path)}`;
  const files = glob === undefined ? '' : `, of the files that match ${JSON.stringify(glob)}`;
  return `Nothing${where} matches ${JSON.stringify(pattern)}${files}.${file === undefined ? ` ${SCOPE_WORDS}` : ''}`;
}

/** Those that truly stand in the workspace. */
async function standing(workspace: Workspace, root: string, lines: readonly FoundLine[]): Promise<FoundLine[]> {
  const all: FoundLine[] = [];
  for (const [path, ofFile] of Map.groupBy(lines, (line) => line.path)) {
    const isStanding = await standingLines(
      workspace,
      join(root, path),
      ofFile.map(({ mark }) => mark),
    );
    all.push(...ofFile.filter((_, index) => isStanding[index]));
  }
  return all;
}

function newFindings(input: ToolInput<'grep'>, { workspace, folder }: { workspace: Workspace; folder: string }): Findings {
  const matches = input.glob === undefined ? () => true : pathMatcher(input.glob);
  const place = (path: string): string => relative(workspace.root, join(folder, path));
  return {
    lines: [],
    limit: input.maxResults ?? DEFAULT_LINES,
    isWanted: (path) => matches(path) && !workspace.fileRules?.refusalAt(place(path), 'read'),
    place: (path) => shownPath(place(path)),
    currentPath: '',
    isCurrentWanted: false,
    isCut: false,
  };
}

/** By path, folder by folder, as ripgrep orders them; the lines of a file come in their order already. */
function inOrder(lines: Findings['lines']): string[] {
  const parts = new Map([...new Set(lines.map(({ path }) => path))].map((path) => [path, path.split('/')]));
  const compare = (one: readonly string[], other: readonly string[]): number => {
    const at = one.findIndex((part, index) => part !== other[index]);
    if (at === -1) return one.length - other.length;
    return (one[at] ?? '') < (other[at] ?? '') ? -1 : 1;
  };
  return lines.toSorted((a, b) => (a.path === b.path ? 0 : compare(parts.get(a.path) ?? [], parts.get(b.path) ?? []))).map(({ text }) => text);
}

function searchArguments(input: ToolInput<'grep'>, order: 'any' | 'path'): string[] {
  const letterCase = input.ignoreCase === true ? ['--ignore-case'] : ['--case-sensitive'];
  // A line that ends with CRLF ends there for "$" as well; only a pattern that names a carriage return sees one.
  const ends = /\r|\\[rx]/.test(input.pattern) ? [] : ['--crlf'];
  return ['--json', ...(order === 'path' ? ['--sort', 'path'] : []), ...letterCase, ...ends, `--regexp=${input.pattern}`];
}

function takeRecord(findings: Findings, record: Buffer | undefined): boolean {
  const { currentPath } = findings;
  // A large file that is not wanted may match in every line.
  if (!findings.isCurrentWanted && record?.subarray(0, BEGIN.length).equals(BEGIN) !== true) return true;
  if (record === undefined) return addLine(findings, `${findings.place(currentPath)}:?:[a matching line that is too long to show]`);
  const value: unknown = JSON.parse(record.toString('utf8'));
  const begin = beginSchema.safeParse(value);
  if (begin.success) {
    findings.currentPath = pathOf(begin.data.data.path);
    findings.isCurrentWanted = findings.isWanted(findings.currentPath);
  }
  const match = matchSchema.safeParse(value);
  if (!match.success) return true;
  const { lines, line_number, absolute_offset } = match.data.data;
  return addLine(findings, `${findings.place(currentPath)}:${line_number}:${shortened(wordsOf(lines))}`, markLine(bytesOf(lines), absolute_offset));
}

function addLine(findings: Findings, line: string, mark?: LineMark): boolean {
  if (findings.lines.length >= findings.limit) {
    findings.isCut = true;
    return false;
  }
  findings.lines.push({ path: findings.currentPath, text: line, mark });
  return true;
}

function wordsOf(words: z.infer<typeof wordsSchema>): string {
  if ('text' in words) return words.text;
  const bytes = bytesOf(words);
  return (findEncoding(bytes) === 'windows-1252' ? decode(bytes, 'windows-1252') : undefined) ?? bytes.toString('utf8');
}

function bytesOf(words: z.infer<typeof wordsSchema>): Buffer {
  return 'text' in words ? Buffer.from(words.text, 'utf8') : Buffer.from(words.bytes, 'base64');
}

function pathOf(words: z.infer<typeof wordsSchema>): string {
  return bytesOf(words).toString('utf8').replace(/^\.\//, '');
}

function shortened(line: string): string {
  const text = line.replace(/\r?\n$/, '');
  if (text.length <= MAX_LINE_UNITS) return text;
  return `${text.slice(0, cutBefore(text, MAX_LINE_UNITS))} [… ${text.length - MAX_LINE_UNITS} more characters]`;
}
