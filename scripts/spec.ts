import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '..');

export interface Rule {
  /** Such as `G7`. */
  readonly id: string;
  readonly file: string;
}

export interface SpecFamily {
  readonly letter: string;
  readonly text: string;
  readonly rules: readonly Rule[];
}

/** The families of SPEC in the order a reader meets them; one that stands in no order comes last. */
const ORDER = 'IPHATSCRNGWELMDKUO';

export function readFamilies(): SpecFamily[] {
  const files = globSync('packages/protocol/spec/*.md', { cwd: root });
  const families = files.map((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const rules = [...text.matchAll(/^- \*\*([A-Z]+\d+)\*\*/gm)].map((match) => ({ id: match[1] ?? '', file }));
    return { letter: basename(file, '.md'), text, rules };
  });
  const place = ({ letter }: SpecFamily): number => (ORDER.includes(letter) ? ORDER.indexOf(letter) : ORDER.length);
  return families.sort((one, other) => place(one) - place(other) || one.letter.localeCompare(other.letter));
}

export interface Citation {
  readonly id: string;
  readonly file: string;
}

/** Rules that titles of tests begin with: `G7: ...`, or several as `G7, G8: ...` or `G7 G8: ...`. */
export function readCitations(files: readonly string[]): Citation[] {
  const title = /\b(?:test|it|describe|suite)(?:\.only)?\(\s*['"`]([A-Z]+\d+(?:[\s,/]+(?:and\s+)?[A-Z]+\d+)*):/g;
  return files.flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(title)].flatMap((match) => (match[1]?.match(/[A-Z]+\d+/g) ?? []).map((id) => ({ id, file }))),
  );
}

/** What is wrong with rules and citations, in words; empty when all is well. */
export function specFaults(families: readonly Pick<SpecFamily, 'letter' | 'rules'>[], citations: readonly Citation[]): string[] {
  const rules = families.flatMap((family) => family.rules);
  const known = new Set(rules.map((rule) => rule.id));
  const cited = new Set(citations.map((citation) => citation.id));
  return [
    ...families.flatMap(numberingFaults),
    ...rules.filter((rule) => !cited.has(rule.id)).map((rule) => `${rule.file}: no test has a title that starts with ${rule.id}`),
    ...citations.filter((citation) => !known.has(citation.id)).map((citation) => `${citation.file}: cites ${citation.id}, which SPEC does not have`),
  ];
}

function numberingFaults({ letter, rules }: Pick<SpecFamily, 'letter' | 'rules'>): string[] {
  if (rules.length === 0) return [`packages/protocol/spec/${letter}.md: has no rule of the form "- **${letter}1** text"`];
  return rules.flatMap(({ id, file }, index) => (id === `${letter}${index + 1}` ? [] : [`${file}: ${id} stands where ${letter}${index + 1} is due`]));
}
