import { spawnSync } from 'node:child_process';
import { rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

/** A file system of its own in memory, so that it can be full without harm to anybody else. */
export interface SmallDisk {
  /** Takes all the room that is left. */
  fill(): void;
  free(): void;
  /** Lets go of it; what is in it is gone. */
  unmount(): void;
}

/** Undefined where nobody may mount: only root can, and not in every sandbox. */
export function smallDisk(folder: string, megabytes: number): SmallDisk | undefined {
  if (run('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=0700`, 'tmpfs', folder) !== 0) return undefined;
  const ballast = join(folder, 'ballast');
  return {
    fill: () => {
      const { bavail, bsize } = statfsSync(folder);
      if (bavail > 0) run('fallocate', '--length', String(bavail * bsize), ballast);
    },
    free: () => rmSync(ballast, { force: true }),
    unmount: () => void run('umount', '--lazy', folder),
  };
}

/** No file of this process may grow beyond so many bytes: the end of a full disk's last block, to the byte. Its children have the same limit. */
export function limitFiles(pid: number, bytes: number | 'unlimited'): void {
  if (run('prlimit', '--pid', String(pid), `--fsize=${bytes}:`) !== 0) throw new Error(`the files of process ${pid} could not be limited`);
}

function run(command: string, ...args: string[]): number | null {
  return spawnSync(command, args, { stdio: 'ignore' }).status;
}
