import type { PathQueue } from './path-queue.ts';
import type { SeenFiles } from './seen-files.ts';

/** What the tools that read and write files share, made once with the registry. */
export interface FileWork {
  readonly queue: PathQueue;
  readonly seen: SeenFiles;
}
