import { type Change, isStopping, type SessionState, type StoredCall, type StoredMessage, statusOf } from '../kernel/index.ts';

/** What becomes of the session's lease with this commit. */
export type LeaseMove = 'hold' | 'keep' | 'drop';

/** PostgreSQL's text holds every character but NUL, and no half of a surrogate pair. Longer things are JSON columns, which hold all. */
export function plainText(value: string): string {
  return value.toWellFormed().replaceAll('\0', '\uFFFD');
}

function optionalText(value: string | undefined): string | null {
  return value === undefined ? null : plainText(value);
}

/** A JSON column inside a jsonb parameter travels as text: see `sql/write-change.ts`. */
function json(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** The parameters of `write_change` after the fence: session fields, removed messages, messages, calls, events, rules. */
export function changeParameters(change: Change, lease: { move: LeaseMove; epoch: number; owes: boolean }): unknown[] {
  return [
    JSON.stringify({ ...sessionFields(change.state), owes: lease.owes, lease: lease.move, lease_epoch: lease.epoch }),
    change.removedMessageIds,
    JSON.stringify(change.messages.map(messageFields)),
    JSON.stringify(change.calls.map(callFields)),
    JSON.stringify(change.events.map(({ seq, at, type, data }) => ({ seq, at, type, data: json(data) }))),
    JSON.stringify(ruleFields(change)),
  ];
}

function sessionFields(state: SessionState): object {
  const waitingFor = (wanted: string) => state.calls.filter((stored) => stored.call.state === wanted).length;
  return {
    title: plainText(state.title),
    model: plainText(state.model),
    gateway_id: state.gatewayId,
    workspace: optionalText(state.workspace),
    archived: state.archived,
    updated_at: state.updatedAt,
    seq: state.seq,
    stop_generation: state.stopGeneration,
    held: state.held,
    turn_message_id: state.turn?.messageId,
    turn_epoch: state.turn?.epoch,
    turn_started_at: state.turn?.startedAt,
    steps: state.steps,
    last_error: json(state.lastError),
    usage: json(state.usage),
    status: statusOf(state),
    waiting_approvals: waitingFor('awaiting_approval'),
    waiting_answers: waitingFor('awaiting_answer'),
    stopping: isStopping(state),
    queue_length: state.queue.length,
  };
}

function messageFields({ message, acceptedSeq, wasQueued, queueRank }: StoredMessage): object {
  return {
    id: message.id,
    seq: message.seq,
    role: message.role,
    state: message.state,
    parts: json(message.parts),
    model: optionalText(message.model),
    usage: json(message.usage),
    created_at: message.createdAt,
    accepted_seq: acceptedSeq,
    was_queued: wasQueued,
    queue_rank: queueRank,
  };
}

function callFields({ call, dispatch, cancelRequestedAt, metadata }: StoredCall): object {
  return {
    id: call.id,
    message_id: call.messageId,
    tool: plainText(call.tool),
    kind: call.kind,
    effect: call.effect,
    input: json(call.input),
    input_hash: call.inputHash,
    state: call.state,
    gateway_id: call.gatewayId,
    workspace: optionalText(call.workspace),
    definition: call.definition,
    decision: json(call.decision),
    result: json(call.result),
    resolution: json(call.resolution),
    created_at: call.createdAt,
    started_at: call.startedAt,
    finished_at: call.finishedAt,
    dispatch_attempt: dispatch?.attempt,
    dispatch_instance_id: dispatch?.instanceId,
    dispatch_stop_generation: dispatch?.stopGeneration,
    dispatched_at: dispatch?.at,
    cancel_requested_at: cancelRequestedAt,
    metadata: json(metadata),
  };
}

/** A rule matches byte for byte, so one that cannot be stored as it is, is not stored: the person is asked again. */
function ruleFields(change: Change): object[] {
  return change.rules
    .filter((rule) => [rule.tool, rule.subject, rule.workspace ?? ''].every((text) => plainText(text) === text))
    .map((rule) => ({
      id: rule.id,
      owner_id: rule.ownerId,
      tool: rule.tool,
      subject: rule.subject,
      workspace: rule.workspace,
      gateway_id: rule.gatewayId,
      definition: rule.definition,
      session_id: rule.sessionId,
      created_at: rule.createdAt,
    }));
}
