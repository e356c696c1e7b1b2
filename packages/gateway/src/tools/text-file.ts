import type { FileHandle } from 'node:fs/promises';
import { ToolFault } from './faults.ts';
import type { FileStamp } from './file-stamp.ts';
import { openForReading, type Workspace } from './workspace.ts';

/** Larger files are not edited: they would be held in memory several times over. */
const EDITABLE_BYTES = 16 * 1024 * 1024;
const PROBE_BYTES = 8 * 1024;

export interface TextFile {
  readonly text: string;
  readonly bytes: Uint8Array;
  readonly mode: number;
  readonly stamp: FileStamp;
  readonly truePath: string;
}

/** Refuses what is not text, by name, from the first bytes of a file. */
export function checkIsText(path: string, probe: Uint8Array, sizeBytes: number): void {
  const mark = `${probe[0]?.toString(16) ?? ''} ${probe[1]?.toString(16) ?? ''}`;
  if (mark === 'ff fe' || mark === 'fe ff') {
    throw new ToolFault('not_utf8', `${JSON.stringify(path)} is UTF-16 text. Convert it first, for example with: iconv -f UTF-16 -t UTF-8.`);
  }
  if (probe.subarray(0, PROBE_BYTES).includes(0)) {
    throw new ToolFault(
      'binary_file',
      `${JSON.stringify(path)} is a binary file of ${sizeBytes} bytes, not text. Use bash with a tool for its format (file, xxd, strings).`,
    );
  }
}

export async function probe(handle: FileHandle): Promise<Uint8Array> {
  const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(PROBE_BYTES), position: 0 });
  return buffer.subarray(0, bytesRead);
}

/** The whole text of a file that is to be changed, exactly: a byte order mark stays, and what is not UTF-8 is refused. */
export async function readWholeText(workspace: Workspace, path: string): Promise<TextFile> {
  const { handle, path: truePath } = await openForReading(workspace, path);
  try {
    const { ino, size, mtimeMs, mode } = await handle.stat();
    if (size > EDITABLE_BYTES)
      throw new ToolFault('too_large', `${JSON.stringify(path)} has ${size} bytes; at most ${EDITABLE_BYTES} can be edited. Use bash (sed) for this file.`);
    const bytes = await handle.readFile();
    checkIsText(path, bytes, size);
    return { text: decode(path, bytes), bytes, mode, stamp: { ino, size, mtimeMs }, truePath };
  } finally {
    await handle.close();
  }
}

function decode(path: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new ToolFault(
      'not_utf8',
      `${JSON.stringify(path)} is not UTF-8 text, and editing it as such would damage it. Convert it first with iconv, or use bash.`,
      { cause: error },
    );
  }
}
