import { ASVS, type Requirement } from './asvs-numbers.ts';

/** What the tree has, which a page may name. */
export interface Known {
  readonly rules: ReadonlySet<string>;
  /** The rules that a test file's titles begin with; undefined when there is no such file. A pattern stands for all that it matches. */
  readonly rulesOf: (file: string) => readonly string[] | undefined;
  /** The headings of a page; undefined when there is no such page. */
  readonly headingsOf: (page: string) => readonly string[] | undefined;
}

const VERDICTS = ['yes', 'part', 'no', '–'];
const RULE = /\b[A-Z]\d+\b/g;
const FILE = /`((?:packages|tests|testing|scripts)\/[^`]+)`/g;
const HEADING = /\((\S+\.md), \*([^*]+)\*\)/g;

/** What is wrong with the map of requirements: numbers that are missing, unknown or named twice, verdicts without ground, and names of what is gone. */
export function mapFaults(text: string, known: Known, requirements: readonly Requirement[] = ASVS): string[] {
  const rows = tableRows(text, '## ASVS');
  const numbers = rows.flatMap(([cell = '']) => expanded(cell, requirements));
  const expected = new Set(requirements.map(({ number }) => number));
  return [
    ...requirements.filter(({ number, isLevelThree }) => !isLevelThree && !numbers.includes(number)).map(({ number }) => `${number} has no row`),
    ...numbers.filter((number) => !expected.has(number)).map((number) => `${number} is no number of the standard`),
    ...numbers.filter((number, index) => numbers.indexOf(number) !== index).map((number) => `${number} stands twice`),
    ...rows.flatMap(verdictFaults),
    ...nameFaults(text, known),
  ];
}

/** Names of rules (in the last cell of a row), tests and headings that are not there. */
export function nameFaults(text: string, { rules, rulesOf, headingsOf }: Known): string[] {
  const named = text.split('\n').flatMap((line) => (line.startsWith('|') ? found(line.split('|').at(-2) ?? '', RULE) : []));
  return [
    ...named.filter((id) => !rules.has(id)).map((id) => `${id} is no rule of SPEC`),
    ...found(text, FILE).flatMap((file) => (rulesOf(file) === undefined ? [`${file} is not there`] : [])),
    ...[...text.matchAll(HEADING)].flatMap(([, page = '', heading = '']) =>
      headingsOf(page)?.includes(heading) ? [] : [`${page} has no heading "${heading}"`],
    ),
  ];
}

/** Rows of a table under a heading whose test tries none of the rules that stand beside it. */
export function unrelatedFaults(text: string, heading: string, { rulesOf }: Pick<Known, 'rulesOf'>): string[] {
  const rows = tableRows(text, heading);
  if (rows.length === 0) return [`there is no table under "${heading}"`];
  return rows.flatMap(([what = '', test = '', rules = '']) => {
    const tried = found(test, FILE).flatMap((file) => rulesOf(file) ?? []);
    const untried = found(rules, RULE).filter((id) => !tried.includes(id));
    if (found(rules, RULE).length === 0) return [`"${what}" names no rule`];
    return untried.map((id) => `"${what}": ${test} does not try ${id}`);
  });
}

function verdictFaults([numbers = '', verdict = '', , ground = '']: readonly string[]): string[] {
  if (!VERDICTS.includes(verdict)) return [`${numbers}: "${verdict}" is no verdict`];
  const isGrounded = found(ground, RULE).length > 0 || found(ground, FILE).length > 0;
  return (verdict === 'yes' || verdict === 'part') && !isGrounded ? [`${numbers} is met by nothing that is tried`] : [];
}

/** The cells of the rows of the first table under a heading, its own head left out. */
function tableRows(text: string, heading: string): string[][] {
  const lines = text.split('\n');
  const start = lines.findIndex((line) => line.startsWith(heading));
  const after = start === -1 ? [] : lines.slice(start + 1);
  const end = after.findIndex((line) => line.startsWith('#'));
  const rows = (end === -1 ? after : after.slice(0, end)).filter((line) => line.startsWith('|'));
  return rows.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

/** `2.1.1 to 2.1.3, 2.3.1` as the numbers it stands for. */
function expanded(cell: string, requirements: readonly Requirement[]): string[] {
  return cell.split(', ').flatMap((part) => {
    const [first = '', last = first] = part.split(' to ');
    const [from, to] = [first, last].map((number) => requirements.findIndex((requirement) => requirement.number === number));
    if (from === undefined || to === undefined || from === -1 || to === -1) return [part];
    return requirements.slice(from, to + 1).map(({ number }) => number);
  });
}

function found(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map((match) => match[1] ?? match[0]);
}
