import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { idSchema } from '@tendon/protocol';
import { errorCode } from '../tools/faults.ts';
import { type ChangeLine, readChangeLines } from './snapshot-lines.ts';

/** How much is kept. */
export interface SnapshotLimits {
  readonly totalBytes: number;
  readonly ageMs: number;
  readonly calls: number;
}

/** What is kept of one call, on the disk. */
export interface KeptCall {
  readonly path: string;
  readonly changedMs: number;
  readonly bytes: number;
  readonly hashes: readonly string[];
  /** Undefined where it is not this server's, or no server would know it. */
  readonly sessionId: string | undefined;
}

/** Where the lines of a call are. Ids are what a server says: none of them may name a path. */
export function callPath(sessions: string, { sessionId, callId }: { readonly sessionId: string; readonly callId: string }): string {
  return join(sessionFolder(sessions, sessionId), `${fileName(callId)}.jsonl`);
}

export function sessionFolder(sessions: string, sessionId: string): string {
  return join(sessions, fileName(sessionId));
}

function fileName(id: string): string {
  return /^[0-9a-f-]{36}$/.test(id) ? id : createHash('sha256').update(id).digest('hex');
}

/** The session that a folder is named after; undefined for a name that somebody else has made, or that was no id. */
function sessionIn(folder: string): string | undefined {
  return idSchema.safeParse(folder).success ? folder : undefined;
}

/** The sessions of which something is kept for this server, by one call of each: what belongs to another server lies in sessions of its own. */
export async function sessionsKeptFor(sessions: string, keptFor: string): Promise<string[]> {
  const found: string[] = [];
  for (const folder of await namesIn(sessions)) {
    const sessionId = sessionIn(folder);
    const [first] = sessionId === undefined ? [] : await namesIn(join(sessions, folder));
    if (sessionId === undefined || first === undefined) continue;
    if (isFor(keptFor, await linesAt(join(sessions, folder, first)))) found.push(sessionId);
  }
  return found;
}

/** One after the other, so that calls are not held up by it. */
export async function* keptCalls(sessions: string, keptFor: string | undefined): AsyncGenerator<KeptCall> {
  for (const folder of await namesIn(sessions)) {
    for (const name of await namesIn(join(sessions, folder))) {
      const path = join(sessions, folder, name);
      const info = await stat(path).catch(missing);
      if (!info?.isFile()) continue;
      const lines = await linesAt(path);
      const hashes = [...new Set(lines.flatMap(({ before }) => (before.kind === 'file' ? [before.hash] : [])))];
      const sessionId = keptFor !== undefined && isFor(keptFor, lines) ? sessionIn(basename(dirname(path))) : undefined;
      yield { path, changedMs: info.mtimeMs, bytes: info.size, hashes, sessionId };
    }
  }
}

/** Splits what is kept into what stays, the newest, and what is too old or too much. `sizes`: those of the contents, by hash. */
export function withinLimits(
  calls: readonly KeptCall[],
  { sizes, limits, nowMs }: { readonly sizes: ReadonlyMap<string, number>; readonly limits: SnapshotLimits; readonly nowMs: number },
): { readonly stay: readonly KeptCall[]; readonly go: readonly KeptCall[] } {
  const newestFirst = calls.toSorted((a, b) => b.changedMs - a.changedMs);
  const named = new Set<string>();
  let bytes = 0;
  const firstToGo = newestFirst.findIndex((call, index) => {
    const fresh = call.hashes.filter((hash) => !named.has(hash));
    for (const hash of fresh) named.add(hash);
    bytes += call.bytes + fresh.reduce((sum, hash) => sum + (sizes.get(hash) ?? 0), 0);
    return index >= limits.calls || bytes > limits.totalBytes || call.changedMs < nowMs - limits.ageMs;
  });
  const end = firstToGo === -1 ? newestFirst.length : firstToGo;
  return { stay: newestFirst.slice(0, end), go: newestFirst.slice(end) };
}

export async function linesAt(path: string): Promise<ChangeLine[]> {
  const text = await readFile(path, 'utf8').catch(missing);
  return text === undefined ? [] : readChangeLines(text);
}

function isFor(keptFor: string, lines: readonly ChangeLine[]): boolean {
  return lines.some((line) => line.keptFor === keptFor);
}

async function namesIn(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(missing)) ?? [];
}

function missing(error: unknown): undefined {
  if (!['ENOENT', 'ENOTDIR', 'EISDIR'].includes(errorCode(error) ?? '')) throw error;
}
