import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { StartError } from '@tendon/server/settings';

export interface ReadyFacts {
  readonly url: string;
  readonly pid: number;
  readonly port: number;
  readonly relayUrl?: string;
}

/** Says to scripts that the process is ready: the file appears whole, and is gone after the process ended in order. */
export class ReadyFile {
  readonly #path: string | undefined;

  constructor(path: string | undefined) {
    this.#path = path === undefined ? undefined : resolve(path);
  }

  /** Tries the place out, and removes what an earlier process left there. Throws StartError when the place cannot be written. */
  async prepare(): Promise<void> {
    if (this.#path === undefined) return;
    await this.#guarded(this.#path, async (path) => {
      const draft = draftOf(path);
      await writeFile(draft, '', { mode: 0o600, flag: 'wx' });
      await rm(draft);
      await rm(path, { force: true });
    });
  }

  async write(facts: ReadyFacts): Promise<void> {
    if (this.#path === undefined) return;
    await this.#guarded(this.#path, async (path) => {
      const draft = draftOf(path);
      await writeFile(draft, `${JSON.stringify(facts)}\n`, { mode: 0o600, flag: 'wx' });
      await rename(draft, path);
    });
  }

  async remove(): Promise<void> {
    if (this.#path !== undefined) await rm(this.#path, { force: true }).catch(() => undefined);
  }

  async #guarded(path: string, work: (path: string) => Promise<void>): Promise<void> {
    await work(path).catch((cause: unknown) => {
      throw new StartError(
        `--ready-file is "${path}", which cannot be written (${cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'}): give a path in a folder of your own`,
        { cause },
      );
    });
  }
}

function draftOf(path: string): string {
  return `${path}.${randomBytes(6).toString('hex')}`;
}
