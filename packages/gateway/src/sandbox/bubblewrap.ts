import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { errorCode, isOutOfDescriptors } from '@tendon/system';

/** What root may write in a /proc of its own, whatever its privileges. */
const KERNEL_SETTINGS = ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/acpi', '/proc/scsi'];

const PROBE_MS = 5_000;

/** Whether this machine can put a command into a sandbox, and why not. */
export type SandboxState = { readonly kind: 'bubblewrap' } | { readonly kind: 'none'; readonly reason: string };

export interface Mounts {
  /** May be written, with all below. One that is missing is left out. */
  readonly writable: readonly string[];
  /** Looks like an empty folder inside. Must exist. */
  readonly hiddenFolders: readonly string[];
  /** Looks like an empty file or a dead socket inside. Must exist. */
  readonly hiddenFiles: readonly string[];
  /** That of whoever starts it: the machine's, or one that was entered before. */
  readonly hasNetwork: boolean;
}

/**
 * The arguments of bubblewrap before the command. Everything can be read and nothing written but what is named; a small /dev of its own; no privilege is kept, and a setuid program gives none.
 * Process ids are its own: through /proc/PID/root of a process outside, bubblewrap's own included, it would be in the open again. The first process of
 * that space stays for as long as another lives in it, so a command may leave a server running; seen from the machine all of them have ids as ever, and a stop finds them.
 * Source: bwrap(1), version 0.8.
 */
export function bubblewrapArguments(mounts: Mounts, folder: string): string[] {
  return [
    ...['--ro-bind', '/', '/', '--dev', '/dev', '--unshare-pid', '--proc', '/proc', '--cap-drop', 'ALL'],
    ...KERNEL_SETTINGS.flatMap((path) => ['--ro-bind-try', path, path]),
    ...inOrder(mounts).flatMap((mount) => mount.how),
    ...(mounts.hasNetwork ? [] : ['--unshare-net']),
    ...['--chdir', folder, '--'],
  ];
}

/** The inner place after the one that it lies in, and at the same place what hides last: a workspace in a hidden folder is there, a hidden file in a workspace is not. */
function inOrder(mounts: Mounts): { path: string; how: string[] }[] {
  return [
    ...mounts.writable.map((path) => ({ path, how: ['--bind-try', path, path] })),
    ...mounts.hiddenFolders.map((path) => ({ path, how: ['--tmpfs', path] })),
    ...mounts.hiddenFiles.map((path) => ({ path, how: ['--ro-bind', '/dev/null', path] })),
  ].toSorted((a, b) => a.path.split('/').length - b.path.split('/').length);
}

export interface Probe {
  readonly state: SandboxState;
  /** Nothing is known but that it could not be tried out in this moment. */
  readonly isPassing: boolean;
}

/** Tries it out: bubblewrap may be there and still not be allowed to make namespaces. */
export async function probeBubblewrap(): Promise<Probe> {
  if (process.platform !== 'linux') return none('bubblewrap, which makes the sandbox, is there for Linux alone');
  const mounts: Mounts = { writable: [], hiddenFolders: [], hiddenFiles: [], hasNetwork: false };
  try {
    await promisify(execFile)('bwrap', [...bubblewrapArguments(mounts, '/'), 'true'], { timeout: PROBE_MS, killSignal: 'SIGKILL' });
    return { state: { kind: 'bubblewrap' }, isPassing: false };
  } catch (error) {
    const isLate = error instanceof Error && 'killed' in error && error.killed === true;
    if (isLate || isOutOfDescriptors(error) || errorCode(error) === 'EAGAIN')
      return { ...none('the machine was too busy to try bubblewrap out, which is done again'), isPassing: true };
    return none(errorCode(error) === 'ENOENT' ? 'bubblewrap is not installed' : 'bubblewrap is installed, but may not make namespaces here');
  }
}

function none(reason: string): Probe {
  return { state: { kind: 'none', reason }, isPassing: false };
}
