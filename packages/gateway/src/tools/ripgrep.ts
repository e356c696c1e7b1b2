import { spawn } from 'node:child_process';
import { running, shellEnvironment } from '@tendon/system';
import { rgPath } from '@vscode/ripgrep';
import { ToolFault } from './faults.ts';
import type { ToolContext } from './tool.ts';
import type { Folder } from './workspace.ts';

/** One record longer than this (a match in a minified file) is not read whole. */
const RECORD_BYTES = 512 * 1024;

export interface Search {
  readonly args: readonly string[];
  /** Held open by the caller: ripgrep begins in this very folder, whatever has its name by then. */
  readonly folder: Folder;
  /** The byte that ends a record of the output. */
  readonly recordEnd: number;
  /** Called with every record, or undefined for one that was too long. Answers false when nothing more is wanted. */
  readonly onRecord: (record: Buffer | undefined) => boolean;
}

/** Runs ripgrep to its end, or until no more records are wanted or the call is aborted. Errors: `ToolFault` that says what is wrong with the pattern. */
export async function search(context: ToolContext, what: Search): Promise<void> {
  const child = spawn(rgPath, [...what.args], {
    cwd: what.folder.base,
    env: shellEnvironment(process.env, context.callId),
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: context.signal,
    killSignal: 'SIGKILL',
  });
  await running(child);
  let faultText = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (faultText.length < 4_000) faultText += text;
  });
  let isEnough = false;
  const splitter = new RecordSplitter(what.recordEnd, what.onRecord);
  child.stdout.on('data', (chunk: Buffer) => {
    if (isEnough || splitter.add(chunk)) return;
    isEnough = true;
    child.kill('SIGKILL');
  });
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', (error) => (error.name === 'AbortError' ? undefined : reject(error)));
  });
  // 0: found, 1: nothing found, 2: a fault, though some files may have been searched.
  if (exitCode === 2 && !isEnough && !splitter.hasRecords) throw searchFault(faultText);
}

/** What ripgrep advises are options of its own, which nobody has who calls a tool. */
const OWN_WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /the literal .* is not allowed in a regex/,
    'The pattern holds the end of a line, but lines are searched one by one. Search for what stands in one of them; read_file shows those around it.',
  ],
  [
    /look-around|backreferences/,
    'The pattern has look-ahead, look-behind ((?=, (?!, (?<=, (?<!) or a backreference (\\1), which are not there in this kind of regular expression. Search for the rest of it, and choose among what is found.',
  ],
  [/exceeds size limit/, 'The pattern is too large when it is written out. Use smaller numbers of repetitions.'],
];

function searchFault(faultText: string): ToolFault {
  const [, own] = OWN_WORDS.find(([form]) => form.test(faultText)) ?? [];
  if (own !== undefined) return new ToolFault('search_failed', own);
  const words = faultText
    .trim()
    .replace(/^rg: /, '')
    .replace(/\n\nConsider .*$/s, '')
    .slice(0, 2_000);
  const hint = words.startsWith('regex parse error') ? '\nTo search for a character such as ( [ { * + ? . | itself, put a backslash before it.' : '';
  return new ToolFault('search_failed', `The search could not be done: ${words}${hint}`);
}

/** Cuts a stream of bytes at an end mark, in bounded memory. */
export class RecordSplitter {
  readonly #recordEnd: number;
  readonly #onRecord: (record: Buffer | undefined) => boolean;
  #pieces: Buffer[] = [];
  #bytes = 0;
  hasRecords = false;

  constructor(recordEnd: number, onRecord: (record: Buffer | undefined) => boolean) {
    this.#recordEnd = recordEnd;
    this.#onRecord = onRecord;
  }

  /** Answers false as soon as the receiver wants no more. */
  add(chunk: Buffer): boolean {
    let from = 0;
    for (let end = chunk.indexOf(this.#recordEnd); end !== -1; end = chunk.indexOf(this.#recordEnd, from)) {
      this.#keep(chunk.subarray(from, end));
      from = end + 1;
      if (!this.#emit()) return false;
    }
    this.#keep(chunk.subarray(from));
    return true;
  }

  #keep(piece: Buffer): void {
    this.#bytes += piece.length;
    if (this.#bytes <= RECORD_BYTES) this.#pieces.push(piece);
    else this.#pieces = [];
  }

  #emit(): boolean {
    const record = this.#bytes <= RECORD_BYTES ? Buffer.concat(this.#pieces) : undefined;
    this.#pieces = [];
    this.#bytes = 0;
    this.hasRecords = true;
    return this.#onRecord(record);
  }
}
