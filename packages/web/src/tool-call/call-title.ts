import type { Call } from '@tendon/protocol';
import { visibleText } from '../approvals/hidden-characters.ts';
import { BROWSER_TITLES } from './browser-title.ts';
import { editsOf, field, lineCount, numberField, textField } from './call-input.ts';
import { editCounts } from './diff-lines.ts';
import { filesOfPatch, type ShownFile } from './patch-files.ts';
import { isBack } from './undo-words.ts';

/** "Edit src/app.ts, +12 −3": what happens, to what (shown as code), and a few facts. */
export interface CallTitle {
  readonly verb: string;
  readonly object?: string;
  readonly detail?: string;
}

const OBJECT_LENGTH = 160;

export function callTitle(call: Call): CallTitle {
  const describe = Object.hasOwn(TITLES, call.tool) ? TITLES[call.tool] : undefined;
  const title = describe?.(call) ?? foreignTitle(call.tool);
  return title.object === undefined ? title : { ...title, object: shorten(title.object) };
}

/** "Use read_file, of files": the two names in the name of an MCP server's tool. */
function foreignTitle(tool: string): CallTitle {
  const [, server, name] = /^mcp__(.+?)__(.+)$/.exec(tool) ?? [];
  return server === undefined || name === undefined ? { verb: 'Use', object: tool } : { verb: 'Use', object: name, detail: `of ${visibleText(server)}` };
}

export function titleText(title: CallTitle): string {
  const head = title.object ? `${title.verb} ${title.object}` : title.verb;
  return title.detail ? `${head}, ${title.detail}` : head;
}

/** A call whose arguments the model is still writing. */
export function draftTitle(input: string): string {
  return input === '' ? 'Preparing a tool call' : `Preparing a tool call, ${input.length} characters`;
}

const TITLES: Record<string, (call: Call) => CallTitle | undefined> = {
  read_file: (call) => withPath('Read', call, lineRange(call.input)),
  write_file: (call) => {
    const content = textField(call.input, 'content');
    return withPath('Write', call, content === undefined ? undefined : plural(lineCount(content), 'line'));
  },
  edit_file: (call) => {
    const counts = editCounts(call);
    return withPath('Edit', call, counts && `+${counts.added} −${counts.removed}`);
  },
  multi_edit: (call) => {
    const edits = editsOf(call.input);
    const counts = editCounts(call);
    return edits && withPath('Edit', call, counts ? `+${counts.added} −${counts.removed}` : plural(edits.length, 'change'));
  },
  apply_patch: (call) => {
    const files = filesOfPatch(textField(call.input, 'patch') ?? '');
    const [first] = files ?? [];
    if (!files || !first) return undefined;
    const counts = editCounts(call) ?? countLines(files);
    return { verb: 'Edit', object: files.length === 1 ? first.path : plural(files.length, 'file'), detail: `+${counts.added} −${counts.removed}` };
  },
  bash: (call) => {
    const command = textField(call.input, 'command');
    if (command === undefined) return undefined;
    const detail = waysOfRunning(call.input).join(', ');
    return { verb: 'Run', object: command, ...(detail !== '' && { detail }) };
  },
  undo_changes: (call) => {
    const files = field(call.input, 'files');
    if (!Array.isArray(files)) return undefined;
    const undone = call.result?.meta?.undone ?? [];
    const back = undone.filter(isBack).length;
    return { verb: 'Put files back', detail: `${back < undone.length ? `${back} of ` : ''}${plural(files.length, 'file')}` };
  },
  list_processes: () => ({ verb: 'List processes' }),
  read_process: (call) => ({ verb: 'Read the output of', object: textField(call.input, 'id') }),
  write_process: (call) => ({ verb: 'Type into', object: textField(call.input, 'id'), ...typed(call.input) }),
  stop_process: (call) => ({ verb: 'Stop', object: textField(call.input, 'id') }),
  list_folder: (call) => ({ verb: 'List', object: textField(call.input, 'path') ?? 'the workspace' }),
  glob: (call) => pattern('Find', call),
  grep: (call) => pattern('Search for', call),
  ...BROWSER_TITLES,
  update_plan: (call) => {
    const steps = planSteps(call.input);
    return { verb: 'Plan', detail: `${steps.filter((step) => step.status === 'done').length} of ${steps.length} done` };
  },
  ask_user_questions: (call) => {
    const questions = field(call.input, 'questions');
    return { verb: Array.isArray(questions) && questions.length > 1 ? `Asks ${questions.length} questions` : 'Asks a question' };
  },
};

function countLines(files: readonly ShownFile[]): { added: number; removed: number } {
  const lines = files.flatMap((file) => file.lines);
  return { added: lines.filter((line) => line.kind === 'added').length, removed: lines.filter((line) => line.kind === 'removed').length };
}

function waysOfRunning(input: unknown): string[] {
  const folder = textField(input, 'cwd');
  return [
    ...(folder === undefined || folder === '.' ? [] : [`in ${visibleText(folder)}`]),
    ...(field(input, 'terminal') === true ? ['in a terminal'] : []),
    ...(field(input, 'background') === true ? ['in the background, without a time limit'] : []),
  ];
}

/** The first line of what is typed and the keys after it; the card below has all of it. */
function typed(input: unknown): { detail?: string } {
  const text = textField(input, 'text');
  const keys = field(input, 'keys');
  const parts = [...(text === undefined ? [] : [shorten(text)]), ...(Array.isArray(keys) ? keys.map((key) => visibleText(String(key))) : [])];
  return parts.length === 0 ? {} : { detail: parts.join(' ') };
}

export interface ShownStep {
  readonly title: string;
  readonly status: 'todo' | 'doing' | 'done';
}

export function planSteps(input: unknown): readonly ShownStep[] {
  const steps = field(input, 'steps');
  return Array.isArray(steps) ? steps.filter(isStep) : [];
}

function isStep(value: unknown): value is ShownStep {
  return textField(value, 'title') !== undefined && ['todo', 'doing', 'done'].includes(textField(value, 'status') ?? '');
}

function withPath(verb: string, call: Call, detail: string | undefined): CallTitle | undefined {
  const path = textField(call.input, 'path');
  if (path === undefined) return undefined;
  return detail === undefined ? { verb, object: path } : { verb, object: path, detail };
}

function pattern(verb: string, call: Call): CallTitle | undefined {
  const object = textField(call.input, 'pattern');
  if (object === undefined) return undefined;
  const folder = textField(call.input, 'path');
  return folder === undefined ? { verb, object } : { verb, object, detail: `in ${visibleText(folder)}` };
}

function lineRange(input: unknown): string | undefined {
  const start = numberField(input, 'startLine');
  const end = numberField(input, 'endLine');
  if (start === undefined && end === undefined) return undefined;
  if (end === undefined) return `from line ${start}`;
  return `lines ${start ?? 1} to ${end}`;
}

/** A title is one line: the first of the text, with what cannot be seen made visible. The card below has all of it. */
function shorten(text: string): string {
  const [first = '', ...more] = text.trim().split('\n');
  const line = visibleText(first.length > OBJECT_LENGTH ? `${first.slice(0, OBJECT_LENGTH)}…` : first);
  return more.length > 0 && !line.endsWith('…') ? `${line} …` : line;
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}
