import type { FileHandle } from 'node:fs/promises';
import { ToolFault } from './faults.ts';
import type { FileStamp } from './file-stamp.ts';
import { decode, encode, encodingOfMark, type FoundEncoding, findEncoding, nameOfEncoding, type TextEncoding } from './text-encoding.ts';
import { openForReading, type Workspace } from './workspace.ts';

/** Larger files are not edited: they would be held in memory several times over. Of one that is read, so much tells its encoding. */
const EDITABLE_BYTES = 16 * 1024 * 1024;
const PROBE_BYTES = 8 * 1024;
const NEW_LINE = 10;

export interface TextFile {
  /** All of it, with its byte order mark and its ends of lines. */
  readonly text: string;
  readonly encoding: TextEncoding;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly stamp: FileStamp;
  readonly truePath: string;
}

/** Refuses what is not text, by name, from the first bytes of a file. */
export function checkIsText(path: string, bytes: Uint8Array, sizeBytes: number): void {
  if (hasNull(bytes.subarray(0, PROBE_BYTES))) {
    throw new ToolFault(
      'binary_file',
      `${JSON.stringify(path)} is a binary file of ${sizeBytes} bytes, not text. Use bash with a tool for its format (file, xxd, strings).`,
    );
  }
}

function hasNull(head: Uint8Array): boolean {
  const marked = encodingOfMark(head);
  return marked === undefined ? head.includes(0) : new TextDecoder(marked).decode(head).includes('\0');
}

export async function probe(handle: FileHandle): Promise<Uint8Array> {
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(PROBE_BYTES), position: 0 });
  return buffer.subarray(0, bytesRead);
}

/** From the whole file, or the lines at the beginning of a large one. */
export async function encodingOfFile(handle: FileHandle, size: number): Promise<FoundEncoding> {
  if (size === 0) return 'utf-8';
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(Math.min(size, EDITABLE_BYTES)), position: 0 });
  const bytes = buffer.subarray(0, bytesRead);
  return findEncoding(bytesRead < size && bytes.includes(NEW_LINE) ? bytes.subarray(0, bytes.lastIndexOf(NEW_LINE) + 1) : bytes);
}

/** The whole text of a file that is to be changed, exactly. What cannot be put back as it was is refused. */
export async function readWholeText(workspace: Workspace, path: string): Promise<TextFile> {
  const { handle, path: truePath } = await openForReading(workspace, path);
  try {
    const { ino, size, mtimeMs, mode } = await handle.stat();
    if (size > EDITABLE_BYTES)
      throw new ToolFault('too_large', `${JSON.stringify(path)} has ${size} bytes; at most ${EDITABLE_BYTES} can be edited. Use bash (sed) for this file.`);
    const bytes = await handle.readFile();
    checkIsText(path, bytes, size);
    return { ...decodeWhole(path, bytes), bytes, mode, stamp: { ino, size, mtimeMs }, truePath };
  } finally {
    await handle.close();
  }
}

/** A file whose content is not looked at as a whole. */
export interface FoundFile extends Pick<TextFile, 'stamp' | 'truePath'> {
  /** By its first bytes: read_file shows those, whatever their encoding. */
  readonly isText: boolean;
}

export async function lookAtFile(workspace: Workspace, path: string): Promise<FoundFile> {
  const { handle, path: truePath } = await openForReading(workspace, path);
  try {
    const { ino, size, mtimeMs } = await handle.stat();
    return { stamp: { ino, size, mtimeMs }, truePath, isText: !hasNull(await probe(handle)) };
  } finally {
    await handle.close();
  }
}

function decodeWhole(path: string, bytes: Uint8Array): { text: string; encoding: TextEncoding } {
  const encoding = findEncoding(bytes);
  const text = encoding === 'damaged' || encoding === 'unknown' ? undefined : decode(bytes, encoding);
  if (encoding !== 'damaged' && encoding !== 'unknown' && text !== undefined) return { text, encoding };
  const what =
    encoding === 'damaged' ? 'is text with bytes in it that are broken' : 'is in no encoding that can be told (UTF-8, UTF-16 with its mark, Windows-1252)';
  throw new ToolFault('unknown_encoding', `${JSON.stringify(path)} ${what}, and editing it as such would damage it. Convert it first with iconv, or use bash.`);
}

/** Errors: `ToolFault` that names the first character that the file's encoding does not have. */
export function encodeFor(path: string, text: string, encoding: TextEncoding): Uint8Array {
  const encoded = encode(text, encoding);
  if (encoded.ok) return encoded.bytes;
  const name = nameOfEncoding(encoding);
  const character = String.fromCodePoint(text.codePointAt(encoded.at) ?? 0);
  const line = text.slice(0, encoded.at).split('\n').length;
  throw new ToolFault(
    'not_in_encoding',
    `${JSON.stringify(path)} is ${name} text, and ${JSON.stringify(character)} (line ${line} of what it would become) is not in ${name}. Write it with other characters, or, if all that reads the file takes UTF-8, convert it first: iconv -f ${name.toUpperCase()} -t UTF-8.`,
  );
}
