import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EXPECTED_FAILURES } from './expected-failures.ts';
import type { Scenario } from './suite.ts';

const DOCUMENT = join(import.meta.dirname, '../../docs/mcp.md');
const BEGIN = '<!-- written by: npm run conformance -->';
const END = '<!-- end -->';

export type Results = ReadonlyMap<string, { readonly isPassed: boolean }>;

export function tableOf(scenarios: readonly Scenario[], results: Results): string {
  const rows = scenarios.map(({ name, versions }) => {
    const result = results.get(name)?.isPassed === true ? 'passes' : 'does not pass';
    return `| \`${name}\` | ${versions.join(', ')} | ${result} | ${EXPECTED_FAILURES[name] ?? ''} |`;
  });
  const passed = scenarios.filter(({ name }) => results.get(name)?.isPassed === true).length;
  return [`${passed} of ${scenarios.length} pass.`, '', '| scenario | specification | result | why not |', '|---|---|---|---|', ...rows].join('\n');
}

/** The table that the document has now. */
export async function writtenTable(): Promise<string> {
  const { table } = parts(await readFile(DOCUMENT, 'utf8'));
  return table;
}

export async function writeTable(table: string): Promise<void> {
  const { before, after } = parts(await readFile(DOCUMENT, 'utf8'));
  await writeFile(DOCUMENT, `${before}${BEGIN}\n\n${table}\n\n${END}${after}`);
}

function parts(text: string): { before: string; table: string; after: string } {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin === -1 || end < begin) throw new Error(`${DOCUMENT} has no place for the table: it stands between "${BEGIN}" and "${END}"`);
  return { before: text.slice(0, begin), table: text.slice(begin + BEGIN.length, end).trim(), after: text.slice(end + END.length) };
}
