import { spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Identity } from './account.ts';

/** Reads from a pipe that nobody writes to: its end means that the process that held it is dead, even by `kill -9`. */
const SCRIPT = 'read -r _; kill -INT "$0" 2>/dev/null';

export interface DeathWatch {
  end(): void;
}

/** Stops `pid` when this process dies. A small shell does it, the same on every system. */
export function watchOwnDeath(pid: number, identity: Identity | undefined): DeathWatch {
  const watcher = spawn('/bin/sh', ['-c', SCRIPT, String(pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, cwd: '/', env: {}, ...identity });
  watcher.on('error', () => undefined);
  watcher.stdin.on('error', () => undefined);
  watcher.unref();
  (watcher.stdin as Socket).unref();
  return { end: () => void watcher.kill('SIGKILL') };
}
