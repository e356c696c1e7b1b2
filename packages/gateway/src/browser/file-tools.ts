import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { textResult, utf8Bytes } from '@tendon/protocol';
import { cutBefore } from '@tendon/protocol/truncation';
import type { Download, FileChooser, Locator } from 'playwright-core';
import { ToolFault } from '../tools/faults.ts';
import { replaceFile } from '../tools/replace-file.ts';
import type { LocalTool, ToolContext } from '../tools/tool.ts';
import { openForReading, openTarget, removeEmptyFolders, type Workspace } from '../tools/workspace.ts';
import { locate } from './elements.ts';
import { pageState } from './page-state.ts';
import { within } from './time-limit.ts';
import { actOnPage, lookAtPage, type PageWork, settled } from './use-page.ts';

/** Playwright's own limit for files that are handed over as bytes. */
const UPLOAD_BYTES = 50 * 1024 * 1024 - 1;
const DOWNLOAD_BYTES = 100 * 1024 * 1024;
const MAX_NAMES = 1_000;

/** Pages look at the type. What stands here not is `application/octet-stream`. */
const TYPES: Readonly<Record<string, string>> = {
  ...{ '.txt': 'text/plain', '.md': 'text/markdown', '.csv': 'text/csv', '.html': 'text/html', '.json': 'application/json', '.pdf': 'application/pdf' },
  ...{ '.png': 'image/png', '.jpg': 'image/jpeg', '.jpeg': 'image/jpeg', '.gif': 'image/gif', '.webp': 'image/webp', '.svg': 'image/svg+xml' },
  ...{ '.zip': 'application/zip', '.xml': 'application/xml', '.mp3': 'audio/mpeg', '.mp4': 'video/mp4' },
};

interface UploadFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

export const browserUpload: LocalTool<'browser_upload'> = {
  name: 'browser_upload',
  async run(input, context) {
    const files = await readAll(context.workspace, input.paths);
    return actOnPage(context, async (work) => {
      const element = await locate(work, input);
      await putInto(work, element, files);
      return `Put ${files.map((file) => JSON.stringify(file.name)).join(', ')} into ${input.element ?? input.ref}.`;
    });
  },
};

/** The bytes and not the paths go to the browser: a path could lead elsewhere by the time it is opened. */
async function readAll(workspace: Workspace, paths: readonly string[]): Promise<UploadFile[]> {
  const files: UploadFile[] = [];
  let left = UPLOAD_BYTES;
  for (const path of paths) {
    const { handle } = await openForReading(workspace, path);
    try {
      const { size } = await handle.stat();
      left -= size;
      if (left < 0) throw new ToolFault('too_large', `The files have more than ${UPLOAD_BYTES + 1} bytes together. Upload fewer or smaller ones.`);
      files.push({ name: basename(path), mimeType: TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream', buffer: await handle.readFile() });
    } finally {
      await handle.close();
    }
  }
  return files;
}

async function putInto({ page, session, signal }: PageWork, element: Locator, files: readonly UploadFile[]): Promise<void> {
  const isField = await element.evaluate((node) => node instanceof HTMLInputElement && node.type === 'file');
  if (isField) return element.setInputFiles([...files], { timeout: session.limits.actionMs, signal });
  const asked = page.waitForEvent('filechooser', { timeout: session.limits.chooserMs, signal }).catch((): undefined => undefined);
  await element.click({ timeout: session.limits.actionMs, signal });
  const chooser: FileChooser | undefined = await asked;
  if (!chooser)
    throw new ToolFault('not_a_file_field', 'The page asked for no file when this was clicked. Choose the button or field that it asks for files with.');
  if (files.length > 1 && !chooser.isMultiple()) throw new ToolFault('too_many_files', 'The page asks for one file. Give one path.');
  await chooser.setFiles([...files]);
}

export const browserDownload: LocalTool<'browser_download'> = {
  name: 'browser_download',
  async run(input, context) {
    if (input.path !== undefined) await checkFree(context.workspace, input.path);
    return lookAtPage(context, async (work) => {
      const element = await locate(work, input);
      const download = await settled(work, () => started(work, element));
      const bytes = await received(work, download, context);
      const saved = await save(context.workspace, { bytes, asked: input.path, suggested: download.suggestedFilename() });
      return textResult('succeeded', `Saved as ${JSON.stringify(saved)} (${bytes.length} bytes).\n\n${await pageState(work.session)}`);
    });
  },
};

async function started({ session, signal }: PageWork, element: Locator): Promise<Download> {
  const offered = new Promise<Download | undefined>((resolve) => {
    session.takeDownload = resolve;
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
  try {
    await element.click({ timeout: session.limits.actionMs, signal });
    const download = await within(offered, session.limits.downloadMs, undefined);
    if (download) return download;
    throw new ToolFault('no_download', 'The page started no download when this was clicked. It may have opened a page instead: look at the snapshot below.');
  } finally {
    session.takeDownload = undefined;
  }
}

/** Its bytes, once it is complete. One that grows too large is ended on the way. */
async function received({ signal }: PageWork, download: Download, context: ToolContext): Promise<Buffer> {
  const cancel = (): void => void download.cancel().catch(() => undefined);
  signal.addEventListener('abort', cancel, { once: true });
  let isTooLarge = false;
  const watch = setInterval(async () => {
    const size = await largestIn(context.browser.artifacts);
    if (size <= DOWNLOAD_BYTES) return;
    isTooLarge = true;
    cancel();
  }, 250);
  try {
    const path = await download.path().catch(() => undefined);
    const failure = await download.failure().catch(() => 'the page was closed');
    if (!isTooLarge && path !== undefined && failure === null && (await stat(path)).size <= DOWNLOAD_BYTES) return await readFile(path);
    if (isTooLarge || (path !== undefined && failure === null))
      throw new ToolFault('too_large', `The file has more than ${DOWNLOAD_BYTES} bytes, and was not kept.`);
    // What is refused never comes to be a download: there is none before its first bytes.
    throw new ToolFault('download_failed', `The download broke off (${failure ?? 'no reason was given'}). Try again.`);
  } finally {
    clearInterval(watch);
    signal.removeEventListener('abort', cancel);
    await download.delete().catch(() => undefined);
  }
}

async function largestIn(folder: string | undefined): Promise<number> {
  if (folder === undefined) return 0;
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return Math.max(0, ...sizes);
}

/** Before anything is clicked. What was made for the look goes again: the download may fail. */
async function checkFree(workspace: Workspace, path: string): Promise<void> {
  const { folder, made, exists } = await openTarget(workspace, path);
  await folder.handle.close();
  await removeEmptyFolders(workspace, made);
  if (exists) throw taken(path);
}

function taken(path: string): ToolFault {
  return new ToolFault('already_there', `${JSON.stringify(path)} exists already, and a download replaces nothing. Choose another path.`);
}

/** Takes only a name that is free in the very moment: another session may download a file of the same name. */
async function save(workspace: Workspace, file: { bytes: Buffer; asked: string | undefined; suggested: string }): Promise<string> {
  if (file.asked !== undefined) {
    if (!(await isSavedAs(workspace, file.asked, file.bytes))) throw taken(file.asked);
    return file.asked;
  }
  const name = safeName(file.suggested);
  const extension = extname(name);
  const stem = name.slice(0, name.length - extension.length);
  for (let count = 1; count <= MAX_NAMES; count += 1) {
    const path = `downloads/${count === 1 ? name : `${stem} (${count})${extension}`}`;
    if (await isSavedAs(workspace, path, file.bytes)) return path;
  }
  throw new ToolFault('already_there', `downloads has ${MAX_NAMES} files of that name. Give a path.`);
}

/** False when something has that name. */
async function isSavedAs(workspace: Workspace, path: string, data: Buffer): Promise<boolean> {
  try {
    await replaceFile(workspace, { path, data, mustBeNew: true });
    return true;
  } catch (error) {
    if (error instanceof ToolFault && ['already_exists', 'is_folder', 'not_a_file', 'link_to_nothing'].includes(error.code)) return false;
    throw error;
  }
}

/** A name that the page has chosen: one file name, not hidden, of characters that can be seen. */
export function safeName(suggested: string): string {
  const name = basename(suggested.toWellFormed().replaceAll('\\', '/'))
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}/:*?"<>|]/gu, '_')
    .replace(/^[.\s]+/, '')
    .trim();
  const extension = atMost(extname(name), { units: 20, bytes: 60 });
  const stem = atMost(name.slice(0, name.length - extname(name).length), { units: 80, bytes: 180 });
  return stem === '' ? 'download' : `${stem}${extension}`;
}

/** A file system counts bytes: 255 for a name. No character is halved. */
function atMost(text: string, most: { readonly units: number; readonly bytes: number }): string {
  let end = text.length > most.units ? cutBefore(text, most.units) : text.length;
  while (utf8Bytes(text.slice(0, end)) > most.bytes) end = cutBefore(text, end - 1);
  return text.slice(0, end);
}
