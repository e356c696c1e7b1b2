import { type Call, type Decision, isPersonTool, refusal, textResult } from '@tendon/protocol';
import type { Draft, Outcome } from '../change.ts';
import type { InputOf } from '../input.ts';
import type { StoredCall } from '../state.ts';
import { afterCall, closeCall } from '../turn-flow.ts';

/** The call an input is about: open in the state, or over and in the focus. */
export function findCall(draft: Draft, callId: string): StoredCall | undefined {
  const open = draft.state.calls.find((stored) => stored.call.id === callId);
  if (open) return open;
  const focus = draft.focus.call;
  return focus?.call.id === callId && focus.call.sessionId === draft.state.id ? focus : undefined;
}

export const NO_CALL = 'No such tool call in this session.';

function answerCall(draft: Draft, call: Call): Outcome {
  return draft.finish({ type: 'call', callId: call.id, state: call.state });
}

/** The first decision stands; its repeat is acknowledged, its contrary a conflict (SPEC C5). */
export function onDecide(draft: Draft, input: InputOf<'decide'>): Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  const { call } = stored;
  if (call.inputHash !== input.inputHash) return refusal('conflict', 'The call is not the one you were shown. Look at it again and decide anew.');
  if (call.state !== 'awaiting_approval') {
    const isRepeat = call.decision !== undefined && call.decision.by !== 'policy' && call.decision.decision === input.decision;
    return isRepeat ? answerCall(draft, call) : refusal('conflict', `This call was decided already: it is ${call.state}.`);
  }
  if (input.scope !== 'once' && isPersonTool(call.tool)) return refusal('conflict', 'This is approved each time. Approve it once.');
  return input.decision === 'approve' ? approve(draft, stored, input) : deny(draft, stored, input);
}

function decisionOf(draft: Draft, input: InputOf<'decide'>): Decision {
  return {
    by: input.by,
    decision: input.decision,
    scope: input.decision === 'approve' ? input.scope : 'once',
    ...(input.reason === undefined || input.reason === '' ? {} : { reason: input.reason }),
    ...(input.via === undefined ? {} : { via: input.via }),
    at: draft.stamp.at,
  };
}

function approve(draft: Draft, stored: StoredCall, input: InputOf<'decide'>): Outcome {
  const call: Call = { ...stored.call, state: 'queued', decision: decisionOf(draft, input) };
  if (input.scope !== 'once') storeRule(draft, call, input);
  const approved: StoredCall = { ...stored, call };
  draft.writeCall(call.kind === 'local' && input.instanceId !== undefined ? withDispatch(draft, approved, input.instanceId) : approved, true);
  draft.emit('call.updated', { call });
  return answerCall(draft, call);
}

function storeRule(draft: Draft, call: Call, input: InputOf<'decide'>): void {
  draft.addRule({
    id: draft.stamp.ruleId,
    ownerId: draft.state.ownerId,
    tool: call.tool,
    subject: input.subject,
    workspace: call.workspace,
    gatewayId: call.gatewayId,
    definition: call.definition,
    sessionId: input.scope === 'session' ? draft.state.id : undefined,
    createdAt: draft.stamp.at,
  });
}

function deny(draft: Draft, stored: StoredCall, input: InputOf<'decide'>): Outcome {
  closeCall(draft, stored, { state: 'denied', decision: decisionOf(draft, input) });
  afterCall(draft, { wasStopped: false, isPersons: isPersonTool(stored.call.tool) });
  return draft.finish({ type: 'call', callId: input.callId, state: 'denied' });
}

export function onAnswer(draft: Draft, input: InputOf<'answer'>): Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  const { call } = stored;
  if (call.kind !== 'pause') return refusal('conflict', 'Only a question can be answered by a person. A tool is answered by its machine.');
  if (call.state !== 'awaiting_answer') {
    const isRepeat = call.result !== undefined && JSON.stringify(call.result.content) === JSON.stringify(input.result.content);
    return isRepeat ? answerCall(draft, call) : refusal('conflict', `This question is ${call.state === 'succeeded' ? 'answered' : call.state} already.`);
  }
  closeCall(draft, stored, { state: 'succeeded', result: input.result });
  afterCall(draft, { wasStopped: false, isPersons: isPersonTool(stored.call.tool) });
  return draft.finish({ type: 'call', callId: call.id, state: 'succeeded' });
}

function withDispatch(draft: Draft, stored: StoredCall, instanceId: string): StoredCall {
  const attempt = (stored.dispatch?.attempt ?? 0) + 1;
  return { ...stored, dispatch: { attempt, instanceId, stopGeneration: draft.state.stopGeneration, at: draft.stamp.at } };
}

/** What a person approved stays wanted for so long while the machine is away; after that they are asked again. */
const APPROVAL_HOLDS_MS = 10 * 60_000;
/** Work for a machine that is away is given up after so long. */
export const OFFLINE_DEADLINE_MS = 24 * 3_600_000;

/** Committed before it is sent, so that a result can be told from a stranger's (SPEC C1). What only reads needs no fresh approval (SPEC C13). */
export function onDispatch(draft: Draft, input: InputOf<'dispatch'>): Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  const isFree = stored.call.state === 'queued' && isHandedOver(stored.call) && !stored.dispatch && stored.cancelRequestedAt === undefined;
  if (!isFree) return refusal('conflict', 'This call is not to be handed over.');
  if (hasLapsed(stored.call, draft.stamp.at)) return askAgain(draft, stored);
  const handedOver = withDispatch(draft, stored, input.instanceId);
  if (stored.call.kind === 'remote') return begin(draft, handedOver);
  draft.writeCall(handedOver, true);
  return answerCall(draft, stored.call);
}

/** To a machine; or to a node, when it is a tool of the server that may not be run twice. */
function isHandedOver({ kind, effect }: Call): boolean {
  return kind === 'local' || (kind === 'remote' && effect !== 'read');
}

function hasLapsed({ effect, decision }: Call, at: string): boolean {
  return effect !== 'read' && decision !== undefined && Date.parse(at) - Date.parse(decision.at) > APPROVAL_HOLDS_MS;
}

function askAgain(draft: Draft, stored: StoredCall): Outcome {
  const { decision } = stored.call;
  const call: Call = { ...stored.call, state: 'awaiting_approval', ...(decision ? { decision: { ...decision, lapsed: true } } : {}) };
  draft.writeCall({ ...stored, call }, true);
  draft.emit('call.updated', { call });
  return answerCall(draft, call);
}

/** Nobody waits for ever for a machine (SPEC C14). What was handed over and not heard of is not known to have ended. */
export function onCallExpired(draft: Draft, input: InputOf<'call_expired'>): Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  if (stored.call.state !== 'queued') return answerCall(draft, stored.call);
  const isKnownIdle = !stored.dispatch || stored.call.effect === 'read';
  const state = isKnownIdle ? 'cancelled' : 'unknown';
  const hours = OFFLINE_DEADLINE_MS / 3_600_000;
  const text = isKnownIdle ? `Not run: its machine was away for ${hours} hours.` : `Its machine took it and was then away for ${hours} hours.`;
  closeCall(draft, stored, { state, result: textResult(state, text) });
  afterCall(draft, { wasStopped: stored.cancelRequestedAt !== undefined, isPersons: isPersonTool(stored.call.tool) });
  return draft.finish({ type: 'call', callId: stored.call.id, state });
}

/** Only the instance that holds the dispatch may speak about a call (I4). */
function fromInstance(draft: Draft, input: { callId: string; instanceId: string }): StoredCall | Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  if (stored.dispatch?.instanceId !== input.instanceId) return refusal('conflict', 'This call was not given to this instance.');
  return stored;
}

export function onCallStarted(draft: Draft, input: InputOf<'call_started'>): Outcome {
  const stored = fromInstance(draft, input);
  if ('ok' in stored) return stored;
  return stored.call.state === 'queued' ? begin(draft, stored) : answerCall(draft, stored.call);
}

function begin(draft: Draft, stored: StoredCall): Outcome {
  const call: Call = { ...stored.call, state: 'running', startedAt: draft.stamp.at };
  draft.writeCall({ ...stored, call }, true);
  draft.emit('call.updated', { call });
  return answerCall(draft, call);
}

/** A repeat of a result is acknowledged and changes nothing (SPEC C6). */
export function onCallFinished(draft: Draft, input: InputOf<'call_finished'>): Outcome {
  const stored = fromInstance(draft, input);
  if ('ok' in stored) return stored;
  return finishCall(draft, stored, input);
}

export function onRemoteFinished(draft: Draft, input: InputOf<'remote_finished'>): Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  if (stored.call.kind !== 'remote' || isHandedOver(stored.call)) return refusal('conflict', 'This call is not for any node of the server to run.');
  return finishCall(draft, stored, input);
}

function finishCall(draft: Draft, stored: StoredCall, input: Pick<InputOf<'call_finished'>, 'result'>): Outcome {
  const isOpen = stored.call.state === 'queued' || stored.call.state === 'running';
  if (!isOpen) return answerCall(draft, stored.call);
  const startedAt = stored.call.startedAt ?? draft.stamp.at;
  closeCall(draft, stored, { state: input.result.status, result: input.result, startedAt });
  afterCall(draft, { wasStopped: stored.cancelRequestedAt !== undefined, isPersons: isPersonTool(stored.call.tool) });
  return draft.finish({ type: 'call', callId: stored.call.id, state: input.result.status });
}

export function onCallLost(draft: Draft, input: InputOf<'call_lost'>): Outcome {
  const stored = fromInstance(draft, input);
  if ('ok' in stored) return stored;
  const { call } = stored;
  if (call.state !== 'queued' && call.state !== 'running') return answerCall(draft, call);
  if (call.effect === 'read' && stored.cancelRequestedAt === undefined) {
    const again: Call = { ...call, state: 'queued' };
    draft.writeCall({ ...stored, call: again, dispatch: undefined }, true);
    if (call.state !== 'queued') draft.emit('call.updated', { call: again });
    return answerCall(draft, again);
  }
  const end = call.effect === 'read' ? 'cancelled' : 'unknown';
  closeCall(draft, stored, { state: end, result: textResult(end, input.reason) });
  afterCall(draft, { wasStopped: stored.cancelRequestedAt !== undefined, isPersons: isPersonTool(stored.call.tool) });
  return draft.finish({ type: 'call', callId: call.id, state: end });
}
