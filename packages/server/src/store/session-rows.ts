import { type Call, isFinalCallState, type Part, type Rule, type Session, type SessionEnd, type SessionEvent, type Usage } from '@tendon/protocol';
import { publicSession, type SessionState, type StoredCall } from '../kernel/index.ts';
import { type CommitParts, commitInput, type LoadedSession } from './committer.ts';
import { makeFork } from './fork-session.ts';
import { plainText } from './parameters.ts';
import { run, touch } from './queries.ts';
import {
  type CallRow,
  type EventRow,
  type MessageRow,
  type RuleRow,
  type SessionListRow,
  toEvent,
  toMessage,
  toRule,
  toSession,
  toState,
  toStoredCall,
} from './rows.ts';
import type {
  CommitOutcome,
  CommitRequest,
  Decide,
  Fork,
  ForkOutcome,
  HistoryPage,
  HistoryRows,
  Lease,
  NewSession,
  Pruned,
  SessionPlace,
  SessionStore,
} from './session-store.ts';
import { claimOwed } from './sql/claim-owed.ts';
import { createSession } from './sql/create-session.ts';
import { deleteSession } from './sql/delete-session.ts';
import { findCall } from './sql/find-call.ts';
import { listOpenCalls } from './sql/list-open-calls.ts';
import { listOverSessions } from './sql/list-over-sessions.ts';
import { listPlaces } from './sql/list-places.ts';
import { listRules } from './sql/list-rules.ts';
import { listSessions } from './sql/list-sessions.ts';
import { loadSession } from './sql/load-session.ts';
import { PRUNED_AT_ONCE, pruneEvents } from './sql/prune-events.ts';
import { readEvents } from './sql/read-events.ts';
import { readHistory } from './sql/read-history.ts';
import { readPage } from './sql/read-page.ts';
import { readTurnCalls } from './sql/read-turn-calls.ts';
import { releaseAllLeases } from './sql/release-all-leases.ts';
import { releaseLease } from './sql/release-lease.ts';
import { renewLeases } from './sql/renew-leases.ts';
import { revokeRule } from './sql/revoke-rule.ts';
import { savePartial } from './sql/save-partial.ts';
import { touchRule } from './sql/touch-rule.ts';

interface PageRow {
  messages: MessageRow[] | null;
  queue?: MessageRow[] | null;
  calls: CallRow[] | null;
  /** Messages that the limit lets through were left out for their size. */
  is_cut?: boolean;
}

interface LeaseRow {
  id: string;
  lease_epoch: number;
}

/** Stands before every id. */
const NO_ID = '00000000-0000-0000-0000-000000000000';
const NO_USAGE: Usage = { inputTokens: 0, outputTokens: 0 };

/** Sessions in PostgreSQL. Holds nothing but the tails of commits in flight. */
export class SessionRows implements SessionStore {
  readonly #parts: CommitParts;
  /** Commits of one session follow each other here, so that only other nodes can outrun one. */
  readonly #tails = new Map<string, Promise<unknown>>();

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  async create(session: NewSession): Promise<{ state: SessionState; events: readonly SessionEvent[] }> {
    const { id, ownerId, gatewayId, at } = session;
    const title = plainText(session.title);
    const model = plainText(session.model);
    const workspace = session.workspace === undefined ? undefined : plainText(session.workspace);
    const fixed = { archived: false, seq: 1, stopGeneration: 0, held: false, steps: 0, usage: NO_USAGE, calls: [], queue: [] };
    const where = { ...(gatewayId === undefined ? {} : { gatewayId }), ...(workspace === undefined ? {} : { workspace }) };
    const state: SessionState = { id, ownerId, title, model, ...where, createdAt: at, updatedAt: at, ...fixed };
    const data = { session: publicSession(state) };
    const values = [id, ownerId, title, model, gatewayId, workspace, at, JSON.stringify(NO_USAGE), JSON.stringify(data)];
    await run(this.#parts.database, createSession, values);
    return { state, events: [{ sessionId: id, seq: 1, at, type: 'session.updated', data }] };
  }

  fork(fork: Fork): Promise<ForkOutcome> {
    return makeFork(this.#parts.database, fork);
  }

  async commit(request: CommitRequest, decide: Decide): Promise<CommitOutcome> {
    const before = this.#tails.get(request.sessionId) ?? Promise.resolve();
    const mine = before.then(() => commitInput(this.#parts, request, decide));
    const tail = mine.catch(() => undefined);
    this.#tails.set(request.sessionId, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(request.sessionId) === tail) this.#tails.delete(request.sessionId);
    }
  }

  async savePartial({ sessionId, node, epoch }: Lease, messageId: string, parts: readonly Part[]): Promise<boolean> {
    return (await touch(this.#parts.database, savePartial, [sessionId, node, epoch, messageId, JSON.stringify(parts)])) === 1;
  }

  async claimOwed(node: string, limit: number): Promise<readonly Lease[]> {
    return toLeases(node, await run<LeaseRow>(this.#parts.database, claimOwed, [node, limit]));
  }

  async releaseAll(): Promise<void> {
    await touch(this.#parts.database, releaseAllLeases, []);
  }

  async renew(node: string, leases: readonly Lease[]): Promise<readonly Lease[]> {
    if (leases.length === 0) return [];
    const ids = leases.map((lease) => lease.sessionId);
    const epochs = leases.map((lease) => lease.epoch);
    return toLeases(node, await run<LeaseRow>(this.#parts.database, renewLeases, [node, ids, epochs]));
  }

  async release({ sessionId, node, epoch }: Lease): Promise<void> {
    await touch(this.#parts.database, releaseLease, [sessionId, node, epoch]);
  }

  async load(sessionId: string, ownerId?: string): Promise<SessionState | undefined> {
    const [row] = await run<LoadedSession>(this.#parts.database, loadSession, [sessionId, ownerId, null, null]);
    return row && toState(row.session, row.calls ?? [], row.queue ?? []);
  }

  async list(ownerId: string, page: { cursor?: string | undefined; limit: number }): Promise<{ sessions: readonly Session[]; nextCursor?: string }> {
    const [time, id] = readCursor(page.cursor);
    const rows = await run<{ session: SessionListRow }>(this.#parts.database, listSessions, [ownerId, time, id, page.limit + 1]);
    const sessions = rows.slice(0, page.limit).map((row) => toSession(row.session));
    const last = sessions.at(-1);
    return rows.length > page.limit && last ? { sessions, nextCursor: writeCursor(last) } : { sessions };
  }

  async delete(sessionId: string, ownerId: string): Promise<boolean> {
    return (await touch(this.#parts.database, deleteSession, [sessionId, ownerId])) === 1;
  }

  async page(sessionId: string, { before, limit }: { before?: number | undefined; limit: number }): Promise<HistoryPage> {
    const [row] = await run<PageRow>(this.#parts.database, readPage, [sessionId, before, limit + 1]);
    const found = row?.messages ?? [];
    const isOver = found.length > limit;
    const hasMore = isOver || row?.is_cut === true;
    const shown = isOver ? found.slice(1) : found;
    const tooOld = isOver ? found[0]?.id : undefined;
    const calls = (row?.calls ?? []).filter((call) => call.message_id !== tooOld || !isFinalCallState(call.state));
    return { messages: [...shown, ...(row?.queue ?? [])].map(toMessage), calls: calls.map((call) => toStoredCall(call).call), hasMore };
  }

  async eventsAfter(sessionId: string, seq: number, limit: number): Promise<readonly SessionEvent[] | undefined> {
    const [row] = await run<{ last_seq: number; events: EventRow[] | null }>(this.#parts.database, readEvents, [sessionId, seq, limit + 1]);
    const events = row?.events ?? [];
    const isWhole = row !== undefined && events.length === row.last_seq - seq;
    return isWhole && events.length <= limit ? events.map(toEvent) : undefined;
  }

  async pruneEvents(before: string, cursor: string = NO_ID): Promise<Pruned> {
    const [row] = await run<{ pruned: number; last_id: string | null }>(this.#parts.database, pruneEvents, [cursor, before]);
    const pruned = row?.pruned ?? 0;
    // When the statement was full, the same sessions may have more.
    return { pruned, nextCursor: pruned < PRUNED_AT_ONCE ? (row?.last_id ?? undefined) : cursor };
  }

  async historyAfter(sessionId: string, afterSeq: number, limit: number): Promise<HistoryRows> {
    const [row] = await run<PageRow & { settled: number }>(this.#parts.database, readHistory, [sessionId, afterSeq, limit]);
    return { messages: (row?.messages ?? []).map(toMessage), calls: (row?.calls ?? []).map(toStoredCall), settled: row?.settled ?? 0 };
  }

  async turnCalls(sessionId: string, messageId: string): Promise<readonly Call[] | undefined> {
    const [row] = await run<{ calls: CallRow[] | null }>(this.#parts.database, readTurnCalls, [sessionId, messageId]);
    return row && (row.calls ?? []).map((call) => toStoredCall(call).call);
  }

  async findCall(callId: string): Promise<{ sessionId: string; ownerId: string; call: StoredCall } | undefined> {
    const [row] = await run<{ owner_id: string; call: CallRow }>(this.#parts.database, findCall, [callId]);
    return row && { sessionId: row.call.session_id, ownerId: row.owner_id, call: toStoredCall(row.call) };
  }

  async openCallsOf(gatewayId: string): Promise<readonly { sessionId: string; call: StoredCall }[]> {
    const rows = await run<{ call: CallRow }>(this.#parts.database, listOpenCalls, [gatewayId]);
    return rows.map((row) => ({ sessionId: row.call.session_id, call: toStoredCall(row.call) }));
  }

  async places(sessionIds: readonly string[], gatewayIds: readonly string[]): Promise<readonly SessionPlace[]> {
    if (sessionIds.length + gatewayIds.length === 0) return [];
    const rows = await run<{ id: string; seq: number }>(this.#parts.database, listPlaces, [sessionIds, gatewayIds]);
    return rows.map((row) => ({ sessionId: row.id, seq: row.seq }));
  }

  async overSessions(ownerId: string, sessionIds: readonly string[]): Promise<readonly SessionEnd[]> {
    if (sessionIds.length === 0) return [];
    const rows = await run<{ id: string; is_deleted: boolean }>(this.#parts.database, listOverSessions, [ownerId, sessionIds]);
    return rows.map((row) => ({ sessionId: row.id, isDeleted: row.is_deleted }));
  }

  async rules(ownerId: string): Promise<readonly Rule[]> {
    const rows = await run<{ rule: RuleRow }>(this.#parts.database, listRules, [ownerId]);
    return rows.map((row) => toRule(row.rule));
  }

  async revokeRule(ownerId: string, ruleId: string): Promise<boolean> {
    return (await touch(this.#parts.database, revokeRule, [ownerId, ruleId])) === 1;
  }

  async touchRule(ruleId: string, at: string): Promise<void> {
    await touch(this.#parts.database, touchRule, [ruleId, at]);
  }
}

function toLeases(node: string, rows: readonly LeaseRow[]): Lease[] {
  return rows.map((row) => ({ sessionId: row.id, node, epoch: row.lease_epoch }));
}

/** Where a page ended: time and id of its last session. */
function writeCursor(last: Session): string {
  return Buffer.from(`${last.updatedAt} ${last.id}`).toString('base64url');
}

const CURSOR = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** A cursor that is none of ours begins at the newest. */
function readCursor(cursor: string | undefined): [string | null, string | null] {
  const [, time, id] = CURSOR.exec(Buffer.from(cursor ?? '', 'base64url').toString()) ?? [];
  return time === undefined || id === undefined || Number.isNaN(Date.parse(time)) ? [null, null] : [time, id];
}
