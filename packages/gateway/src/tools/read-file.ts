import type { FileHandle } from 'node:fs/promises';
import { type ToolInput, type ToolResult, textResult } from '@tendon/protocol';
import { cutBefore } from '@tendon/protocol/truncation';
import { ToolFault } from './faults.ts';
import type { FileWork } from './file-work.ts';
import { imageType, readImage } from './read-image.ts';
import { isPdf, linesOfPdf } from './read-pdf.ts';
import type { SeenFiles } from './seen-files.ts';
import { encodingOfMark, type FoundEncoding, nameOfEncoding, type TextEncoding } from './text-encoding.ts';
import { checkIsText, encodingOfFile, probe } from './text-file.ts';
import { endedEarly, endReason, type LocalTool, type ToolContext } from './tool.ts';
import { openForReading } from './workspace.ts';

/** What one answer holds at most. The rest can be asked for by line. */
const MAX_LINES = 2_000;
const MAX_UNITS = 128 * 1024;
const MAX_LINE_UNITS = 4_000;
const EMPTY = '(The file is empty.)';

interface Reading {
  /** Number of the line that comes next. */
  line: number;
  units: number;
  readonly shown: string[];
  readonly note: string | undefined;
  hasReplacements: boolean;
}

export function readFileTool({ seen }: FileWork): LocalTool<'read_file'> {
  return { name: 'read_file', run: (input, context) => read(seen, input, context) };
}

async function read(seen: SeenFiles, input: ToolInput<'read_file'>, context: ToolContext): Promise<ToolResult> {
  if (input.endLine !== undefined && input.endLine < (input.startLine ?? 1)) {
    throw new ToolFault('invalid_input', `endLine ${input.endLine} lies before startLine ${input.startLine ?? 1}. Give them in order.`);
  }
  const { handle, path } = await openForReading(context.workspace, input.path);
  try {
    const { ino, size, mtimeMs } = await handle.stat();
    const head = await probe(handle);
    const mimeType = imageType(head);
    const remember = (): void => seen.remember(context.sessionId, path, { ino, size, mtimeMs });
    // What it is was seen, also where it cannot be shown: a PDF can be text as well, which write_file replaces.
    if (mimeType !== undefined || isPdf(head)) remember();
    if (mimeType !== undefined && (input.startLine ?? input.endLine) !== undefined)
      throw new ToolFault('invalid_input', `${JSON.stringify(input.path)} is a picture and has no lines. Leave startLine and endLine out.`);
    if (mimeType !== undefined) return await readImage(input.path, handle, { size, mimeType });
    if (isPdf(head)) {
      const lines = await linesOfPdf(input.path, handle, { size, signal: context.signal });
      return lines ? await readLines({ lines }, input, size) : endedEarly(endReason(context.signal), '');
    }
    checkIsText(input.path, head, size);
    const found = await encodingOfFile(handle, size);
    const encoding = found === 'damaged' || found === 'unknown' ? (encodingOfMark(head) ?? 'utf-8') : found;
    const result = await readLines({ lines: linesOf(handle, encoding, context.signal), note: noteOf(found, encoding) }, input, size);
    // The stamp of before the reading: what was changed while it was read counts as changed since.
    remember();
    return result;
  } finally {
    await handle.close();
  }
}

/** What of the encoding has to be known by whoever changes the file. */
function noteOf(found: FoundEncoding, encoding: TextEncoding): string | undefined {
  const name = nameOfEncoding(encoding);
  if (found === 'damaged' || found === 'unknown')
    return `[Some bytes are not ${name}; they are shown as \uFFFD. The file cannot be edited as text until it is converted, for example with iconv.]`;
  if (found === 'utf-8') return undefined;
  const guess = found === 'windows-1252' ? ', told by its bytes alone: if letters look wrong, it is another 8-bit encoding' : '';
  return `[The file is ${name} text${guess}. What you write is put into that encoding.]`;
}

interface Source {
  readonly lines: AsyncIterable<string> | Iterable<string>;
  /** Stands below the lines. */
  readonly note?: string | undefined;
}

async function readLines({ lines, note }: Source, input: ToolInput<'read_file'>, size: number): Promise<ToolResult> {
  if (size === 0) return textResult('succeeded', EMPTY);
  const first = input.startLine ?? 1;
  const last = input.endLine ?? Number.POSITIVE_INFINITY;
  const reading: Reading = { line: 1, units: 0, shown: [], note, hasReplacements: false };
  for await (const text of lines) {
    if (reading.line > last) return answer(input, reading, { kind: 'range_end' });
    if (reading.line >= first && !show(reading, text)) return answer(input, reading, { kind: 'cut', size });
    reading.line += 1;
  }
  // A byte order mark alone is no line.
  if (reading.line === 1) return textResult('succeeded', note === undefined ? EMPTY : `${EMPTY}\n${note}`);
  return answer(input, reading, { kind: 'file_end' });
}

/** Adds a numbered line, unless the answer is full. */
function show(reading: Reading, text: string): boolean {
  if (reading.shown.length >= MAX_LINES || reading.units >= MAX_UNITS) return false;
  if (text.includes('\uFFFD')) reading.hasReplacements = true;
  const end = text.length > MAX_LINE_UNITS ? cutBefore(text, MAX_LINE_UNITS) : text.length;
  const rest = text.length > end ? ` [… ${text.length - end} more characters in this line]` : '';
  const line = `${String(reading.line).padStart(6)}\t${text.slice(0, end)}${rest}`;
  reading.units += line.length + 1;
  reading.shown.push(line);
  return true;
}

type Ending = { kind: 'range_end' } | { kind: 'file_end' } | { kind: 'cut'; size: number };

function answer(input: ToolInput<'read_file'>, reading: Reading, ending: Ending): ToolResult {
  if (reading.shown.length === 0) {
    throw new ToolFault(
      'out_of_range',
      `${JSON.stringify(input.path)} has ${reading.line - 1} lines; line ${input.startLine ?? 1} does not exist. Ask for a line up to ${reading.line - 1}.`,
    );
  }
  const notes: string[] = [];
  if (ending.kind === 'cut') {
    notes.push(`[Cut before line ${reading.line}; the file has ${ending.size} bytes in all. Ask again with startLine ${reading.line} for the rest.]`);
  }
  if (reading.note !== undefined) notes.push(reading.note);
  else if (reading.hasReplacements) notes.push('[Where \uFFFD stands, the file has that character, or bytes that are broken.]');
  const text = [...reading.shown, ...notes].join('\n');
  return ending.kind === 'cut' ? textResult('succeeded', text, { truncated: true }) : textResult('succeeded', text);
}

/** The lines of a file without their ends (LF or CRLF), read a piece at a time. The tail of a line over 1 MiB is dropped. */
async function* linesOf(handle: FileHandle, encoding: TextEncoding, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder(encoding);
  const buffer = Buffer.alloc(64 * 1024);
  let rest = '';
  for (let position = 0; !signal.aborted; ) {
    const { bytesRead } = await handle.read({ buffer, position, length: buffer.length });
    position += bytesRead;
    const lines = (rest + decoder.decode(buffer.subarray(0, bytesRead), { stream: bytesRead > 0 })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield withoutReturn(line);
    if (bytesRead === 0) break;
    if (rest.length > 1024 * 1024) rest = rest.slice(0, 1024 * 1024);
  }
  if (rest !== '') yield withoutReturn(rest);
}

function withoutReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
