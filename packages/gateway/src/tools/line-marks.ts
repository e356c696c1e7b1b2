import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { ToolFault } from './faults.ts';
import { encodingOfMark } from './text-encoding.ts';
import { probe } from './text-file.ts';
import { openForReading, type Workspace } from './workspace.ts';

/** A file that says its encoding by a mark is searched in UTF-8: to look at a line again, all of it has to be converted. */
const CONVERTED_BYTES = 64 * 1024 * 1024;

/** A line that somebody else has read: where it begins in the file, in bytes, and what it was. */
export interface LineMark {
  readonly offset: number;
  readonly length: number;
  readonly digest: string;
}

export function markLine(bytes: Uint8Array, offset: number): LineMark {
  return { offset, length: bytes.length, digest: digestOf(bytes) };
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64');
}

/**
 * Which of the lines stand in the file that is truly at this place; of one without a mark, only the file has to be there. ripgrep walks by names: a folder that is exchanged for a link while it walks
 * leads it out of the workspace, and what it read there must not be shown (G20).
 */
export async function standingLines(workspace: Workspace, truePath: string, marks: readonly (LineMark | undefined)[]): Promise<boolean[]> {
  try {
    const { handle, path } = await openForReading(workspace, truePath);
    try {
      if (path !== truePath) return marks.map(() => false);
      const converted = await convertedText(handle);
      const standing: boolean[] = [];
      for (const mark of marks) standing.push(mark === undefined || digestOf(await bytesAt(handle, mark, converted)) === mark.digest);
      return standing;
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof ToolFault) return marks.map(() => false);
    throw error;
  }
}

/** Undefined for a file that is searched as it is. */
async function convertedText(handle: FileHandle): Promise<Buffer | undefined> {
  const encoding = encodingOfMark(await probe(handle));
  if (encoding === undefined) return undefined;
  const { size } = await handle.stat();
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(Math.min(size, CONVERTED_BYTES)), position: 0 });
  return Buffer.from(new TextDecoder(encoding).decode(buffer.subarray(0, bytesRead)), 'utf8');
}

async function bytesAt(handle: FileHandle, { offset, length }: LineMark, converted: Buffer | undefined): Promise<Uint8Array> {
  if (converted) return converted.subarray(offset, offset + length);
  if (length === 0) return Buffer.alloc(0);
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(length), position: offset });
  return buffer.subarray(0, bytesRead);
}
