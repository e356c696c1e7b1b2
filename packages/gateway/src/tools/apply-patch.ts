import { basename, dirname, join } from 'node:path';
import { type PatchSection, parsePatchText, sectionPaths, type ToolInput, type ToolMeta, type ToolResult, textResult } from '@tendon/protocol';
import { FILE_BYTES } from '../undo/snapshots.ts';
import { type FileChange, makeChanges } from './change-files.ts';
import { fileFault, ToolFault } from './faults.ts';
import { diffMeta } from './file-diff.ts';
import { applyHunks } from './file-lines.ts';
import { isSameStamp } from './file-stamp.ts';
import type { FileWork } from './file-work.ts';
import type { SeenFiles } from './seen-files.ts';
import { encodeFor, lookAtFile, readWholeText, type TextFile } from './text-file.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from './tool.ts';
import { locateFolder, wordsInside } from './workspace.ts';
import { queueKey } from './write-file.ts';

/** More is not one change that a person can look at. */
const MAX_SECTIONS = 200;
/** What the diffs of all files together may have; the card shows the counts of the others. */
const MAX_DIFF_UNITS = 256 * 1024;
const NAMED_FAULTS = 10;

/** What one section of the patch comes to: the steps on the disk, and the words about it. */
interface Planned {
  readonly section: PatchSection;
  readonly changes: readonly FileChange[];
  /** Of what is read first: where it truly is. */
  readonly truePath?: string;
  readonly meta: ToolMeta;
}

export function applyPatchTool(files: FileWork): LocalTool<'apply_patch'> {
  return { name: 'apply_patch', run: (input, context) => applyPatch(files, input, context) };
}

async function applyPatch({ queue, seen }: FileWork, { patch }: ToolInput<'apply_patch'>, context: ToolContext): Promise<ToolResult> {
  const sections = await changingNothing(() => readPatch(patch, context));
  return queue.runAll(
    sections.flatMap(sectionPaths).map((path) => queueKey(context, path)),
    async () => {
      const planned = await changingNothing(() => planAll(seen, sections, context));
      if (context.signal.aborted) return endedEarly(endReason(context.signal), 'Nothing was changed.');
      await makeAll(seen, planned, context);
      return textResult('succeeded', planned.map(wordsOf).join('\n'), metaOf(planned));
    },
  );
}

async function changingNothing<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof ToolFault ? new ToolFault(error.code, `${error.message}\nNothing was changed.`, { cause: error }) : error;
  }
}

function readPatch(patch: string, context: ToolContext): readonly PatchSection[] {
  const parsed = parsePatchText(patch);
  if (!parsed.ok) throw new ToolFault('invalid_patch', parsed.message);
  const { sections } = parsed;
  if (sections.length > MAX_SECTIONS) throw new ToolFault('too_large', `The patch is about ${sections.length} files; at most ${MAX_SECTIONS} go into one.`);
  checkEachOnce(context, sections);
  return sections;
}

/** What a path means must not hang on what another section makes of it. */
function checkEachOnce(context: ToolContext, sections: readonly PatchSection[]): void {
  const lines = new Map<string, number>();
  for (const section of sections) {
    const [own, moveTo] = sectionPaths(section).map((path) => wordsInside(context.workspace, path));
    if (own === moveTo)
      throw new ToolFault('invalid_patch', `${JSON.stringify(section.path)} (line ${section.line}) is moved to its own path. Leave "*** Move to:" out.`);
    for (const path of sectionPaths(section)) {
      const words = wordsInside(context.workspace, path);
      const before = lines.get(words);
      if (before !== undefined)
        throw new ToolFault(
          'invalid_patch',
          `${JSON.stringify(path)} stands in the patch twice, at lines ${before} and ${section.line}. Put all that is to become of a file into one section; a file that is deleted has no further one.`,
        );
      lines.set(words, section.line);
    }
  }
  for (const words of lines.keys()) {
    for (let folder = dirname(words); folder !== '.'; folder = dirname(folder))
      if (lines.has(folder))
        throw new ToolFault(
          'invalid_patch',
          `${JSON.stringify(words)} cannot be: ${JSON.stringify(folder)} is a file of this patch, and nothing can be below a file. Choose another path, or delete that file first, in a patch of its own.`,
        );
  }
}

/** Every file's new content, before anything is written. All that is wrong is told at once. */
async function planAll(seen: SeenFiles, sections: readonly PatchSection[], context: ToolContext): Promise<Planned[]> {
  const planned: Planned[] = [];
  const faults: ToolFault[] = [];
  for (const section of sections) {
    try {
      planned.push(await plan(seen, section, context));
    } catch (error) {
      const fault = error instanceof ToolFault ? error : fileFault(section.path, error);
      if (!(fault instanceof ToolFault)) throw error;
      faults.push(fault);
    }
  }
  const [first] = faults;
  if (first) {
    const words = faults.slice(0, NAMED_FAULTS).map((fault) => fault.message);
    if (faults.length > NAMED_FAULTS) words.push(`${faults.length - NAMED_FAULTS} more files do not fit.`);
    throw new ToolFault(first.code, words.join('\n'), { cause: first });
  }
  checkTruePaths(planned);
  return planned;
}

function checkTruePaths(planned: readonly Planned[]): void {
  const byPlace = new Map<string, string>();
  for (const { truePath, section } of planned) {
    if (truePath === undefined) continue;
    const other = byPlace.get(truePath);
    if (other !== undefined)
      throw new ToolFault('invalid_patch', `${JSON.stringify(other)} and ${JSON.stringify(section.path)} are one file. Put its hunks into one section.`);
    byPlace.set(truePath, section.path);
  }
}

async function plan(seen: SeenFiles, section: PatchSection, context: ToolContext): Promise<Planned> {
  const { path } = section;
  if (section.kind === 'add') {
    await checkFree(context, { path, fileName: 'name.txt', hint: 'Change it with "*** Update File:", or choose another path' });
    return { section, changes: [{ path, data: Buffer.from(section.text, 'utf8'), expected: 'absent' }], meta: diffMeta(path, '', section.text) };
  }
  if (section.kind === 'delete') return planDelete(seen, section, context);
  const file = await readWholeText(context.workspace, path).catch((error: unknown) => {
    if (!(error instanceof ToolFault && error.code === 'not_found')) throw error;
    throw new ToolFault('not_found', `${error.message} A file that is to be made is added with "*** Add File:".`);
  });
  const former = { data: file.bytes, mode: file.mode };
  const { truePath, stamp: expected } = file;
  const text = applyHunks(file.text, path, section.hunks);
  if (text === file.text && section.moveTo === undefined)
    throw new ToolFault(
      'invalid_patch',
      `The section for ${JSON.stringify(path)} (line ${section.line}) changes nothing: what comes is what stands there already. Leave it out, or give other lines.`,
    );
  const data = encodeFor(path, text, file.encoding);
  if (section.moveTo === undefined) return { section, truePath, changes: [{ path, data, expected, former }], meta: diffMeta(path, file.text, text) };
  await checkNoLink(context, path, truePath);
  await checkFree(context, {
    path: section.moveTo,
    fileName: basename(path),
    hint: 'Choose another path, or delete that file first, in a patch of its own',
  });
  const changes: FileChange[] = [
    { path: section.moveTo, data, expected: 'absent', mode: file.mode, movedFrom: path },
    { path, expected, former },
  ];
  return { section, truePath, changes, meta: diffMeta({ from: path, to: section.moveTo }, file.text, text) };
}

/** Whatever is in it: what cannot be shown as text is kept for an undo all the same, and put back out of that. */
async function planDelete(seen: SeenFiles, section: PatchSection, context: ToolContext): Promise<Planned> {
  const { path } = section;
  const file = await readToDelete(context, path);
  const { truePath, stamp: expected } = file;
  const read = seen.stamp(context.sessionId, truePath);
  // A hunk carries the text that it expects; what goes as a whole has to be what was seen.
  if (read && !isSameStamp(read, expected))
    throw new ToolFault('changed_since_read', `${JSON.stringify(path)} was changed by someone else since you read it. Read it again before you delete it.`);
  await checkNoLink(context, path, truePath);
  const isText = 'text' in file;
  const former = isText ? { former: { data: file.bytes, mode: file.mode } } : {};
  return { section, truePath, changes: [{ path, expected, ...former }], meta: isText ? diffMeta(path, file.text, '') : {} };
}

async function readToDelete({ workspace }: ToolContext, path: string): Promise<TextFile | Pick<TextFile, 'stamp' | 'truePath'>> {
  try {
    return await readWholeText(workspace, path);
  } catch (error) {
    if (!(error instanceof ToolFault)) throw error;
    if (error.code === 'not_found')
      throw new ToolFault(
        'not_found',
        `${JSON.stringify(path)} does not exist, so it cannot be deleted. Leave its section out, or use glob to find the right path.`,
      );
    if (!['binary_file', 'unknown_encoding', 'too_large'].includes(error.code)) throw error;
  }
  const file = await lookAtFile(workspace, path);
  if (file.stamp.size > FILE_BYTES)
    throw new ToolFault(
      'too_large',
      `${JSON.stringify(path)} has ${file.stamp.size} bytes; over ${FILE_BYTES} nothing is kept for an undo, so a patch does not delete it. Use bash (rm) for this file.`,
    );
  return file;
}

interface WantedPlace {
  readonly path: string;
  /** What the file is called, for who names a folder. */
  readonly fileName: string;
  readonly hint: string;
}

async function checkFree(context: ToolContext, { path, fileName, hint }: WantedPlace): Promise<void> {
  if (wordsInside(context.workspace, path) === '.' || path.endsWith('/'))
    throw new ToolFault('is_folder', `${JSON.stringify(path)} names a folder. Name the file in it, such as ${JSON.stringify(join(path, fileName))}.`);
  const isFree = await readWholeText(context.workspace, path).then(
    () => false,
    (error: unknown) => {
      if (!(error instanceof ToolFault)) throw error;
      if (error.code === 'is_folder')
        throw new ToolFault('is_folder', `${JSON.stringify(path)} is a folder. Name the file in it, such as ${JSON.stringify(join(path, fileName))}.`);
      if (['binary_file', 'unknown_encoding', 'too_large', 'no_permission', 'not_a_file'].includes(error.code)) return false;
      if (error.code === 'not_found') return true;
      throw error;
    },
  );
  if (!isFree) throw new ToolFault('already_exists', `${JSON.stringify(path)} exists already. ${hint}.`);
}

/** To delete or move a link and to delete or move what it names are two things. */
async function checkNoLink(context: ToolContext, path: string, truePath: string): Promise<void> {
  const words = wordsInside(context.workspace, path);
  const folder = await locateFolder(context.workspace, dirname(words));
  if (join(folder, basename(words)) !== truePath)
    throw new ToolFault('is_link', `${JSON.stringify(path)} is a link. Name the file that it leads to, or use bash for the link itself.`);
}

async function makeAll(seen: SeenFiles, planned: readonly Planned[], context: ToolContext): Promise<void> {
  const changes = planned.flatMap((one) => one.changes);
  // What comes is there before what goes is taken away.
  const inOrder = [...changes.filter(({ data }) => data !== undefined), ...changes.filter(({ data }) => data === undefined)];
  const replaced = await makeChanges(context, inOrder);
  const { sessionId } = context;
  for (const [index, { expected }] of inOrder.entries()) {
    const now = replaced[index];
    const read = now && seen.stamp(sessionId, now.truePath);
    // Who had not seen the whole of it as it was has still not seen what others did to the rest.
    const isSeen = expected === 'absent' || (read && expected && isSameStamp(read, expected));
    if (now && isSeen) seen.remember(sessionId, now.truePath, now.stamp);
  }
  for (const { section, truePath } of planned) if (truePath !== undefined && sectionPaths(section).length > 1) seen.forget(sessionId, truePath);
}

function wordsOf({ section, meta }: Planned): string {
  const path = JSON.stringify(section.path);
  const counts = `(+${meta.added ?? '?'} -${meta.removed ?? '?'} lines)`;
  if (section.kind === 'add') return `Added ${path} ${counts}.`;
  if (section.kind === 'delete') return `Deleted ${path}.`;
  return section.moveTo === undefined ? `Updated ${path} ${counts}.` : `Moved ${path} to ${JSON.stringify(section.moveTo)} ${counts}.`;
}

function metaOf(planned: readonly Planned[]): ToolMeta {
  const metas = planned.map((one) => one.meta);
  const sum = (values: readonly (number | undefined)[]): number => values.reduce<number>((total, value) => total + (value ?? 0), 0);
  const diff = metas.map((meta) => meta.diff ?? '').join('');
  return {
    added: sum(metas.map((meta) => meta.added)),
    removed: sum(metas.map((meta) => meta.removed)),
    ...(diff !== '' && diff.length <= MAX_DIFF_UNITS ? { diff } : {}),
  };
}
