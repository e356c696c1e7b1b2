import type { ToolInput, ToolName } from '@tendon/protocol';

/** A tool call that the demo makes, with an input that passes the tool's schema. */
export type DemoCall = { [Name in ToolName]: { readonly tool: Name; readonly input: ToolInput<Name> } }[ToolName];

/** What a message to the demo asks for. */
export type DemoCommand =
  | { readonly kind: 'calls'; readonly calls: readonly DemoCall[] }
  | { readonly kind: 'count'; readonly to: number; readonly isSlow: boolean }
  | { readonly kind: 'think'; readonly about: string }
  | { readonly kind: 'help' };

const MOST_NUMBERS = 20_000;
const MOST_CALLS = 8;
/** A longer message is a text to write or a script to run, if it is a command at all; searching it for more would cost too much. */
const LONGEST_COMMAND = 4_000;

/** Reads plain commands. Pure; whatever is no command is answered with help. */
export function demoCommand(text: string): DemoCommand {
  const line = text.trim();
  const count = /^count to (\d{1,9})( slowly)?\W*$/i.exec(line);
  if (count) return { kind: 'count', to: Math.min(MOST_NUMBERS, Number(count[1])), isSlow: count[2] !== undefined };
  const think = /^think\b(?:\s+about)?\s*(.*)$/is.exec(line);
  if (think) return { kind: 'think', about: think[1]?.trim() || 'what you asked' };
  const calls = demoCalls(line);
  return calls.length > 0 ? { kind: 'calls', calls } : { kind: 'help' };
}

/** Several commands joined by "and" are several calls, if each piece is a command by itself: `run echo a and b` is one. */
function demoCalls(line: string): DemoCall[] {
  if (line.length > LONGEST_COMMAND) {
    const call = /^(?:run|write)\s/i.test(line) ? demoCall(line) : undefined;
    return call ? [call] : [];
  }
  const pieces = line.split(/\s+and\s+/i);
  if (pieces.length > 1 && pieces.length <= MOST_CALLS) {
    const calls = pieces.map(demoCall);
    if (calls.every((call) => call !== undefined)) return calls;
  }
  const call = demoCall(line);
  return call ? [call] : [];
}

const PATTERNS: readonly { readonly pattern: RegExp; readonly call: (groups: Readonly<Record<string, string | undefined>>) => DemoCall }[] = [
  { pattern: /^(?:run\s+|\$\s*)(?<command>\S.*)$/is, call: ({ command = '' }) => ({ tool: 'bash', input: { command: unquote(command) } }) },
  {
    pattern: /^read\s+(?<path>\S+)\s+lines?\s+(?<start>\d{1,7})\s*(?:-|to)\s*(?<end>\d{1,7})$/i,
    call: ({ path = '', start, end }) => ({
      tool: 'read_file',
      input: { path: unquote(path), startLine: Math.max(1, Number(start)), endLine: Math.max(1, Number(end)) },
    }),
  },
  { pattern: /^read\s+(?<path>[^\n]+)$/i, call: ({ path = '' }) => ({ tool: 'read_file', input: { path: unquote(path) } }) },
  {
    pattern: /^write\s+(?<path>[^\s:][^\n:]*):\s?(?<content>.*)$/is,
    call: ({ path = '', content = '' }) => ({ tool: 'write_file', input: { path: unquote(path), content } }),
  },
  { pattern: /^find\s+(?<pattern>[^\n]+)$/i, call: ({ pattern = '' }) => ({ tool: 'glob', input: { pattern: unquote(pattern) } }) },
  {
    pattern: /^search\s+(?:for\s+)?(?<pattern>[^\n]+?)(?:\s+in\s+(?<path>\S+))?$/i,
    call: ({ pattern = '', path }) => ({ tool: 'grep', input: { pattern: unquote(pattern), ...(path ? { path: unquote(path) } : {}) } }),
  },
  {
    pattern: /^ask\s+me\b[\s:]*(?<question>.*)$/is,
    call: ({ question }) => ({ tool: 'ask_user_questions', input: { questions: [questionOf(question?.trim() ?? '')] } }),
  },
  { pattern: /^(?:make\s+a\s+)?plan\b[\s:]*.*$/is, call: () => ({ tool: 'update_plan', input: { steps: [...PLAN] } }) },
];

const PLAN: ToolInput<'update_plan'>['steps'] = [
  { title: 'Understand what is asked', status: 'done' },
  { title: 'Look at the files', status: 'doing' },
  { title: 'Make the change', status: 'todo' },
  { title: 'Check that it works', status: 'todo' },
];

function questionOf(question: string): ToolInput<'ask_user_questions'>['questions'][number] {
  if (question !== '') return { question: question.slice(0, 2_000) };
  return {
    question: 'What shall I look at first?',
    options: [
      { label: 'The code', description: 'Read the source files' },
      { label: 'The tests', description: 'See what is checked and what is not' },
      { label: 'The documentation', description: 'Begin with the README' },
    ],
  };
}

function demoCall(text: string): DemoCall | undefined {
  const line = text.trim();
  if (/^replace\s/i.test(line)) return replacement(line.slice('replace'.length));
  for (const { pattern, call } of PATTERNS) {
    const match = pattern.exec(line);
    if (match) return call(match.groups ?? {});
  }
  return undefined;
}

/** `a with b in file`: the first "with", the last "in". */
function replacement(text: string): DemoCall | undefined {
  const middle = text.indexOf(' with ');
  const end = text.lastIndexOf(' in ');
  if (middle < 0 || end < middle + ' with '.length - 1) return undefined;
  const oldText = unquote(text.slice(0, middle));
  const path = unquote(text.slice(end + ' in '.length));
  if (oldText === '' || path === '') return undefined;
  return { tool: 'edit_file', input: { path, oldText, newText: unquote(text.slice(middle + ' with '.length, Math.max(end, middle + ' with '.length))) } };
}

/** Quotes or backticks around the whole, as people write commands in prose. */
function unquote(text: string): string {
  const trimmed = text.trim();
  const inner = /^(["'`])(.+)\1$/s.exec(trimmed)?.[2];
  return inner !== undefined && !inner.includes(trimmed.charAt(0)) ? inner : trimmed;
}
