import { isFinalCallState } from '@tendon/protocol';

/** A row as `row_to_json` writes it. The world's tables hold what the real ones hold, under the same names. */
export type Row = Record<string, unknown> & { readonly id: string };

export interface SessionRow extends Row {
  owner_id: string;
  status: string;
  seq: number;
  version: number;
  updated_at: string;
  owes: boolean;
  turn_message_id: string | null;
  turn_epoch: number | null;
  lease_node: string | null;
  lease_epoch: number;
  /** Milliseconds of the world. */
  lease_expires_at: number | null;
}

export interface MessageRow extends Row {
  session_id: string;
  seq: number;
  role: string;
  state: string;
  queue_rank: number;
  parts: unknown;
}

export interface CallRow extends Row {
  session_id: string;
  message_id: string;
  state: 'awaiting_approval' | 'awaiting_answer' | 'queued' | 'running' | 'succeeded' | 'failed' | 'denied' | 'cancelled' | 'unknown';
  gateway_id: string | null;
  ordinal: number;
  [column: string]: unknown;
}

export interface EventRow {
  session_id: string;
  seq: number;
  at: string;
  type: string;
  data: unknown;
}

export interface GatewayRow extends Row {
  owner_id: string;
  name: string;
  last_seen_at: string;
  greeting: number;
}

interface NewSession {
  readonly id: string;
  readonly owner_id: string;
  readonly title: unknown;
  readonly model: unknown;
  readonly gateway_id: unknown;
  readonly workspace: unknown;
  readonly at: string;
  readonly seq: number;
  readonly usage: unknown;
}

/** A session at rest, without a word in it. */
export function newSession({ gateway_id, workspace, at, usage, ...fields }: NewSession): SessionRow {
  return {
    ...fields,
    gateway_id: gateway_id ?? null,
    workspace: workspace ?? null,
    archived: false,
    created_at: at,
    updated_at: at,
    stop_generation: 0,
    held: false,
    steps: 0,
    usage,
    status: 'idle',
    waiting_approvals: 0,
    waiting_answers: 0,
    stopping: false,
    queue_length: 0,
    owes: false,
    turn_message_id: null,
    turn_epoch: null,
    turn_started_at: null,
    turn_partial: null,
    last_error: null,
    version: 0,
    lease_node: null,
    lease_epoch: 0,
    lease_expires_at: null,
  };
}

/** What one PostgreSQL holds. Outlives every process of the world. */
export class Tables {
  readonly sessions = new Map<string, SessionRow>();
  readonly messages = new Map<string, MessageRow>();
  readonly calls = new Map<string, CallRow>();
  /** By session, in order and without a gap. A fork's begin where those of the other session were. */
  readonly events = new Map<string, EventRow[]>();
  readonly rules = new Map<string, Row>();
  readonly gateways = new Map<string, GatewayRow>();
  /** Messages and calls of each session, in the order in which they came. */
  readonly messagesOf = new Map<string, MessageRow[]>();
  readonly callsOf = new Map<string, CallRow[]>();
  ordinals = 0;

  putMessage(row: MessageRow): void {
    const known = this.messages.get(row.id);
    if (known) {
      Object.assign(known, row);
      return;
    }
    this.messages.set(row.id, row);
    listOf(this.messagesOf, row.session_id).push(row);
  }

  removeMessage(id: string): void {
    const row = this.messages.get(id);
    if (!row) return;
    this.messages.delete(id);
    const list = listOf(this.messagesOf, row.session_id);
    list.splice(list.indexOf(row), 1);
  }

  putCall(row: CallRow): void {
    const known = this.calls.get(row.id);
    if (known) {
      Object.assign(known, row);
      return;
    }
    this.ordinals += 1;
    row.ordinal = this.ordinals;
    this.calls.set(row.id, row);
    listOf(this.callsOf, row.session_id).push(row);
  }

  eventsAfter(sessionId: string, seq: number): EventRow[] {
    const events = this.events.get(sessionId) ?? [];
    return events.slice(Math.max(0, seq + 1 - (events[0]?.seq ?? 1)));
  }

  openCalls(sessionId: string): CallRow[] {
    return (this.callsOf.get(sessionId) ?? []).filter((call) => !isFinalCallState(call.state));
  }

  queue(sessionId: string): MessageRow[] {
    return (this.messagesOf.get(sessionId) ?? []).filter((message) => message.state === 'queued').toSorted((a, b) => a.queue_rank - b.queue_rank);
  }

  /** Messages that have had their turn, oldest first. */
  history(sessionId: string): MessageRow[] {
    return (this.messagesOf.get(sessionId) ?? []).filter((message) => message.state !== 'queued').toSorted((a, b) => a.seq - b.seq);
  }
}

export function listOf<Item>(lists: Map<string, Item[]>, key: string): Item[] {
  const known = lists.get(key);
  if (known) return known;
  const list: Item[] = [];
  lists.set(key, list);
  return list;
}
