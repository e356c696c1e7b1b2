import { type Call, failedResult, refusal } from '@tendon/protocol';
import type { Draft, Outcome } from '../change.ts';
import type { InputOf, RequestedCall } from '../input.ts';
import type { StoredCall } from '../state.ts';
import { afterCall, beginTurn, historyMessage, keepPartial, settle } from '../turn-flow.ts';

/** What an owner reports of a turn that is no longer the current one is dropped: stopped, or taken over (SPEC S9). */
function isCurrent(draft: Draft, messageId: string): boolean {
  return draft.state.turn?.messageId === messageId;
}

export function onTurnCompleted(draft: Draft, input: InputOf<'turn_completed'>): Outcome {
  const turn = draft.state.turn;
  if (!turn || !isCurrent(draft, input.messageId)) return refusal('conflict', 'This turn is over.');
  const message = draft.placeMessage('message.completed', {
    id: turn.messageId,
    sessionId: draft.state.id,
    role: 'assistant',
    state: 'complete',
    parts: [...input.parts],
    model: input.model,
    usage: input.usage,
    createdAt: turn.startedAt,
  });
  draft.writeMessage(historyMessage(message));
  addUsage(draft, input.usage);
  draft.set({ turn: undefined });
  for (const requested of input.calls) requestCall(draft, requested, message.id);
  if (input.calls.length > 0) afterCall(draft, { wasStopped: false });
  else {
    draft.set({ steps: 0 });
    settle(draft);
  }
  return draft.finish({ type: 'done' });
}

function requestCall(draft: Draft, requested: RequestedCall, messageId: string): void {
  const { verdict, metadata, ...fields } = requested;
  const base: Call = { ...fields, sessionId: draft.state.id, messageId, state: 'queued', createdAt: draft.stamp.at };
  const call = withVerdict(base, verdict, draft.stamp.at);
  const stored: StoredCall = metadata === undefined ? { call } : { call, metadata };
  const isOpen = call.state !== 'failed' && call.state !== 'denied';
  draft.writeCall(stored, isOpen);
  draft.emit('call.requested', { call });
}

function withVerdict(call: Call, verdict: RequestedCall['verdict'], at: string): Call {
  if (verdict.kind === 'invalid') return { ...call, state: 'failed', result: failedResult(verdict.error.code, verdict.error.message), finishedAt: at };
  if (verdict.kind === 'deny') {
    return { ...call, state: 'denied', decision: { by: 'policy', decision: 'deny', scope: 'once', reason: verdict.reason, at }, finishedAt: at };
  }
  if (call.kind === 'pause') return { ...call, state: 'awaiting_answer' };
  if (verdict.kind === 'ask') return { ...call, state: 'awaiting_approval' };
  return { ...call, decision: { by: 'policy', decision: 'approve', scope: 'once', reason: verdict.rule, at } };
}

export function onTurnFailed(draft: Draft, input: InputOf<'turn_failed'>): Outcome {
  if (!isCurrent(draft, input.messageId)) return refusal('conflict', 'This turn is over.');
  keepPartial(draft, input.parts, 'failed');
  if (input.usage) addUsage(draft, input.usage);
  draft.emit('turn.failed', { error: input.error, retryable: input.retryable });
  draft.set({ turn: undefined, lastError: input.error, held: draft.state.queue.length > 0, steps: 0 });
  return draft.finish({ type: 'done' });
}

/** The earlier text stays, shown as interrupted; the model call starts again under the new owner. */
export function onTurnLost(draft: Draft): Outcome {
  const turn = draft.state.turn;
  if (!turn || turn.epoch === draft.stamp.epoch) return refusal('conflict', 'This turn is not lost.');
  keepPartial(draft, turn.partial, 'interrupted');
  draft.set({ turn: undefined });
  beginTurn(draft);
  return draft.finish({ type: 'done' });
}

function addUsage(draft: Draft, used: InputOf<'turn_completed'>['usage']): void {
  const { inputTokens, outputTokens, costUsd } = draft.state.usage;
  const cost = costUsd === undefined && used.costUsd === undefined ? {} : { costUsd: (costUsd ?? 0) + (used.costUsd ?? 0) };
  draft.set({ usage: { inputTokens: inputTokens + used.inputTokens, outputTokens: outputTokens + used.outputTokens, ...cost } });
}
