import type { FileStamp } from './file-stamp.ts';

/** So many files of all sessions are remembered; the one that was touched longest ago is forgotten first, and then has to be read again. */
const MAX_FILES = 20_000;

/** What each session last saw of a file: its stamp when it was read, or written by the session itself. Lives as long as the process. */
export class SeenFiles {
  readonly #stamps = new Map<string, FileStamp>();

  remember(sessionId: string, truePath: string, stamp: FileStamp): void {
    const key = keyOf(sessionId, truePath);
    this.#stamps.delete(key);
    this.#stamps.set(key, stamp);
    const oldest = this.#stamps.keys().next();
    if (this.#stamps.size > MAX_FILES && !oldest.done) this.#stamps.delete(oldest.value);
  }

  forget(sessionId: string, truePath: string): void {
    this.#stamps.delete(keyOf(sessionId, truePath));
  }

  /** Undefined for a file that the session has not read. */
  stamp(sessionId: string, truePath: string): FileStamp | undefined {
    return this.#stamps.get(keyOf(sessionId, truePath));
  }
}

function keyOf(sessionId: string, truePath: string): string {
  return `${sessionId}\0${truePath}`;
}
