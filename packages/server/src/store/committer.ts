import { type Message, refusal } from '@tendon/protocol';
import { brokenInvariants, type Change, type Focus, owed, type SessionState, type Stamp } from '../kernel/index.ts';
import type { Database } from './database.ts';
import { changeParameters, type LeaseMove } from './parameters.ts';
import { run } from './queries.ts';
import { type CallRow, type MessageRow, type SessionRow, toState, toStoredCall, toStoredMessage } from './rows.ts';
import type { CommitOutcome, CommitRequest, Committed, Decide, Lease } from './session-store.ts';
import { loadSession } from './sql/load-session.ts';
import { writeChange } from './sql/write-change.ts';

/**
 *   load (one statement, one moment) ─► decide ─► write (one statement, fenced by version, epoch and node) ─► committed
 *     ▲                                                     │ someone else was quicker
 *     └─────────────────────────────────────────────────────┘
 *
 * Nothing is locked between the two, so a process that stops in the middle stops nobody; two round trips make a commit.
 */
export interface CommitParts {
  readonly database: Database;
  readonly now: () => string;
  readonly newId: () => string;
  readonly pause: (ms: number) => Promise<void>;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

export interface LoadedSession {
  session: SessionRow;
  /** Nobody holds the lease, or whoever did has let it run out. */
  is_free: boolean;
  calls: CallRow[] | null;
  queue: MessageRow[] | null;
  focus_message: MessageRow | null;
  focus_call: CallRow | null;
  /** The message in focus, when it has been taken out of the queue; `seq` is its first place. */
  focus_removed: { readonly seq: number; readonly message: Message } | null;
}

/** Contention beyond this is a fault: within a node the commits of a session follow each other. */
const MAX_ATTEMPTS = 100;
const MAX_PAUSE_MS = 50;
/** PostgreSQL's codes: a row with this key came in between; a deadlock or a serialization failure wants another try. */
const WORTH_A_RETRY = new Set(['23505', '40P01', '40001']);

export async function commitInput(parts: CommitParts, request: CommitRequest, decide: Decide): Promise<CommitOutcome> {
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    const outcome = await tryCommit(parts, request, decide);
    if (outcome !== 'outrun') return outcome;
    if (attempt > 1) await parts.pause(parts.random() * Math.min(MAX_PAUSE_MS, 2 ** attempt));
  }
  throw new Error(`session ${request.sessionId} was changed by others ${MAX_ATTEMPTS} times in a row`);
}

async function tryCommit(parts: CommitParts, request: CommitRequest, decide: Decide): Promise<CommitOutcome | 'outrun'> {
  const loaded = await load(parts.database, request);
  if (!loaded) return refusal('not_found', 'No such session.');
  const { fence } = request;
  if (fence && !holds(loaded.session, fence)) return { ok: false, fenced: true };
  const state = toState(loaded.session, loaded.calls ?? [], loaded.queue ?? []);
  const isOwn = loaded.session.lease_node === request.node;
  const epoch = loaded.session.lease_epoch + (loaded.is_free && !isOwn ? 1 : 0);
  const stamp: Stamp = { at: parts.now(), epoch, turnId: parts.newId(), ruleId: parts.newId(), callId: parts.newId() };
  const outcome = decide(state, request.input, { stamp, focus: focusOf(loaded) });
  if (!outcome.ok) return outcome;
  const { change, answer } = outcome;
  const lease = nextLease(change.state, { request, loaded, epoch });
  if (!isNothing(state, change) && !(await write(parts.database, { request, loaded, state, change, lease }))) return 'outrun';
  return committed({ change, answer }, lease);
}

function focusOf({ focus_message: message, focus_call: call, focus_removed: removed }: LoadedSession): Focus {
  return {
    message: message ? toStoredMessage(message) : undefined,
    removed: removed ? { message: removed.message, acceptedSeq: removed.seq, wasQueued: true, queueRank: 0 } : undefined,
    call: call ? toStoredCall(call) : undefined,
  };
}

function committed(result: Pick<Committed, 'change' | 'answer'>, lease: NextLease): Committed {
  return { ok: true, ...result, owed: lease.effects, ...(lease.held ? { lease: lease.held } : {}) };
}

async function load(database: Database, { sessionId, ownerId, focus }: CommitRequest): Promise<LoadedSession | undefined> {
  const rows = await run<LoadedSession>(database, loadSession, [sessionId, ownerId, focus?.messageId, focus?.callId]);
  return rows[0];
}

function holds(session: SessionRow, lease: Lease): boolean {
  return session.lease_node === lease.node && session.lease_epoch === lease.epoch;
}

interface NextLease {
  readonly move: LeaseMove;
  readonly epoch: number;
  readonly effects: Committed['owed'];
  readonly held: Lease | undefined;
}

/**
 * The node that commits becomes the owner when work is owed and nobody else lives. Not of a turn that an earlier owner began: that one
 * is claimed, and declared lost, before it is run again. Nobody owns a session that owes nothing, so that whoever brings it work can take it.
 */
function nextLease(after: SessionState, { request, loaded, epoch }: { request: CommitRequest; loaded: LoadedSession; epoch: number }): NextLease {
  const effects = owed(after);
  const before = loaded.session;
  const isOwn = before.lease_node === request.node;
  const isOthersTurn = after.turn !== undefined && after.turn.epoch !== epoch;
  const mayHold = isOwn || (loaded.is_free && !isOthersTurn);
  if (mayHold && effects.length > 0) return { move: 'hold', epoch, effects, held: { sessionId: before.id, node: request.node, epoch } };
  if (isOwn || effects.length === 0) return { move: 'drop', epoch: before.lease_epoch, effects, held: undefined };
  return { move: 'keep', epoch: before.lease_epoch, effects, held: undefined };
}

function isNothing(before: SessionState, { state, events, messages, removedMessageIds, calls, rules }: Change): boolean {
  return state === before && events.length + messages.length + removedMessageIds.length + calls.length + rules.length === 0;
}

interface Writing {
  readonly request: CommitRequest;
  readonly loaded: LoadedSession;
  readonly state: SessionState;
  readonly change: Change;
  readonly lease: NextLease;
}

/** False when another commit was quicker, or the lease went to another node. */
async function write(database: Database, { request, loaded, state, change, lease }: Writing): Promise<boolean> {
  const faults = brokenInvariants(state, change);
  if (faults.length > 0) throw new Error(`input ${request.input.type} would break session ${request.sessionId}: ${faults.join('; ')}`);
  const { version, lease_epoch: epoch, lease_node: node } = loaded.session;
  const fields = changeParameters(change, { move: lease.move, epoch: lease.epoch, owes: lease.effects.length > 0 });
  try {
    const rows = await run(database, writeChange, [request.sessionId, version, epoch, node, request.node, ...fields]);
    return rows.length === 1;
  } catch (error) {
    if (WORTH_A_RETRY.has((error as { code?: string }).code ?? '')) return false;
    throw error;
  }
}
