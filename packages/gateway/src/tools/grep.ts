import { join, relative } from 'node:path';
import { type ToolInput, textResult } from '@tendon/protocol';
import { z } from 'zod';
import { pathMatcher, searchScope } from './file-pattern.ts';
import { shownPath } from './glob.ts';
import { search } from './ripgrep.ts';
import { endedEarly, endReason, type LocalTool } from './tool.ts';
import { cutBefore } from './truncation.ts';
import { locateFolder } from './workspace.ts';

const DEFAULT_LINES = 200;
const MAX_LINE_UNITS = 500;
const NEW_LINE = 10;

/** ripgrep's JSON: text as it is, or as base64 where it is not UTF-8. */
const wordsSchema = z.union([z.object({ text: z.string() }), z.object({ bytes: z.string() })]);
const beginSchema = z.object({ type: z.literal('begin'), data: z.object({ path: wordsSchema }) });
const matchSchema = z.object({ type: z.literal('match'), data: z.object({ path: wordsSchema, lines: wordsSchema, line_number: z.number() }) });

interface Findings {
  readonly lines: string[];
  readonly limit: number;
  readonly matches: (path: string) => boolean;
  readonly place: (path: string) => string;
  currentPath: string;
  isCut: boolean;
}

export const grep: LocalTool<'grep'> = {
  name: 'grep',
  async run(input, context) {
    const folder = await locateFolder(context.workspace, input.path);
    const findings: Findings = {
      lines: [],
      limit: input.maxResults ?? DEFAULT_LINES,
      matches: input.glob === undefined ? () => true : pathMatcher(input.glob),
      place: (path) => shownPath(relative(context.workspace.root, join(folder, path))),
      currentPath: '',
      isCut: false,
    };
    const args = [...searchArguments(input), ...searchScope(folder, context.workspace.forbidden), '--', '.'];
    await search(context, { args, folder, recordEnd: NEW_LINE, onRecord: (record) => takeRecord(findings, record) });
    const text = findings.lines.join('\n');
    if (context.signal.aborted) return endedEarly(endReason(context.signal), text);
    if (text === '') return textResult('succeeded', `Nothing matches ${JSON.stringify(input.pattern)}.`);
    const note = findings.isCut ? `\n[Cut after ${findings.limit} lines. Narrow the search, or raise maxResults.]` : '';
    return textResult('succeeded', text + note, { matches: findings.lines.length });
  },
};

function searchArguments(input: ToolInput<'grep'>): string[] {
  const letterCase = input.ignoreCase === true ? ['--ignore-case'] : ['--case-sensitive'];
  return ['--json', '--sort', 'path', ...letterCase, `--regexp=${input.pattern}`];
}

function takeRecord(findings: Findings, record: Buffer | undefined): boolean {
  if (record === undefined)
    return findings.matches(findings.currentPath)
      ? addLine(findings, `${findings.place(findings.currentPath)}:?:[a matching line that is too long to show]`)
      : true;
  const value: unknown = JSON.parse(record.toString('utf8'));
  const begin = beginSchema.safeParse(value);
  if (begin.success) findings.currentPath = pathOf(begin.data.data.path);
  const match = matchSchema.safeParse(value);
  if (!match.success) return true;
  const path = pathOf(match.data.data.path);
  if (!findings.matches(path)) return true;
  return addLine(findings, `${findings.place(path)}:${match.data.data.line_number}:${shortened(wordsOf(match.data.data.lines))}`);
}

function addLine(findings: Findings, line: string): boolean {
  if (findings.lines.length >= findings.limit) {
    findings.isCut = true;
    return false;
  }
  findings.lines.push(line);
  return true;
}

function wordsOf(words: z.infer<typeof wordsSchema>): string {
  return 'text' in words ? words.text : Buffer.from(words.bytes, 'base64').toString('utf8');
}

function pathOf(words: z.infer<typeof wordsSchema>): string {
  return wordsOf(words).replace(/^\.\//, '');
}

function shortened(line: string): string {
  const text = line.replace(/\r?\n$/, '');
  if (text.length <= MAX_LINE_UNITS) return text;
  return `${text.slice(0, cutBefore(text, MAX_LINE_UNITS))} [… ${text.length - MAX_LINE_UNITS} more characters]`;
}
