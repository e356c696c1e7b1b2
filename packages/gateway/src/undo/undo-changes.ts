import { join } from 'node:path';
import { failedResult, type OtherWork, type ToolInput, type ToolResult, textResult, type UndoneFile } from '@tendon/protocol';
import { makeChanges } from '../tools/change-files.ts';
import { ToolFault } from '../tools/faults.ts';
import type { FileStamp } from '../tools/file-stamp.ts';
import type { FileWork } from '../tools/file-work.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from '../tools/tool.ts';
import { removeEmptyFolders } from '../tools/workspace.ts';
import { queueKey } from '../tools/write-file.ts';
import { type FileHistory, historiesOf, lookAt, plainPath } from './file-histories.ts';
import { type FilePlan, planFile } from './undo-plan.ts';

/** So many files and other calls are named in the words of a result; the page has them all. */
const NAMED = 100;
const WHY_UNITS = 500;

interface Planned {
  readonly history: FileHistory;
  readonly plan: FilePlan;
  readonly stamp: FileStamp | undefined;
}

/**
 * Puts back what this gateway itself kept of the calls of this very session, and only where the file is what they left there. Whatever a server
 * asks for, no other content comes into a file, and no file that anybody else has changed since is touched. What goes by it is kept in its turn.
 */
export function undoChangesTool({ queue }: FileWork): LocalTool<'undo_changes'> {
  return {
    name: 'undo_changes',
    run: async (input, context) => {
      const histories = await historiesOf(input, context);
      const keys = histories.flatMap(({ paths, place }) => [...paths, place].map((path) => queueKey(context, path)));
      return queue.runAll(keys, () => undoAll(input, histories, context));
    },
  };
}

async function undoAll(input: ToolInput<'undo_changes'>, histories: readonly FileHistory[], context: ToolContext): Promise<ToolResult> {
  const planned: Planned[] = [];
  for (const history of histories) {
    const { now, stamp } = await lookAt(context.workspace, history.place);
    planned.push({ history, plan: planFile(history.lines, now), stamp });
  }
  const undone = new Map<string, UndoneFile>();
  // A file that was moved goes from its new place only when it is back at the old one.
  for (const one of [...planned.filter(({ plan }) => plan.kind !== 'remove'), ...planned.filter(({ plan }) => plan.kind === 'remove')]) {
    if (context.signal.aborted) break;
    const file = await undoOne(one, undone, context);
    // Of two files that had one name the one that is not back decides what is said of it.
    for (const path of one.history.paths) {
      const said = undone.get(path)?.outcome;
      if (said !== 'left' && said !== 'impossible') undone.set(path, { ...file, path });
    }
  }
  await removeNewFolders(planned, undone, context);
  if (!context.signal.aborted) nameUnknown(input, undone, context);
  return resultOf([...undone.values()], input.others, context);
}

/** Folders that came with files which are not there any more go with them, when nothing else is in them. */
async function removeNewFolders(planned: readonly Planned[], undone: ReadonlyMap<string, UndoneFile>, { workspace }: ToolContext): Promise<void> {
  const gone = planned.filter(({ history }) => history.paths.every((path) => ['removed', 'unchanged'].includes(undone.get(path)?.outcome ?? '')));
  const folders = new Set(gone.flatMap(({ history }) => history.lines.flatMap(({ newFolders }) => newFolders ?? [])));
  await removeEmptyFolders(
    workspace,
    [...folders].sort((a, b) => a.length - b.length).map((folder) => join(workspace.root, folder)),
  );
}

function nameUnknown(input: ToolInput<'undo_changes'>, undone: Map<string, UndoneFile>, { workspace }: ToolContext): void {
  for (const asked of input.files) {
    const path = plainPath(workspace, asked);
    if (!undone.has(path)) undone.set(path, { path, outcome: 'impossible', why: 'this machine keeps nothing of what it was' });
  }
}

type Outcome = Pick<UndoneFile, 'outcome' | 'why'>;

async function undoOne({ history, plan, stamp }: Planned, undone: ReadonlyMap<string, UndoneFile>, context: ToolContext): Promise<Outcome> {
  if (plan.kind === 'unchanged') return { outcome: 'unchanged' };
  if (plan.kind === 'left' || plan.kind === 'impossible') return { outcome: plan.kind, why: plan.why.slice(0, WHY_UNITS) };
  const missing =
    plan.kind === 'remove' ? history.lines.map(({ movedFrom }) => movedFrom).find((path) => path !== undefined && !isBack(undone.get(path))) : undefined;
  if (missing !== undefined) return { outcome: 'left', why: `it was moved here from ${JSON.stringify(missing)}, which is not put back` };
  try {
    return await carryOut({ place: history.place, plan, stamp }, context);
  } catch (error) {
    if (error instanceof ToolFault) return { outcome: 'left', why: error.message.slice(0, WHY_UNITS) };
    throw error;
  }
}

function isBack(file: UndoneFile | undefined): boolean {
  return file?.outcome === 'restored' || file?.outcome === 'unchanged';
}

interface Step {
  readonly place: string;
  readonly plan: Extract<FilePlan, { kind: 'restore' | 'remove' }>;
  readonly stamp: FileStamp | undefined;
}

async function carryOut({ place, plan, stamp }: Step, context: ToolContext): Promise<Outcome> {
  const expected = stamp ?? 'absent';
  if (plan.kind === 'remove') {
    await makeChanges(context, [{ path: place, expected }]);
    return { outcome: 'removed' };
  }
  const data = await context.snapshots.read(plan.hash);
  if (!data) return { outcome: 'impossible', why: 'what it was is no longer kept: it was too long ago, or too much came after it' };
  await makeChanges(context, [{ path: place, data, expected, mode: plan.mode }]);
  return { outcome: 'restored' };
}

function resultOf(undone: readonly UndoneFile[], others: readonly OtherWork[], context: ToolContext): ToolResult {
  const text = [...wordsOf(undone), ...wordsOfOthers(others)].join('\n');
  const meta = { undone: [...undone] };
  if (context.signal.aborted) return endedEarly(endReason(context.signal), text, meta);
  if (undone.some(({ outcome }) => outcome !== 'left' && outcome !== 'impossible')) return textResult('succeeded', text, meta);
  return failedResult('nothing_undone', `No file was put back.\n${text}`, meta);
}

const HEADINGS: Readonly<Record<UndoneFile['outcome'], string>> = {
  restored: 'Put back as before',
  removed: 'Removed, because the turn had made them',
  unchanged: 'As before already',
  left: 'Left alone',
  impossible: 'Not possible',
};

function wordsOf(undone: readonly UndoneFile[]): string[] {
  return Object.entries(HEADINGS).flatMap(([outcome, heading]) => {
    const files = undone.filter((file) => file.outcome === outcome);
    return files.length === 0 ? [] : [`${heading}: ${listed(files.map(({ path, why }) => JSON.stringify(path) + (why === undefined ? '' : ` (${why})`)))}.`];
  });
}

function wordsOfOthers(others: readonly OtherWork[]): string[] {
  return others.length === 0
    ? []
    : [`Not undone, because only file changes can be: ${listed(others.map(({ tool, what }) => `${tool} ${JSON.stringify(what)}`))}.`];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
