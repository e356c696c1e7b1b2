import type { FileHandle } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { ToolFault } from './faults.ts';
import type { PdfAnswer } from './pdf-worker.ts';

const PDF_BYTES = 32 * 1024 * 1024;
const PDF_MS = 20_000;
const PDF_MEMORY_MB = 512;
const PDF_LOOK_EVERY_MS = 50;

export function isPdf(probe: Uint8Array): boolean {
  return Buffer.from(probe.subarray(0, 5)).toString('latin1') === '%PDF-';
}

/**
 * The lines of a PDF's text, with a line before each page that says its number. Nothing of the file is run or fetched. Undefined
 * when it is called off. Errors: `ToolFault` for one that is too large, locked, damaged, or takes longer than 20 s.
 */
export async function linesOfPdf(
  path: string,
  handle: FileHandle,
  { size, signal }: { readonly size: number; readonly signal: AbortSignal },
): Promise<string[] | undefined> {
  if (size > PDF_BYTES)
    throw new ToolFault(
      'too_large',
      `${JSON.stringify(path)} has ${size} bytes; PDFs of up to ${PDF_BYTES} are read. Use bash with pdftotext and a range of pages.`,
    );
  const answer = await answerOf(handle.fd, signal);
  if (signal.aborted) return undefined;
  if (answer === undefined)
    throw new ToolFault(
      'unreadable',
      `The text of ${JSON.stringify(path)} could not be read in ${PDF_MS / 1_000} s and ${PDF_MEMORY_MB} MB. Use bash with pdftotext and a range of pages.`,
    );
  if ('fault' in answer && answer.fault === 'locked')
    throw new ToolFault('locked', `${JSON.stringify(path)} is locked with a password. Ask the person for a copy without one.`);
  if ('fault' in answer)
    throw new ToolFault('unreadable', `${JSON.stringify(path)} begins like a PDF and cannot be read as one. It may be damaged or cut off.`);
  if (answer.pages.every((text) => text.trim() === ''))
    throw new ToolFault(
      'no_text',
      `${JSON.stringify(path)} has ${answer.pages.length} pages and no text in them: they are pictures, such as a scan. Use bash with pdftoppm and read a page as a picture.`,
    );
  return answer.pages.flatMap((text, index) => [`--- page ${index + 1} of ${answer.pages.length} ---`, ...text.split('\n')]);
}

/** Undefined when it took too long or too much. Whatever it answers, its thread is over: the file may be closed. */
async function answerOf(fd: number, signal: AbortSignal): Promise<PdfAnswer | undefined> {
  const worker = new Worker(new URL('./pdf-worker.ts', import.meta.url), {
    workerData: fd,
    resourceLimits: { maxOldGenerationSizeMb: PDF_MEMORY_MB },
    // What the library says is for nobody.
    ...{ stdout: true, stderr: true, env: {} },
  });
  const over = new AbortController();
  try {
    return await Promise.race([firstWord(worker, signal), tooMuch(worker, over.signal)]);
  } finally {
    over.abort();
    await worker.terminate();
  }
}

function firstWord(worker: Worker, signal: AbortSignal): Promise<PdfAnswer | undefined> {
  return new Promise((resolve) => {
    const settle = (answer: PdfAnswer | undefined): void => {
      clearTimeout(deadline);
      signal.removeEventListener('abort', giveUp);
      resolve(answer);
    };
    const giveUp = (): void => settle(undefined);
    const deadline = setTimeout(giveUp, PDF_MS);
    if (signal.aborted) giveUp();
    signal.addEventListener('abort', giveUp, { once: true });
    worker.once('message', settle).once('error', giveUp).once('exit', giveUp);
  });
}

/** Resolves when the thread holds more than it may. Its resource limits do not count buffers, into which a small file can unfold without end. */
async function tooMuch(worker: Worker, signal: AbortSignal): Promise<undefined> {
  while (!signal.aborted) {
    // It does not tell while it ends: then its first word settles the matter.
    const held = await worker.getHeapStatistics().catch(() => undefined);
    if (held && held.total_heap_size + held.external_memory > PDF_MEMORY_MB * 1024 * 1024) return;
    await delay(PDF_LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}
