import { isUtf8 } from 'node:buffer';

/**
 * Encodings of text files, told as well-kept editors tell them: by a byte order mark, else UTF-8 when all of it is that, else Windows-1252 when no byte
 * speaks against it. Nothing here loses a byte: what is decoded and encoded again is what it was. Node decodes all four and encodes two; the table for
 * Windows-1252 is taken from Node's own decoder, because libraries write "?" for what they do not have. Source: WHATWG Encoding Standard.
 */
export type TextEncoding = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** `damaged`: UTF-8 but for some bytes. `unknown`: text of no encoding that is known here, or no text. */
export type FoundEncoding = TextEncoding | 'damaged' | 'unknown';

export const BYTE_ORDER_MARK = '\ufeff';

const NAMES: Readonly<Record<TextEncoding, string>> = { 'utf-8': 'UTF-8', 'utf-16le': 'UTF-16LE', 'utf-16be': 'UTF-16BE', 'windows-1252': 'Windows-1252' };

export function nameOfEncoding(encoding: TextEncoding): string {
  return NAMES[encoding];
}

/** UTF-32 begins like UTF-16: its mark is followed by two zeros, which no text has. */
export function encodingOfMark(head: Uint8Array): TextEncoding | undefined {
  if (head[0] === 0xff && head[1] === 0xfe) return head[2] === 0 && head[3] === 0 ? undefined : 'utf-16le';
  if (head[0] === 0xfe && head[1] === 0xff) return 'utf-16be';
  return head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? 'utf-8' : undefined;
}

/** Pure. `bytes`: all of a file, or so much of it that ends with a line. */
export function findEncoding(bytes: Uint8Array): FoundEncoding {
  const marked = encodingOfMark(bytes);
  if (marked === 'utf-16le' || marked === 'utf-16be') return decode(bytes, marked) === undefined ? 'damaged' : marked;
  if (isUtf8(bytes)) return 'utf-8';
  if (marked === 'utf-8' || isMostlyUtf8(bytes)) return 'damaged';
  return isWindows1252(bytes) ? 'windows-1252' : 'unknown';
}

/** The whole text, its byte order mark included. Undefined where a byte does not fit. */
export function decode(bytes: Uint8Array, encoding: TextEncoding): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** The bytes of a text, or the place of the first character that the encoding does not have. */
export function encode(text: string, encoding: TextEncoding): { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly at: number } {
  if (encoding === 'utf-8') return { ok: true, bytes: Buffer.from(text, 'utf8') };
  if (encoding !== 'windows-1252') {
    const bytes = Buffer.from(text, 'utf16le');
    return { ok: true, bytes: encoding === 'utf-16be' ? bytes.swap16() : bytes };
  }
  const bytes = Buffer.alloc(text.length);
  for (let at = 0; at < text.length; at += 1) {
    const byte = WINDOWS_1252.get(text.charCodeAt(at));
    if (byte === undefined) return { ok: false, at };
    bytes[at] = byte;
  }
  return { ok: true, bytes };
}

const WINDOWS_1252 = new Map(
  Array.from({ length: 256 }, (_, byte): [number, number] => [new TextDecoder('windows-1252').decode(Uint8Array.of(byte)).charCodeAt(0), byte]),
);

/** One byte that is broken does not make another encoding of a text whose other letters are right. */
function isMostlyUtf8(bytes: Uint8Array): boolean {
  const text = new TextDecoder('utf-8').decode(bytes);
  const whole = text.match(/[^\0-\x7f\ufffd]/gu)?.length ?? 0;
  return whole > (text.match(/\ufffd/g)?.length ?? 0);
}

const UNUSED_IN_WINDOWS_1252 = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);
/** Tab, line feed, form feed, carriage return. */
const CONTROLS_OF_TEXT = new Set([0x09, 0x0a, 0x0c, 0x0d]);

function isWindows1252(bytes: Uint8Array): boolean {
  return bytes.every((byte) => (byte >= 0x20 ? byte !== 0x7f && !UNUSED_IN_WINDOWS_1252.has(byte) : CONTROLS_OF_TEXT.has(byte)));
}
