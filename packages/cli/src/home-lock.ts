import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StartError } from '@tendon/server/settings';

/**
 * One server per home. The lock is a file that names its owner; when the server listens it also says where, and holds the credential with
 * which the other commands of this user manage it (0600, in a home that is 0700).
 *
 *   (no file) ── take ──► starting ── announce ──► running ── release ──► (no file)
 *                            └──────── owner died ────────┘ : the next one takes over
 */
export interface HomeLockFacts {
  readonly pid: number;
  /** When the process started, as the kernel counts; tells a living owner from a stranger with its old number. */
  readonly startedAt: string;
  readonly url?: string | undefined;
  readonly controlKey?: string | undefined;
}

export class HomeLock {
  readonly #path: string;
  #isHeld = true;

  private constructor(path: string) {
    this.#path = path;
  }

  /** Takes the home, or tells who has it. Atomic: of two starts at once exactly one gets it. */
  static take(home: string): { readonly ok: true; readonly lock: HomeLock } | { readonly ok: false; readonly owner: HomeLockFacts } {
    const path = lockPath(home);
    mkdirSync(join(home, 'run'), { recursive: true, mode: 0o700 });
    const draft = writeDraft(path, { pid: process.pid, startedAt: processStart(process.pid) ?? '' });
    try {
      for (let attempt = 0; attempt < 5; attempt += 1) {
        if (tryLink(draft, path)) return { ok: true, lock: new HomeLock(path) };
        const owner = runningServer(home);
        if (owner) return { ok: false, owner };
        removeStale(path);
      }
    } finally {
      unlinkSync(draft);
    }
    throw new StartError(`${path} cannot be taken: remove it if no Tendon runs`);
  }

  /** Says where the server listens. */
  announce(facts: { readonly url: string; readonly controlKey: string }): void {
    renameSync(writeDraft(this.#path, { pid: process.pid, startedAt: processStart(process.pid) ?? '', ...facts }), this.#path);
  }

  /** Gives the home back. May be called twice. */
  release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    try {
      unlinkSync(this.#path);
    } catch {
      // Gone already: someone cleared the home while we ran.
    }
  }
}

/** The server that owns this home now, or undefined when none is alive. */
export function runningServer(home: string): HomeLockFacts | undefined {
  const facts = readFacts(lockPath(home));
  return facts && isAlive(facts) ? facts : undefined;
}

function readFacts(path: string): HomeLockFacts | undefined {
  try {
    const facts = JSON.parse(readFileSync(path, 'utf8')) as HomeLockFacts;
    return Number.isInteger(facts.pid) && facts.pid > 0 ? facts : undefined;
  } catch {
    return undefined;
  }
}

function lockPath(home: string): string {
  return join(home, 'run', 'server.json');
}

function isAlive(facts: HomeLockFacts): boolean {
  try {
    process.kill(facts.pid, 0);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const startedAt = processStart(facts.pid);
  return startedAt === undefined || facts.startedAt === '' || startedAt === facts.startedAt;
}

/** Field 22 of proc(5) `stat`, with the boot it counts from. Undefined where there is no /proc. */
function processStart(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return ticks === undefined ? undefined : `${boot}:${ticks}`;
  } catch {
    return undefined;
  }
}

function writeDraft(path: string, facts: HomeLockFacts): string {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, `${JSON.stringify(facts)}\n`, { mode: 0o600, flag: 'wx' });
  return draft;
}

function tryLink(draft: string, path: string): boolean {
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead owner's file aside and looks again before removing it: another start may have put its own there in between. */
function removeStale(path: string): void {
  const aside = `${path}.stale.${randomBytes(6).toString('hex')}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = readFacts(aside);
  if (moved && isAlive(moved)) tryLink(aside, path);
  unlinkSync(aside);
}
