import { z } from 'zod';
import { BROWSER_TOOLS } from './browser-tool-definitions.ts';
import { define, type ToolDefinition } from './define-tool.ts';
import { patchPaths } from './patch-text.ts';
import { PERSON_TOOLS, type PersonToolName } from './undo-tool.ts';

export type { ToolDefinition, ToolEffect } from './define-tool.ts';

/**
 * Every built-in tool, declared once, by where it runs:
 *
 *   LOCAL_TOOLS    on the person's machine, by a gateway
 *   REMOTE_TOOLS   in the server
 *   PAUSE_TOOLS    nowhere: the turn pauses until a person answers, and the answer is the result
 *   PERSON_TOOLS   on the person's machine, and only a person asks for them: no model is offered them or can call them
 *
 * A tool stands in exactly one of the four; `ToolName` and the check at the end of this file keep it so. Their inputs are strict objects: a
 * field that a tool does not have would have no effect, and who sent it has to know (`tool-input.ts`).
 */
export type ToolKind = 'local' | 'remote' | 'pause';

const path = z.string().min(1).max(4_096).describe('Path inside the workspace, relative to it');
const folder = z.string().min(1).max(4_096).optional().describe('Folder inside the workspace to look in; the workspace itself when left out');

const edit = z.strictObject({
  oldText: z.string().min(1).describe('The exact text to replace, with its white space'),
  newText: z.string().describe('What to put in its place'),
  replaceAll: z.boolean().optional().describe('Replace every occurrence'),
});

const processId = z.string().min(1).max(20).describe('Such as p1, as a result or list_processes names it');

/** Keys that are no characters. */
export const TERMINAL_KEYS = [
  ...(['enter', 'tab', 'escape', 'backspace', 'delete', 'up', 'down', 'left', 'right', 'home', 'end', 'page_up', 'page_down'] as const),
  ...(['ctrl_a', 'ctrl_c', 'ctrl_d', 'ctrl_e', 'ctrl_k', 'ctrl_l', 'ctrl_n', 'ctrl_o', 'ctrl_p', 'ctrl_r', 'ctrl_u', 'ctrl_w', 'ctrl_x'] as const),
] as const;

export type TerminalKey = (typeof TERMINAL_KEYS)[number];

export const LOCAL_TOOLS = {
  read_file: define({
    description:
      'Read a text file of the workspace, whole or a range of lines. Lines are numbered from 1. Long files are cut and say so; ask for a range then. Pictures (PNG, JPEG, GIF, WebP) are shown to you, and of a PDF its text.',
    input: z.strictObject({
      path,
      startLine: z.number().int().min(1).optional().describe('First line to read'),
      endLine: z.number().int().min(1).optional().describe('Last line to read, included'),
    }),
    effect: 'read',
    subject: (input) => input.path,
  }),
  write_file: define({
    description:
      'Create a file in the workspace or replace its whole content. Missing folders are made. A file that is there already has to be read first, with read_file, and is not replaced when it was changed since. A text file keeps its encoding, its byte order mark and how its lines end.',
    input: z.strictObject({ path, content: z.string().describe('The whole new content') }),
    effect: 'write',
    subject: (input) => input.path,
  }),
  edit_file: define({
    description: 'Replace an exact piece of text in a file. The old text must stand in the file exactly once, unless replaceAll is true.',
    input: z.strictObject({ path, ...edit.shape }),
    effect: 'write',
    subject: (input) => input.path,
  }),
  multi_edit: define({
    description:
      'Make several replacements in one file, in order, each on the text that the one before has left. All are made, or none. Each old text must stand there exactly once, unless its replaceAll is true.',
    input: z.strictObject({ path, edits: z.array(edit).min(1).max(200).describe('The replacements, in order') }),
    effect: 'write',
    subject: (input) => input.path,
  }),
  apply_patch: define({
    description: [
      'Change several files in one step: add, update, delete and move them. All of it is done, or none. The patch has this form:',
      '*** Begin Patch\n*** Add File: path/new.txt\n+every line with a plus\n*** Update File: path/old.txt\n*** Move to: path/moved.txt\n@@ def a_line_above_the_place():\n line that stays, with one blank in front\n-line that goes\n+line that comes\n*** Delete File: path/gone.txt\n*** End Patch',
      'A hunk is found by its lines that stay and go, without numbers: give three that stay above and below, so that they stand in the file once, or name a line above them after @@. "*** Move to:" is only for a file that is moved. Paths are relative to the workspace.',
    ].join('\n\n'),
    input: z.strictObject({ patch: z.string().min(1).describe('The whole patch, from "*** Begin Patch" to "*** End Patch"') }),
    effect: 'write',
    // A rule is about exactly these files. A path holds no line's end.
    subject: (input) => patchPaths(input.patch).join('\n') || 'a patch that cannot be read',
  }),
  bash: define({
    description:
      'Run a shell command in the workspace and return its output and exit code. It starts where the one before it has ended (cd is kept), unless you name a folder. It has no terminal unless you ask for one, and no input. Long output is cut in the middle; read_process shows the rest.',
    input: z.strictObject({
      command: z.string().min(1).max(100_000).describe('The command, as for bash -c'),
      cwd: z
        .string()
        .min(1)
        .max(4_096)
        .optional()
        .describe('Folder inside the workspace to start in; "." is the workspace itself. Left out: where the command before has ended'),
      timeoutMs: z.number().int().min(100).max(3_600_000).optional().describe('Time limit in milliseconds; 120000 when left out'),
      background: z
        .boolean()
        .optional()
        .describe('Let it run on, such as a server, and answer after a second. It has no time limit then: timeoutMs is not heeded'),
      terminal: z
        .boolean()
        .optional()
        .describe('Run it in a terminal of 120 columns and 40 lines, for programs that want one. With background, write_process types into it'),
    }),
    effect: 'execute',
    // A rule for a command holds in one folder, and for one that ends: the same words elsewhere, or without an end, may do something else.
    subject: (input) => {
      const command = input.background ? `${input.command} &` : input.command;
      return input.cwd === undefined ? command : `cd '${input.cwd.replaceAll("'", "'\\''")}' && ${command}`;
    },
  }),
  list_processes: define({
    description: 'List what commands of this session have left running, and those whose long output is kept.',
    input: z.strictObject({}),
    effect: 'read',
    subject: () => '*',
  }),
  read_process: define({
    description: 'Read the output of a command that runs in the background, or whose output was too long for its result. Without fromByte: its end.',
    input: z.strictObject({
      id: processId,
      fromByte: z.number().int().min(0).optional().describe('Where to read from; each answer says where the next piece begins'),
      waitMs: z.number().int().min(0).max(60_000).optional().describe('Wait so long for it to say more or to end'),
    }),
    effect: 'read',
    subject: (input) => input.id,
  }),
  write_process: define({
    description:
      'Type into a command that runs in the background in a terminal (bash with background and terminal), and read what it says to that. The text is typed first, then the keys are pressed.',
    input: z.strictObject({
      id: processId,
      text: z.string().min(1).max(3_000).optional().describe('What to type. A new line in it is the Enter key; end it with one to send a line'),
      keys: z.array(z.enum(TERMINAL_KEYS)).min(1).max(50).optional().describe('Keys to press after that, in order'),
      waitMs: z.number().int().min(0).max(60_000).optional().describe('Wait at most so long for what it says to that; 2000 when left out'),
    }),
    effect: 'execute',
    // What the words do depends on what runs there: a rule from before knows nothing of that.
    isAlwaysAsked: true,
    subject: ({ id, text, keys }) => JSON.stringify([id, text ?? '', ...(keys ?? [])]),
  }),
  stop_process: define({
    description: 'End a command that runs in the background, with everything it has started.',
    input: z.strictObject({ id: processId }),
    effect: 'execute',
    subject: (input) => input.id,
  }),
  list_folder: define({
    description: 'List what is in one folder: subfolders first, files with their size, links with what they name. Hidden and ignored names too.',
    input: z.strictObject({ path: folder }),
    effect: 'read',
    subject: (input) => input.path ?? '.',
  }),
  glob: define({
    description:
      'List the files whose path matches a pattern such as "src/**/*.{ts,tsx}", newest first; without a slash it is about names at any depth. Hidden files are found too. What .gitignore names is left out, and .git.',
    input: z.strictObject({
      pattern: z.string().min(1).max(1_000).describe('*, ?, [abc], {a,b}, and ** for any folders; a backslash before a character means that character'),
      path: folder,
    }),
    effect: 'read',
    subject: (input) => input.pattern,
  }),
  grep: define({
    description:
      'Search file contents, line by line, with a regular expression (Rust syntax: no look-around, no backreferences). Answers with path:line:text. Hidden files are searched too. What .gitignore names is left out, and .git.',
    input: z.strictObject({
      pattern: z.string().min(1).max(10_000).describe('The regular expression'),
      path: folder.describe('Folder or file inside the workspace to look in; the workspace itself when left out'),
      glob: z.string().min(1).max(1_000).optional().describe('Only files whose path matches this pattern, as in glob'),
      ignoreCase: z.boolean().optional(),
      maxResults: z.number().int().min(1).max(2_000).optional().describe('At most so many lines; 200 when left out'),
    }),
    effect: 'read',
    subject: (input) => input.pattern,
  }),
  ...BROWSER_TOOLS,
} as const;

const planStep = z.strictObject({ title: z.string().min(1).max(500), status: z.enum(['todo', 'doing', 'done']) });

export const REMOTE_TOOLS = {
  update_plan: define({
    description: 'Show the person your plan as a list of steps and keep it up to date. Send the whole list each time.',
    input: z.strictObject({ steps: z.array(planStep).min(1).max(50) }),
    effect: 'read',
    subject: () => 'plan',
  }),
} as const;

const questionSchema = z.strictObject({
  question: z.string().min(1).max(2_000),
  options: z
    .array(z.strictObject({ label: z.string().min(1).max(200), description: z.string().max(1_000).optional() }))
    .max(9)
    .optional()
    .describe('Answers to choose from; the person can always write another'),
});

export const PAUSE_TOOLS = {
  ask_user_questions: define({
    description: 'Ask the person one or more questions and wait for the answers. Use it when you cannot go on well without knowing.',
    input: z.strictObject({ questions: z.array(questionSchema).min(1).max(10) }),
    effect: 'read',
    subject: (input) => input.questions[0]?.question ?? '',
  }),
} as const;

/** What a person sends as the result of `ask_user_questions`. */
export const answersSchema = z.object({
  answers: z
    .array(z.object({ question: z.string().max(2_000), answer: z.string().max(20_000) }))
    .min(1)
    .max(10),
});

export type Question = z.infer<typeof questionSchema>;
export type Answers = z.infer<typeof answersSchema>;
export type PlanStep = z.infer<typeof planStep>;
export type LocalToolName = keyof typeof LOCAL_TOOLS;
export type RemoteToolName = keyof typeof REMOTE_TOOLS;
export type PauseToolName = keyof typeof PAUSE_TOOLS;
export type ToolName = LocalToolName | RemoteToolName | PauseToolName | PersonToolName;
export type ToolInput<Name extends ToolName> = z.infer<(typeof ALL_TOOLS)[Name]['input']>;

const ALL_TOOLS = { ...LOCAL_TOOLS, ...REMOTE_TOOLS, ...PAUSE_TOOLS, ...PERSON_TOOLS };

type Overlap =
  | (LocalToolName & RemoteToolName)
  | (LocalToolName & PauseToolName)
  | (RemoteToolName & PauseToolName)
  | (PersonToolName & Exclude<ToolName, PersonToolName>);
/** Fails to compile when a name stands in two of the tables. */
export const TOOL_TABLES_ARE_DISJOINT: [Overlap] extends [never] ? true : Overlap = true;

export function toolKind(name: string): ToolKind | undefined {
  if (Object.hasOwn(LOCAL_TOOLS, name)) return 'local';
  if (Object.hasOwn(REMOTE_TOOLS, name)) return 'remote';
  if (Object.hasOwn(PAUSE_TOOLS, name)) return 'pause';
  return undefined;
}

/** The definition of a built-in tool, or undefined for a name that is none (an MCP tool, or an invention of the model). */
export function toolDefinition(name: string): ToolDefinition | undefined {
  return Object.hasOwn(ALL_TOOLS, name) ? (ALL_TOOLS[name as ToolName] as ToolDefinition) : undefined;
}

/** Whether a person decides each call of this tool, whatever rules there are. */
export function isAlwaysAsked(tool: string): boolean {
  return toolDefinition(tool)?.isAlwaysAsked === true;
}

/** What a stored rule would match for this call: exactly this subject, never the bare tool name. Input must have passed its schema. */
export function ruleSubject(tool: string, input: unknown): string {
  const definition = toolDefinition(tool);
  return definition ? definition.subject(input) : JSON.stringify(input);
}
