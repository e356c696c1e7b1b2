import type { Part } from '@tendon/protocol';
import type { Draft } from './change.ts';
import type { StoredCall, StoredMessage } from './state.ts';

/** A runaway model is stopped here and the person is asked to go on. */
export const MAX_STEPS = 200;

/** A model call is owed from here on. */
export function beginTurn(draft: Draft): void {
  const { turnId, epoch, at } = draft.stamp;
  if (draft.state.steps >= MAX_STEPS) {
    const error = { code: 'too_many_steps', message: `The agent has taken ${MAX_STEPS} steps since your last message. Send a message to let it go on.` };
    draft.emit('turn.failed', { error, retryable: true });
    draft.set({ turn: undefined, lastError: error, held: draft.state.queue.length > 0, steps: 0 });
    return;
  }
  draft.set({ turn: { messageId: turnId, epoch, startedAt: at, partial: [] }, lastError: undefined, steps: draft.state.steps + 1 });
}

/** The next queued message takes its turn, at the end of the history. */
export function releaseNext(draft: Draft): void {
  const [next, ...rest] = draft.state.queue;
  if (!next) return;
  const { seq: _, ...message } = next.message;
  draft.set({ queue: rest, steps: 0 });
  const placed = draft.placeMessage('message.completed', { ...message, state: 'complete' });
  draft.writeMessage({ ...next, message: placed });
  beginTurn(draft);
}

/** When nothing is in flight any more: go on with the queue, unless it is held. */
export function settle(draft: Draft): void {
  if (draft.state.turn || draft.state.calls.length > 0 || draft.state.held) return;
  releaseNext(draft);
}

/** After a call is over: the last one of its step gives the turn back to the model, unless it was stopped, or no model had asked for it. */
export function afterCall(draft: Draft, { wasStopped, isPersons = false }: { readonly wasStopped: boolean; readonly isPersons?: boolean }): void {
  if (draft.state.turn || draft.state.calls.length > 0) return;
  if (wasStopped || isPersons) settle(draft);
  else beginTurn(draft);
}

/** Keeps what had streamed of a turn that ends early. Calls that were still being written never existed. */
export function keepPartial(draft: Draft, parts: readonly Part[], state: 'interrupted' | 'failed'): void {
  const turn = draft.state.turn;
  const kept = parts.filter((part) => (part.type === 'text' || part.type === 'reasoning') && part.text !== '');
  if (!turn || kept.length === 0) return;
  const message = draft.placeMessage('message.completed', {
    id: turn.messageId,
    sessionId: draft.state.id,
    role: 'assistant',
    state,
    parts: kept,
    model: draft.state.model,
    createdAt: turn.startedAt,
  });
  draft.writeMessage(historyMessage(message));
}

export function historyMessage(message: StoredMessage['message']): StoredMessage {
  return { message, acceptedSeq: message.seq, wasQueued: false, queueRank: 0 };
}

/** Ends the turn and every call: what has not started is cancelled, what may run is asked to end and stays open until it reports. */
export function stopWork(draft: Draft, partial: readonly Part[] | undefined): void {
  draft.set({ stopGeneration: draft.state.stopGeneration + 1 });
  keepPartial(draft, partial ?? draft.state.turn?.partial ?? [], 'interrupted');
  draft.set({ turn: undefined, steps: 0 });
  for (const stored of draft.state.calls) stopCall(draft, stored);
}

function stopCall(draft: Draft, stored: StoredCall): void {
  if (stored.cancelRequestedAt !== undefined) return;
  const mayRun = stored.dispatch !== undefined;
  if (mayRun) draft.writeCall({ ...stored, cancelRequestedAt: draft.stamp.at }, true);
  else closeCall(draft, stored, { state: 'cancelled' });
}

/** A call reaches its final state, once (I2). */
export function closeCall(draft: Draft, stored: StoredCall, end: Pick<StoredCall['call'], 'state'> & Partial<StoredCall['call']>): void {
  const call = { ...stored.call, ...end, finishedAt: draft.stamp.at };
  draft.writeCall({ ...stored, call }, false);
  draft.emit('call.updated', { call });
}
