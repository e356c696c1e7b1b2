import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { isOutOfDescriptors } from './error-code.ts';

/** A process that cannot be mistaken for a later one with the same number: its start is part of it. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Ticks since boot on Linux, a date elsewhere; compared, never calculated with. */
  readonly startedAt: string;
  readonly bootId: string;
}

export interface ProcessRow {
  readonly pid: number;
  readonly parentPid: number;
  readonly groupId: number;
  readonly startedAt: string;
  /** Dead already, but not yet collected by its parent. */
  readonly isZombie: boolean;
}

/** Stands in the environment of everything a call starts, so that it is found even after it has left its process group. */
export const CALL_MARKER = 'TENDON_CALL_ID';

const hasProc = process.platform === 'linux';
const run = promisify(execFile);

/** Every process that is visible, from /proc or else from `ps`. */
export async function listProcesses(): Promise<ProcessRow[]> {
  if (!hasProc) return listWithPs();
  const names = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return names.map((name) => parseStat(readKernelText(`/proc/${name}/stat`))).filter((row) => row !== undefined);
}

/** Empty for a process that is gone, and not for one that cannot be looked at now. These files wait for nobody, and to read hundreds of them through the thread pool costs ten times as much. */
function readKernelText(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    if (isOutOfDescriptors(error)) throw error;
    return '';
  }
}

/** `pid (name) state ppid pgrp … starttime`; the name may hold spaces and parentheses, so it ends at the last one. See proc_pid_stat(5). */
export function parseStat(stat: string): ProcessRow | undefined {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const pid = Number.parseInt(stat, 10);
  const startedAt = fields[19];
  if (Number.isNaN(pid) || startedAt === undefined) return undefined;
  return { pid, parentPid: Number(fields[1]), groupId: Number(fields[2]), startedAt, isZombie: fields[0] === 'Z' || fields[0] === 'X' };
}

export async function listWithPs(): Promise<ProcessRow[]> {
  const { stdout } = await run('ps', ['-axo', 'pid=,ppid=,pgid=,state=,lstart='], { maxBuffer: 16 * 1024 * 1024 });
  return stdout.split('\n').flatMap((line) => {
    const [pid, parentPid, groupId, state, ...started] = line.trim().split(/\s+/);
    if (pid === undefined || state === undefined || started.length === 0) return [];
    return [{ pid: Number(pid), parentPid: Number(parentPid), groupId: Number(groupId), startedAt: started.join(' '), isZombie: state.startsWith('Z') }];
  });
}

const EXEC_LOOKS = 20;

/** A number for each call between 2^60 and 2^61: above what anybody sets for a limit by hand, and below "unlimited". */
function limitOf(callId: string): string {
  const bits = createHash('sha256').update(callId).digest().readBigUInt64BE();
  return String((bits >> 4n) | (1n << 60n));
}

/**
 * The same program as part of a call, so marked that it stays known when it clears its environment, leaves its group and loses its parents: by
 * the limit for file locks, which the kernel hands on to every child, lets nobody raise, and has not heeded since version 2.4. See getrlimit(2).
 */
export function markedByLimit<Start extends { readonly program: string; readonly args: readonly string[] }>(start: Start, callId: string): Start {
  if (!hasProc) return start;
  // Privileged (`-p`): this shell leaves BASH_ENV to the one of the command. Where the limit may not be set, the other marks remain.
  const args = ['-p', '-c', 'ulimit -x "$0" 2> /dev/null; exec "$@"', limitOf(callId), start.program, ...start.args];
  return { ...start, program: 'bash', args };
}

function carriesLimit(pid: number, callId: string): boolean {
  return /^Max file locks +(\d+) /m.exec(readKernelText(`/proc/${pid}/limits`))?.[1] === limitOf(callId);
}

/**
 * Whether the process was started, itself or through others, by this call. Undefined while nobody can say: for processes that may not be
 * looked at, and when one takes its time to become another program.
 */
export async function carriesMarker({ pid, groupId }: Pick<ProcessRow, 'pid' | 'groupId'>, callId: string): Promise<boolean | undefined> {
  if (!hasProc) return undefined;
  if (carriesLimit(pid, callId)) return true;
  const look = (what: 'environ' | 'cmdline'): Promise<string> => readFile(`/proc/${pid}/${what}`, 'latin1').catch(() => '');
  let environment = await look('environ');
  // In the middle of an exec a process has neither environment nor arguments for a moment; the kernel's own, of group 0, never have.
  for (let looks = 0; looks < EXEC_LOOKS && environment === '' && groupId !== 0 && (await look('cmdline')) === ''; looks += 1) {
    await delay(1);
    environment = await look('environ');
  }
  return environment === '' ? undefined : environment.split('\0').includes(`${CALL_MARKER}=${callId}`);
}

/**
 * Who a child is that was started in this very turn of the event loop. Also when it has ended since: it is not waited for before the next turn,
 * so that its number is still its own.
 */
export function identifyChild(pid: number): ProcessIdentity | undefined {
  if (!hasProc) return undefined;
  try {
    const row = parseStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return row && { pid, startedAt: row.startedAt, bootId: bootId() };
  } catch {
    return undefined;
  }
}

/** Who `pid` is right now; undefined when there is no such process. */
export async function identify(pid: number): Promise<ProcessIdentity | undefined> {
  const row = hasProc
    ? parseStat(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))
    : (await listWithPs()).find((candidate) => candidate.pid === pid);
  return row && !row.isZombie ? { pid, startedAt: row.startedAt, bootId: bootId() } : undefined;
}

let knownBootId: string | undefined;

/** Changes with every start of the machine; start ticks are only comparable within one. */
export function bootId(): string {
  knownBootId ??= hasProc ? readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim() : 'none';
  return knownBootId;
}
