import type { Call, Fault, Message, Part, Rule, Session, SessionEvent, Usage } from '@tendon/protocol';
import type { SessionState, StoredCall, StoredMessage } from '../kernel/index.ts';

/**
 * Rows as PostgreSQL's `row_to_json` writes them, and what they mean. Their columns are those of `schema/`.
 */
type Maybe<T> = T | null;

export interface SessionListRow {
  id: string;
  title: string;
  status: Session['status'];
  model: string;
  gateway_id: Maybe<string>;
  workspace: Maybe<string>;
  archived: boolean;
  seq: number;
  created_at: string;
  updated_at: string;
  last_error: Maybe<Fault>;
  stopping: boolean;
  held: boolean;
  queue_length: number;
  waiting_approvals: number;
  waiting_answers: number;
  usage: Usage;
}

export interface SessionRow extends SessionListRow {
  owner_id: string;
  stop_generation: number;
  turn_message_id: Maybe<string>;
  turn_epoch: Maybe<number>;
  turn_started_at: Maybe<string>;
  turn_partial: Maybe<Part[]>;
  steps: number;
  version: number;
  lease_node: Maybe<string>;
  lease_epoch: number;
}

export interface MessageRow {
  id: string;
  session_id: string;
  seq: number;
  role: Message['role'];
  state: Message['state'];
  parts: Part[];
  model: Maybe<string>;
  usage: Maybe<Usage>;
  created_at: string;
  accepted_seq: number;
  was_queued: boolean;
  queue_rank: number;
}

export interface CallRow {
  id: string;
  session_id: string;
  message_id: string;
  tool: string;
  kind: Call['kind'];
  effect: Call['effect'];
  input: unknown;
  input_hash: string;
  state: Call['state'];
  gateway_id: Maybe<string>;
  workspace: Maybe<string>;
  definition: Maybe<string>;
  decision: Maybe<Call['decision']>;
  result: Maybe<Call['result']>;
  resolution: Maybe<Call['resolution']>;
  created_at: string;
  started_at: Maybe<string>;
  finished_at: Maybe<string>;
  dispatch_attempt: Maybe<number>;
  dispatch_instance_id: Maybe<string>;
  dispatch_stop_generation: Maybe<number>;
  dispatched_at: Maybe<string>;
  cancel_requested_at: Maybe<string>;
  metadata: unknown;
}

export interface EventRow {
  session_id: string;
  seq: number;
  at: string;
  type: SessionEvent['type'];
  data: unknown;
}

export interface RuleRow {
  id: string;
  tool: string;
  subject: string;
  workspace: Maybe<string>;
  gateway_id: Maybe<string>;
  definition: Maybe<string>;
  session_id: Maybe<string>;
  created_at: string;
  last_used_at: Maybe<string>;
}

/** ISO 8601 in UTC with milliseconds, as the protocol has it. */
function time(value: string): string {
  return new Date(value).toISOString();
}

function optionalTime(value: Maybe<string>): string | undefined {
  return value === null ? undefined : time(value);
}

/** Absent fields are left out, not sent as null. */
function present<T extends object>(fields: { [Key in keyof T]: T[Key] | null | undefined }): T {
  const kept: Partial<T> = {};
  for (const key of Object.keys(fields) as (keyof T)[]) if (fields[key] !== null && fields[key] !== undefined) kept[key] = fields[key];
  return kept as T;
}

export function toState(row: SessionRow, calls: readonly CallRow[], queue: readonly MessageRow[]): SessionState {
  const turn =
    row.turn_message_id !== null && row.turn_epoch !== null && row.turn_started_at !== null
      ? { messageId: row.turn_message_id, epoch: row.turn_epoch, startedAt: time(row.turn_started_at), partial: row.turn_partial ?? [] }
      : undefined;
  return present<SessionState>({
    id: row.id,
    ownerId: row.owner_id,
    title: row.title,
    model: row.model,
    gatewayId: row.gateway_id,
    workspace: row.workspace,
    archived: row.archived,
    createdAt: time(row.created_at),
    updatedAt: time(row.updated_at),
    seq: row.seq,
    stopGeneration: row.stop_generation,
    held: row.held,
    turn,
    steps: row.steps,
    lastError: row.last_error,
    usage: row.usage,
    calls: calls.map(toStoredCall),
    queue: queue.map(toStoredMessage),
  });
}

export function toSession(row: SessionListRow): Session {
  return present<Session>({
    id: row.id,
    title: row.title,
    status: row.status,
    model: row.model,
    gatewayId: row.gateway_id,
    workspace: row.workspace,
    archived: row.archived,
    seq: row.seq,
    createdAt: time(row.created_at),
    updatedAt: time(row.updated_at),
    lastError: row.last_error,
    stopping: row.stopping || undefined,
    held: (row.held && row.queue_length > 0) || undefined,
    waiting: { approvals: row.waiting_approvals, answers: row.waiting_answers },
    usage: row.usage,
  });
}

export function toMessage(row: MessageRow): Message {
  return present<Message>({
    id: row.id,
    sessionId: row.session_id,
    seq: row.seq,
    role: row.role,
    state: row.state,
    parts: row.parts,
    model: row.model,
    usage: row.usage,
    createdAt: time(row.created_at),
  });
}

export function toStoredMessage(row: MessageRow): StoredMessage {
  return { message: toMessage(row), acceptedSeq: row.accepted_seq, wasQueued: row.was_queued, queueRank: row.queue_rank };
}

export function toStoredCall(row: CallRow): StoredCall {
  const call = present<Call>({
    id: row.id,
    sessionId: row.session_id,
    messageId: row.message_id,
    tool: row.tool,
    kind: row.kind,
    effect: row.effect,
    input: row.input,
    inputHash: row.input_hash,
    state: row.state,
    gatewayId: row.gateway_id,
    workspace: row.workspace,
    definition: row.definition,
    decision: row.decision,
    result: row.result,
    resolution: row.resolution,
    createdAt: time(row.created_at),
    startedAt: optionalTime(row.started_at),
    finishedAt: optionalTime(row.finished_at),
  });
  const { dispatch_attempt: attempt, dispatch_instance_id: instanceId, dispatch_stop_generation: stopGeneration, dispatched_at: at } = row;
  const isDispatched = attempt !== null && instanceId !== null && stopGeneration !== null && at !== null;
  return present<StoredCall>({
    call: { ...call, input: row.input },
    dispatch: isDispatched ? { attempt, instanceId, stopGeneration, at: time(at) } : undefined,
    cancelRequestedAt: optionalTime(row.cancel_requested_at),
    metadata: row.metadata,
  });
}

export function toEvent(row: EventRow): SessionEvent {
  return { sessionId: row.session_id, seq: row.seq, at: time(row.at), type: row.type, data: row.data } as SessionEvent;
}

export function toRule(row: RuleRow): Rule {
  return present<Rule>({
    id: row.id,
    tool: row.tool,
    subject: row.subject,
    workspace: row.workspace,
    gatewayId: row.gateway_id,
    definition: row.definition,
    sessionId: row.session_id,
    createdAt: time(row.created_at),
    lastUsedAt: optionalTime(row.last_used_at),
  });
}
