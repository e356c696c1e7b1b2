import type { FileHandle } from 'node:fs/promises';
import type { ToolResult } from '@tendon/protocol';
import { ToolFault } from './faults.ts';

/** As text in a result it takes a third more, and a result has its limit. */
const IMAGE_BYTES = 700 * 1024;

const KINDS: readonly { readonly mimeType: string; readonly is: (head: string) => boolean }[] = [
  { mimeType: 'image/png', is: (head) => head.startsWith('\x89PNG\r\n\x1a\n') },
  { mimeType: 'image/jpeg', is: (head) => head.startsWith('\xff\xd8\xff') },
  { mimeType: 'image/gif', is: (head) => /^GIF8[79]a/.test(head) },
  { mimeType: 'image/webp', is: (head) => head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP' },
];

/** What kind of picture begins so, whatever its name says; undefined for none that models and pages show. */
export function imageType(probe: Uint8Array): string | undefined {
  const head = Buffer.from(probe.subarray(0, 16)).toString('latin1');
  return KINDS.find(({ is }) => is(head))?.mimeType;
}

export async function readImage(
  path: string,
  handle: FileHandle,
  { size, mimeType }: { readonly size: number; readonly mimeType: string },
): Promise<ToolResult> {
  // Counted again: a file can grow after its size was asked for.
  const data = size > IMAGE_BYTES ? undefined : await firstBytes(handle, IMAGE_BYTES + 1);
  if (data === undefined || data.length > IMAGE_BYTES)
    throw new ToolFault(
      'too_large',
      `${JSON.stringify(path)} is a picture of ${Math.max(size, data?.length ?? 0)} bytes; up to ${IMAGE_BYTES} can be shown. Make a smaller copy, for example with: convert IN -resize 1200x1200 -quality 80 OUT.jpg.`,
    );
  return {
    status: 'succeeded',
    content: [
      { type: 'text', text: `${JSON.stringify(path)}: ${mimeType}, ${data.length} bytes` },
      { type: 'image', data: data.toString('base64'), mimeType },
    ],
  };
}

async function firstBytes(handle: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.alloc(most);
  let length = 0;
  for (let bytesRead = 1; bytesRead > 0 && length < most; length += bytesRead)
    ({ bytesRead } = await handle.read({ buffer, offset: length, length: most - length, position: length }));
  return buffer.subarray(0, length);
}
