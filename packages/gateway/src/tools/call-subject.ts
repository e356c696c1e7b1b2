import { parsePatchText, type ToolInput } from '@tendon/protocol';
import type { FileUse, PolicySubject } from '../policy/policy-subject.ts';
import { shellCommands } from '../policy/shell-commands.ts';
import type { MachineToolName } from './tool.ts';
import { type Workspace, wordsInside } from './workspace.ts';

export interface AskedCall {
  readonly tool: MachineToolName;
  /** As its schema has it. */
  readonly input: unknown;
  /** What the tool's definition says that a rule is about. */
  readonly written: string;
}

/** Their subject is a path, or several, one on a line. */
const PATH_TOOLS = new Set<MachineToolName>(['read_file', 'write_file', 'edit_file', 'multi_edit', 'apply_patch', 'undo_changes', 'list_folder']);

/**
 * The files whose content a tool shows, sends or moves, or that it tries guesses on: an edit that does not fit says what stands there instead,
 * a moved file can be read under its new name.
 */
const SHOWN: { readonly [Name in MachineToolName]?: (input: ToolInput<Name>) => readonly string[] } = {
  // Whether it is a folder shows only when it is opened.
  grep: ({ path }) => (path === undefined ? [] : [path]),
  edit_file: ({ path }) => [path],
  multi_edit: ({ path }) => [path],
  apply_patch: ({ patch }) => formerPaths(patch),
  browser_upload: ({ paths }) => paths,
};

export function opensFiles(tool: MachineToolName): boolean {
  return PATH_TOOLS.has(tool) || tool in SHOWN || tool === 'browser_download';
}

export function subjectOf({ tool, input, written }: AskedCall, workspace: Workspace): PolicySubject {
  const shown = (SHOWN[tool] as ((input: unknown) => readonly string[]) | undefined)?.(input) ?? [];
  const made = tool === 'browser_download' ? ((input as ToolInput<'browser_download'>).path ?? 'downloads/') : undefined;
  return {
    ...(PATH_TOOLS.has(tool) ? ofPaths(pathsOf({ tool, input, written }), workspace) : ofWords(written)),
    ...(tool === 'bash' ? { commands: shellCommands(written) } : {}),
    ...(shown.length === 0 ? {} : { reads: ofPaths(shown, workspace) }),
    ...(made === undefined ? {} : { writes: ofPaths([made], workspace) }),
  };
}

/** What rules are about when the call has come to a file: where it truly is, whatever led there. */
export function subjectAt({ tool, written }: AskedCall, path: string, use: FileUse): PolicySubject {
  const file = ofWords(path);
  const own = PATH_TOOLS.has(tool) ? file : ofWords(written);
  if (tool === 'browser_download') return { ...own, writes: file };
  return use === 'read' && tool in SHOWN ? { ...own, reads: file } : own;
}

/** A rule that forbids or asks is about each of the files; one that allows must allow them all. */
function pathsOf({ tool, input, written }: AskedCall): readonly string[] {
  if (tool === 'apply_patch') return written.split('\n');
  // One on a line may be read in another way: a name can have a line break in it.
  return tool === 'undo_changes' ? [...written.split('\n'), ...(input as ToolInput<'undo_changes'>).files] : [written];
}

function ofWords(written: string): PolicySubject {
  return { written, readings: [], commands: [] };
}

function ofPaths(paths: readonly string[], workspace: Workspace): PolicySubject {
  const [first = '', ...others] = paths;
  return { written: first, readings: [...others, ...paths.map((path) => straightPath(workspace, path))], commands: [] };
}

function formerPaths(patch: string): readonly string[] {
  const parsed = parsePatchText(patch);
  return parsed.ok ? parsed.sections.filter(({ kind }) => kind !== 'add').map(({ path }) => path) : [];
}

function straightPath(workspace: Workspace, path: string): string {
  try {
    return wordsInside(workspace, path);
  } catch {
    // Not inside the workspace: the tool itself will refuse it.
    return path;
  }
}
