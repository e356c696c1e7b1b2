import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, readdir, readFile, rename, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../tools/faults.ts';

const COPY_BYTES = 256 * 1024;
const NAME = /^[0-9a-f]{64}$/;

export interface Blob {
  readonly hash: string;
  readonly bytes: number;
  /** It was not there before. */
  readonly isNew: boolean;
}

export function hashOf(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** Contents of files, each once, by their SHA-256. A content is there whole or not at all. */
export class BlobFolder {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Copies what a handle reads; on the disk when it resolves. Undefined, and nothing is kept, when that is more than `mostBytes`, whatever the
   * file's size was when it was opened. Errors: those of the file system.
   */
  async keep(source: FileHandle, mostBytes: number): Promise<Blob | undefined> {
    const draft = join(this.#path, `${randomBytes(9).toString('hex')}.tmp`);
    const target = await open(draft, 'wx', 0o600);
    try {
      const copied = await copy(source, target, mostBytes);
      if (!copied) {
        await unlink(draft);
        return undefined;
      }
      const { hash, bytes } = copied;
      await target.datasync();
      const isNew = !(await this.has(hash));
      if (isNew) await rename(draft, join(this.#path, hash));
      else await unlink(draft);
      return { hash, bytes, isNew };
    } catch (error) {
      await unlink(draft).catch(() => undefined);
      throw error;
    } finally {
      await target.close();
    }
  }

  async has(hash: string): Promise<boolean> {
    return (await this.#bytes(hash)) !== undefined;
  }

  /** Undefined when it is not kept any more, or is not what its name says. */
  async read(hash: string): Promise<Buffer | undefined> {
    const data = await readFile(join(this.#path, hash)).catch((error: unknown) => {
      if (errorCode(error) === 'ENOENT') return undefined;
      throw error;
    });
    return data && hashOf(data) === hash ? data : undefined;
  }

  /** Takes away what nobody names, drafts of a dead predecessor included. */
  async removeOthers(named: ReadonlySet<string>): Promise<void> {
    for (const name of await readdir(this.#path)) if (!named.has(name)) await unlink(join(this.#path, name)).catch(() => undefined);
  }

  /** The sizes of all that is kept, by hash. */
  async sizes(): Promise<Map<string, number>> {
    const sizes = new Map<string, number>();
    for (const name of await readdir(this.#path)) {
      const bytes = NAME.test(name) ? await this.#bytes(name) : undefined;
      if (bytes !== undefined) sizes.set(name, bytes);
    }
    return sizes;
  }

  async #bytes(hash: string): Promise<number | undefined> {
    return stat(join(this.#path, hash)).then(
      ({ size }) => size,
      (error: unknown) => {
        if (errorCode(error) === 'ENOENT') return undefined;
        throw error;
      },
    );
  }
}

async function copy(source: FileHandle, target: FileHandle, mostBytes: number): Promise<{ hash: string; bytes: number } | undefined> {
  const hash = createHash('sha256');
  const buffer = Buffer.alloc(COPY_BYTES);
  for (let position = 0; ; ) {
    const { bytesRead } = await source.read({ buffer, position, length: buffer.length });
    if (bytesRead === 0) return { hash: hash.digest('hex'), bytes: position };
    if (position + bytesRead > mostBytes) return undefined;
    const piece = buffer.subarray(0, bytesRead);
    hash.update(piece);
    await target.writeFile(piece);
    position += bytesRead;
  }
}
