import { closeSync, ftruncateSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Most outputs end before: they never touch the disk. */
const MEMORY_BYTES = 64 * 1024;
const FILE_BYTES = 64 * 1024 * 1024;

interface SpoolFile {
  readonly fd: number;
  readonly path: string;
}

/** A piece of an output. Offsets are bytes of the whole. */
export interface OutputPiece {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/**
 * The whole output of a command, for who wants to read on where a result was cut:
 *
 *   in memory ──64 KiB──► in a file ──64 MiB, or the disk is full──► full (what comes then is counted and not kept)
 */
export class OutputSpool {
  readonly #folder: string | undefined;
  readonly #name: string;
  #memory: Buffer[] = [];
  #keptBytes = 0;
  #file: SpoolFile | undefined;
  #isFull = false;
  /** How much came, kept or not. */
  totalBytes = 0;

  /** Without a folder only what fits into memory is kept. */
  constructor(folder: string | undefined, name: string) {
    this.#folder = folder;
    this.#name = name;
  }

  get keptBytes(): number {
    return this.#keptBytes;
  }

  add(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    this.totalBytes += bytes.length;
    if (this.#isFull) return;
    if (!this.#file && this.#keptBytes + bytes.length > MEMORY_BYTES) this.#moveToFile();
    if (this.#file) this.#append(this.#file.fd, bytes);
    else if (!this.#isFull) {
      this.#memory.push(bytes);
      this.#keptBytes += bytes.length;
    }
  }

  /** At most `most` bytes from this offset on, without half a character at either end. Less than nothing counts from the end. */
  read(from: number, most: number): OutputPiece {
    const start = Math.min(this.#keptBytes, from < 0 ? Math.max(0, this.#keptBytes + from) : from);
    const length = Math.min(most, this.#keptBytes - start);
    const bytes = Buffer.alloc(length);
    if (this.#file) readSync(this.#file.fd, bytes, 0, length, start);
    else Buffer.concat(this.#memory).copy(bytes, 0, start, start + length);
    const head = start === 0 ? 0 : continuation(bytes);
    const tail = start + length === this.#keptBytes ? length : wholeLength(bytes);
    return { text: bytes.subarray(head, tail).toString('utf8'), from: start + head, to: start + tail };
  }

  /** Gives memory and disk back. */
  close(): void {
    this.#memory = [];
    this.#keptBytes = 0;
    this.#isFull = true;
    if (!this.#file) return;
    closeSync(this.#file.fd);
    rmSync(this.#file.path, { force: true });
    this.#file = undefined;
  }

  #moveToFile(): void {
    this.#file = this.#folder === undefined ? undefined : fileOf(join(this.#folder, this.#name), Buffer.concat(this.#memory));
    // A disk that takes nothing, or not all of it: what is in memory stays there.
    if (this.#file) this.#memory = [];
    else this.#isFull = true;
  }

  #append(fd: number, bytes: Buffer): void {
    const room = FILE_BYTES - this.#keptBytes;
    const fitting = bytes.length <= room ? bytes : bytes.subarray(0, wholeLength(bytes.subarray(0, room)));
    this.#isFull = fitting.length < bytes.length;
    try {
      if (writeSync(fd, fitting, 0, fitting.length, this.#keptBytes) === fitting.length) {
        this.#keptBytes += fitting.length;
        return;
      }
      ftruncateSync(fd, this.#keptBytes);
    } catch {
      // As for a file that is full.
    }
    this.#isFull = true;
  }
}

/** A new file with all of these bytes; undefined, and no file, where they do not fit. */
function fileOf(path: string, bytes: Uint8Array): SpoolFile | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(path, 'wx+', 0o600);
    if (writeSync(fd, bytes) === bytes.length) return { fd, path };
  } catch {
    // As for a write that falls short.
  }
  if (fd === undefined) return undefined;
  closeSync(fd);
  rmSync(path, { force: true });
  return undefined;
}

/** How many bytes at the beginning belong to a character that began before. */
function continuation(bytes: Uint8Array): number {
  let count = 0;
  while (count < Math.min(3, bytes.length) && ((bytes[count] ?? 0) & 0xc0) === 0x80) count += 1;
  return count;
}

/** Without the character that is cut off at the end. */
function wholeLength(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(4, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0xc0) === 0x80) continue;
    const width = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return width > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** An empty folder for spools, yours alone. What an earlier process left there is removed. */
export async function openSpoolFolder(path: string): Promise<string> {
  rmSync(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}
