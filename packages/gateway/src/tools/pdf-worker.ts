import { readFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { extractText, getDocumentProxy } from 'unpdf';

/*
 * A thread of its own: what is in a PDF is a stranger's, and what takes too long or too much is ended with the thread.
 * Given: the number of an open file. Answers: the text of each page, or why there is none.
 */

export type PdfAnswer = { readonly pages: readonly string[] } | { readonly fault: 'locked' | 'damaged' };

async function read(): Promise<PdfAnswer> {
  try {
    const document = await getDocumentProxy(new Uint8Array(readFileSync(workerData as number)));
    return { pages: (await extractText(document, { mergePages: false })).text };
  } catch (error) {
    return { fault: error instanceof Error && error.name === 'PasswordException' ? 'locked' : 'damaged' };
  }
}

parentPort?.postMessage(await read());
