import type { FileHandle } from 'node:fs/promises';
import type { ToolResult } from '@tendon/protocol';
import { ToolFault } from './faults.ts';
import { MAX_PICTURE_SIDE, type PictureSize, type PictureType, pictureSize } from './picture-size.ts';

/** As text in a result it takes a third more, and a result has its limit. */
const IMAGE_BYTES = 700 * 1024;

const KINDS: readonly { readonly mimeType: PictureType; readonly is: (head: string) => boolean }[] = [
  { mimeType: 'image/png', is: (head) => head.startsWith('\x89PNG\r\n\x1a\n') },
  { mimeType: 'image/jpeg', is: (head) => head.startsWith('\xff\xd8\xff') },
  { mimeType: 'image/gif', is: (head) => /^GIF8[79]a/.test(head) },
  { mimeType: 'image/webp', is: (head) => head.startsWith('RIFF') && head.slice(8, 12) === 'WEBP' },
];

/** What kind of picture begins so, whatever its name says; undefined for none that models and pages show. */
export function imageType(probe: Uint8Array): PictureType | undefined {
  const head = Buffer.from(probe.subarray(0, 16)).toString('latin1');
  return KINDS.find(({ is }) => is(head))?.mimeType;
}

export async function readImage(
  path: string,
  handle: FileHandle,
  { size, mimeType }: { readonly size: number; readonly mimeType: PictureType },
): Promise<ToolResult> {
  // Counted again: a file can grow after its size was asked for.
  const data = size > IMAGE_BYTES ? undefined : await firstBytes(handle, IMAGE_BYTES + 1);
  if (data === undefined || data.length > IMAGE_BYTES)
    throw new ToolFault(
      'too_large',
      `${JSON.stringify(path)} is a picture of ${Math.max(size, data?.length ?? 0)} bytes; up to ${IMAGE_BYTES} can be shown. Make a smaller copy, for example with: convert IN -resize 1200x1200 -quality 80 OUT.jpg.`,
    );
  const { width, height } = shownSize(path, mimeType, data);
  return {
    status: 'succeeded',
    content: [
      { type: 'text', text: `${JSON.stringify(path)}: ${mimeType}, ${width}×${height} pixels, ${data.length} bytes` },
      { type: 'image', data: data.toString('base64'), mimeType },
    ],
  };
}

/** A picture that a provider refuses would stand in the conversation, and each further request would be refused with it. Errors: `ToolFault`. */
function shownSize(path: string, mimeType: PictureType, data: Buffer): PictureSize {
  const size = pictureSize(mimeType, data);
  if (!size)
    throw new ToolFault(
      'damaged_picture',
      `${JSON.stringify(path)} begins as ${mimeType} and is no whole picture, so it cannot be shown: it is damaged, or not yet written to its end. Look at it with bash (file, xxd), or make it anew.`,
    );
  if (Math.max(size.width, size.height) > MAX_PICTURE_SIDE)
    throw new ToolFault(
      'too_large',
      `${JSON.stringify(path)} is a picture of ${size.width}×${size.height} pixels; up to ${MAX_PICTURE_SIDE} a side can be shown. Make a smaller copy, for example with: convert IN -resize 2000x2000 OUT.png, or cut out a piece: convert IN -crop 2000x2000+0+0 +repage OUT.png.`,
    );
  return size;
}

async function firstBytes(handle: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.alloc(most);
  let length = 0;
  for (let bytesRead = 1; bytesRead > 0 && length < most; length += bytesRead)
    ({ bytesRead } = await handle.read({ buffer, offset: length, length: most - length, position: length }));
  return buffer.subarray(0, length);
}
