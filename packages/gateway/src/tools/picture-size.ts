import { crc32 } from 'node:zlib';

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

/** What providers of models take; one that is larger makes them refuse the whole request. */
export const MAX_PICTURE_SIDE = 8_000;

export type PictureType = 'image/png' | 'image/jpeg' | 'image/gif' | 'image/webp';

const READERS: Readonly<Record<PictureType, (data: Buffer) => PictureSize | undefined>> = {
  'image/png': pngSize,
  'image/jpeg': jpegSize,
  'image/gif': gifSize,
  'image/webp': webpSize,
};

/**
 * How large a picture is, when it is there from its beginning to its end; undefined for one that is damaged or cut off. What it shows is not
 * decoded. Pure.
 */
export function pictureSize(type: PictureType, data: Buffer): PictureSize | undefined {
  try {
    const size = READERS[type](data);
    return size && size.width > 0 && size.height > 0 ? size : undefined;
  } catch (error) {
    // It ends where more had to come.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

const PNG_HEAD_BYTES = 8;

/** Chunks of length, type, data and checksum, from IHDR to IEND. PNG specification, section 5. */
function pngSize(data: Buffer): PictureSize | undefined {
  let size: PictureSize | undefined;
  let hasPixels = false;
  for (let at = PNG_HEAD_BYTES; ; ) {
    const length = data.readUInt32BE(at);
    const end = at + 8 + length;
    const type = data.toString('latin1', at + 4, at + 8);
    if (data.readUInt32BE(end) !== crc32(data.subarray(at + 4, end))) return undefined;
    if (at === PNG_HEAD_BYTES) {
      if (type !== 'IHDR' || length !== 13) return undefined;
      size = { width: data.readUInt32BE(at + 8), height: data.readUInt32BE(at + 12) };
    }
    if (type === 'IDAT') hasPixels = true;
    if (type === 'IEND') return hasPixels ? size : undefined;
    at = end + 4;
  }
}

/** Markers that begin a frame: SOF0 to SOF15 without DHT, JPG and DAC, which lie between. ITU-T T.81, table B.1. */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
/** Markers that have no length: RST0 to RST7, and TEM. */
const isBare = (marker: number): boolean => (marker >= 0xd0 && marker <= 0xd7) || marker === 0x01;
const START_OF_SCAN = 0xda;
const END_OF_IMAGE = Buffer.from([0xff, 0xd9]);

function jpegSize(data: Buffer): PictureSize | undefined {
  let size: PictureSize | undefined;
  for (let at = 2; ; ) {
    if (data.readUInt8(at) !== 0xff) return undefined;
    const marker = data.readUInt8(at + 1);
    if (marker === 0xff) at += 1;
    else if (isBare(marker)) at += 2;
    else {
      // A picture inside of the metadata has an end of its own: what counts comes after the scan has begun.
      if (marker === START_OF_SCAN) return data.indexOf(END_OF_IMAGE, at) === -1 ? undefined : size;
      if (isFrame(marker)) size = { height: data.readUInt16BE(at + 5), width: data.readUInt16BE(at + 7) };
      at += 2 + data.readUInt16BE(at + 2);
    }
  }
}

const colorTableBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

/** GIF89a, sections 15 to 27. */
function gifSize(data: Buffer): PictureSize | undefined {
  const size = { width: data.readUInt16LE(6), height: data.readUInt16LE(8) };
  let hasPixels = false;
  for (let at = 13 + colorTableBytes(data.readUInt8(10)); ; ) {
    const kind = data.readUInt8(at);
    if (kind === 0x3b) return hasPixels ? size : undefined;
    if (kind !== 0x2c && kind !== 0x21) return undefined;
    // An image has its place, its colors and the width of its codes before its pieces; an extension its label.
    at += kind === 0x2c ? 11 + colorTableBytes(data.readUInt8(at + 9)) : 2;
    if (kind === 0x2c) hasPixels = true;
    for (let length = data.readUInt8(at); length > 0; length = data.readUInt8(at)) at += 1 + length;
    at += 1;
  }
}

/** WebP container specification, and RFC 9649. */
function webpSize(data: Buffer): PictureSize | undefined {
  const end = 8 + data.readUInt32LE(4);
  const chunkEnd = 20 + data.readUInt32LE(16);
  if (end > data.length || chunkEnd > end) return undefined;
  switch (data.toString('latin1', 12, 16)) {
    case 'VP8 ':
      if (data.readUIntBE(23, 3) !== 0x9d012a) return undefined;
      return { width: data.readUInt16LE(26) & 0x3fff, height: data.readUInt16LE(28) & 0x3fff };
    case 'VP8L': {
      const bits = data.readUInt32LE(21);
      return data.readUInt8(20) === 0x2f ? { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 } : undefined;
    }
    case 'VP8X':
      // The pixels come in a chunk behind this one.
      return chunkEnd + 8 <= end ? { width: data.readUIntLE(24, 3) + 1, height: data.readUIntLE(27, 3) + 1 } : undefined;
    default:
      return undefined;
  }
}
