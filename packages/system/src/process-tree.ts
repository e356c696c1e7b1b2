import { setTimeout as delay } from 'node:timers/promises';
import { isOutOfDescriptors } from './error-code.ts';
import { bootId, carriesMarker, listProcesses, type ProcessIdentity, type ProcessRow } from './process-table.ts';

/*
 *   alive ──TERM to all──► ending ──nothing found, three times──► dead
 *                             └──3 s over──► KILL to all, looked for again until nothing is found, three times ──► dead
 *
 * A call's processes are: its process group, all descendants of its leader, and whatever carries the call's marker, in its environment or,
 * on Linux, in a limit (`markedByLimit`). Elsewhere one that cleared its environment, left the group and lost its parents is not found.
 */

export interface CallProcesses {
  readonly callId: string;
  /** Leader of the call's process group; undefined when it was never known. */
  readonly leader: ProcessIdentity | undefined;
  /** Others that are known to be the call's, each with its group and its descendants. */
  readonly family?: readonly ProcessIdentity[];
}

const GRACE_MS = 3_000;
const LOOK_EVERY_MS = 50;
const KILL_ROUNDS = 40;
/** One look can miss a process that is just being forked by one that ends, or is just becoming another program. */
const EMPTY_LOOKS = 3;
const EMPTY_LOOK_EVERY_MS = 10;

/** The living processes of a call. A number that now belongs to another process is never among them. */
export async function findCallProcesses(call: CallProcesses): Promise<number[]> {
  return [...(await lookFor(call, new Set())).keys()];
}

/**
 * The same with when each began. `strangers` is added to and believed: another process's environment is read once per search, and not in
 * every look. It gets no marker later: who hands it on has it.
 */
async function lookFor(call: CallProcesses, strangers: Set<string>): Promise<Map<number, string>> {
  const rows = (await listProcesses()).filter((row) => row.pid !== process.pid && !row.isZombie);
  const found = new Set([call.leader, ...(call.family ?? [])].flatMap((known) => withoutStrangers(rows, known)));
  await Promise.all(
    rows.map(async (row) => {
      const name = `${row.pid} ${row.startedAt}`;
      if (found.has(row.pid) || strangers.has(name)) return;
      const isMarked = await carriesMarker(row, call.callId);
      if (isMarked) found.add(row.pid);
      if (isMarked === false) strangers.add(name);
    }),
  );
  addDescendants(rows, found);
  return new Map(rows.filter((row) => found.has(row.pid)).map((row) => [row.pid, row.startedAt]));
}

/** The group of the leader, unless its number has been given to someone else since. */
function withoutStrangers(rows: readonly ProcessRow[], leader: ProcessIdentity | undefined): number[] {
  if (!leader || leader.bootId !== bootId()) return [];
  const current = rows.find((row) => row.pid === leader.pid);
  if (current?.startedAt !== leader.startedAt) return [];
  return rows.filter((row) => row.groupId === leader.pid || row.pid === leader.pid).map((row) => row.pid);
}

function addDescendants(rows: readonly ProcessRow[], found: Set<number>): void {
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const row of rows) if (found.has(row.parentPid)) found.add(row.pid);
  }
}

/**
 * Whether a call whose leader has ended has left something running. What is still in its group is asked for first, in one system call: a look
 * through all processes takes milliseconds, which most commands need not wait for. What has left the group as well is not seen.
 */
export async function hasLeftovers(call: CallProcesses): Promise<boolean> {
  for (let look = 1; call.leader !== undefined && isGroupThere(call.leader.pid); look += 1) {
    if (await mayBeAlive(call)) return true;
    if (look === EMPTY_LOOKS) return false;
    await delay(EMPTY_LOOK_EVERY_MS);
  }
  return false;
}

/** Whether anything of a call is found. Who cannot be looked for now, such as without a free descriptor, counts as there. */
export function mayBeAlive(call: CallProcesses): Promise<boolean> {
  return findCallProcesses(call).then(
    (found) => found.length > 0,
    () => true,
  );
}

function isGroupThere(groupId: number): boolean {
  try {
    return process.kill(-groupId, 0);
  } catch {
    return false;
  }
}

/** Ends everything a call has started: TERM, three seconds, KILL. Resolves when nothing of it is found any more. Waits while nobody can look. */
export async function killCallProcesses(call: CallProcesses, graceMs: number = GRACE_MS): Promise<void> {
  const search: Search = { known: new Map(), strangers: new Set() };
  const told = new Set<number>();
  const deadline = performance.now() + graceMs;
  while (performance.now() < deadline) {
    const alive = await surelyAlive(call, search);
    if (alive.length === 0) return;
    // Also those that were started since the last look. A stopped process hears TERM only when it goes on.
    const untold = alive.filter((pid) => !told.has(pid));
    signalAll(untold, 'SIGTERM');
    signalAll(untold, 'SIGCONT');
    for (const pid of untold) told.add(pid);
    await delay(LOOK_EVERY_MS);
  }
  for (let round = 0; round < KILL_ROUNDS; round += 1) {
    const alive = await surelyAlive(call, search);
    if (alive.length === 0) return;
    signalAll(alive, 'SIGKILL');
    await delay(LOOK_EVERY_MS);
  }
}

/** What was found in all looks so far, by number, and who was seen to be none of them. */
interface Search {
  readonly known: Map<number, string>;
  readonly strangers: Set<string>;
}

/** Empty only when several looks in a row have found nothing. */
async function surelyAlive(call: CallProcesses, search: Search): Promise<number[]> {
  for (let looks = 1; ; looks += 1) {
    const alive = await stillAlive(call, search).catch(passOver);
    if (alive && (alive.length > 0 || looks === EMPTY_LOOKS)) return alive;
    if (!alive) looks = 0;
    await delay(alive ? EMPTY_LOOK_EVERY_MS : LOOK_EVERY_MS);
  }
}

/** A look without a free descriptor has seen nothing, and says nothing: to give up would leave what is to end. */
function passOver(error: unknown): undefined {
  if (!isOutOfDescriptors(error)) throw error;
}

/** What is found now, and what was found before and still lives: a child outlives the parent that made it findable. */
async function stillAlive(call: CallProcesses, { known, strangers }: Search): Promise<number[]> {
  for (const [pid, startedAt] of await lookFor(call, strangers)) known.set(pid, startedAt);
  if (known.size === 0) return [];
  const startedAt = new Map((await listProcesses()).filter((row) => !row.isZombie).map((row) => [row.pid, row.startedAt]));
  // A number that was given to another process since is not theirs any more.
  for (const [pid, started] of known) if (startedAt.get(pid) !== started) known.delete(pid);
  return [...known.keys()];
}

function signalAll(pids: Iterable<number>, signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Gone already, or not ours to signal; the next look says which.
    }
  }
}
