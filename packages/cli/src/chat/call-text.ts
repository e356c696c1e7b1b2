import type { Call } from '@tendon/protocol';

const SUBJECTS = ['command', 'path', 'pattern'] as const;
const SUBJECT_UNITS = 500;
/** More than a person reads in a terminal. */
const APPROVAL_UNITS = 8_000;

/** What a call is about, in short: its command or path, or the beginning of its input. */
export function subjectOf({ input }: Call): string {
  const text = subjectIn(input)?.text ?? jsonOf(input);
  return text.length > SUBJECT_UNITS ? `${text.slice(0, SUBJECT_UNITS)} ... (${text.length - SUBJECT_UNITS} more characters)` : text;
}

/** All that an approval lets run: what it is about, then every other field. What is too long for a terminal is cut, and that is said. */
export function approvalText({ input }: Call): string {
  const subject = subjectIn(input);
  const lines = subject ? [subject.text, ...subject.rest.map(([name, value]) => `${name}: ${wordsOf(value)}`)] : [jsonOf(input)];
  const text = lines.join('\n');
  if (text.length <= APPROVAL_UNITS) return text;
  return `${text.slice(0, APPROVAL_UNITS)}\n... ${text.length - APPROVAL_UNITS} more characters are not shown here. The page shows all of it.`;
}

function subjectIn(input: unknown): { readonly text: string; readonly rest: readonly (readonly [string, unknown])[] } | undefined {
  if (typeof input !== 'object' || input === null) return undefined;
  const fields = new Map<string, unknown>(Object.entries(input));
  const name = SUBJECTS.find((candidate) => typeof fields.get(candidate) === 'string');
  return name && { text: String(fields.get(name)), rest: [...fields].filter(([other]) => other !== name) };
}

function wordsOf(value: unknown): string {
  return typeof value === 'string' ? value : jsonOf(value);
}

function jsonOf(value: unknown): string {
  return JSON.stringify(value) ?? '';
}
