import { crc32, deflateSync } from 'node:zlib';

/** Pictures of any size that are whole in their structure, and small. */

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(body), 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
}

/** Of one bit for each pixel. */
export function pngOf(width: number, height: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head[8] = 1;
  const pixels = deflateSync(Buffer.alloc((1 + Math.ceil(width / 8)) * height));
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), chunk('IHDR', head), chunk('IDAT', pixels), chunk('IEND', Buffer.alloc(0))]);
}

const word = (value: number): number[] => [value >> 8, value & 0xff];

/** A thumbnail with an end of its own stands in its metadata, and a restart in its scan. */
export function jpegOf(width: number, height: number): Buffer {
  const metadata = [0xff, 0xe1, 0, 8, 0xff, 0xd8, 0xff, 0xd9, 0, 0];
  const frame = [0xff, 0xc2, 0, 11, 8, ...word(height), ...word(width), 1, 1, 0x11, 0];
  const scan = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 0x3f, 0, 0x12, 0xff, 0, 0xff, 0xd0, 0x34];
  return Buffer.from([0xff, 0xd8, ...metadata, 0xff, ...frame, ...scan, 0xff, 0xd9]);
}

export function gifOf(width: number, height: number): Buffer {
  const place = [0, 0, 0, 0, width & 0xff, width >> 8, height & 0xff, height >> 8];
  const comment = [0x21, 0xfe, 2, 0x3b, 0x3b, 0];
  return Buffer.from([...Buffer.from('GIF89a'), ...place.slice(4), 0x80, 0, 0, 0, 0, 0, 9, 9, 9, ...comment, 0x2c, ...place, 0, 2, 2, 0x44, 1, 0, 0x3b]);
}

export function webpOf(kind: 'VP8 ' | 'VP8L' | 'VP8X', width: number, height: number): Buffer {
  const data = Buffer.alloc(20);
  const rest = Buffer.from('ALPH\0\0\0\0', 'latin1');
  if (kind === 'VP8L') {
    data[0] = 0x2f;
    data.writeUInt32LE((width - 1) | ((height - 1) << 14), 1);
  } else if (kind === 'VP8X') {
    data.writeUIntLE(width - 1, 4, 3);
    data.writeUIntLE(height - 1, 7, 3);
  } else {
    data.writeUIntBE(0x9d012a, 3, 3);
    data.writeUInt16LE(width, 6);
    data.writeUInt16LE(height, 8);
  }
  const head = Buffer.from(`RIFF____WEBP${kind}____`, 'latin1');
  head.writeUInt32LE(4 + 8 + data.length + rest.length, 4);
  head.writeUInt32LE(data.length, 16);
  return Buffer.concat([head, data, rest]);
}
