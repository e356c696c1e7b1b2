import { type Call, refusal } from '@tendon/protocol';
import type { Draft, Outcome } from '../change.ts';
import type { InputOf } from '../input.ts';
import { isIdle, type StoredCall } from '../state.ts';
import { findCall, NO_CALL } from './about-calls.ts';
import { askByPerson } from './asked-by-person.ts';

type Resolution = NonNullable<Call['resolution']>;

/**
 * What a person says about a call that nobody knows the end of. Its state stays `unknown` (I2); what was found out is noted with it.
 * The first word stands, its repeat is acknowledged, its contrary a conflict (SPEC C15).
 */
export function onResolve(draft: Draft, input: InputOf<'resolve'>): Outcome {
  const stored = findCall(draft, input.callId);
  if (!stored) return refusal('not_found', NO_CALL);
  const { call } = stored;
  if (call.state !== 'unknown') return refusal('conflict', `The outcome of this call is known: it is ${call.state}.`);
  if (call.resolution) {
    if (call.resolution.outcome !== input.outcome) return refusal('conflict', `This call was settled already, as ${call.resolution.outcome}.`);
    return draft.finish({ type: 'call', callId: call.id, state: call.state, newCallId: call.resolution.newCallId });
  }
  if (input.outcome === 'again' && !isIdle(draft.state))
    return refusal('conflict', 'The agent is at work. Wait until it is done, or stop it, and then run the call again.');
  const newCallId = input.outcome === 'again' ? draft.stamp.callId : undefined;
  const resolution: Resolution = {
    outcome: input.outcome,
    by: input.by,
    ...(input.via === undefined ? {} : { via: input.via }),
    ...(input.note === undefined || input.note === '' ? {} : { note: input.note }),
    at: draft.stamp.at,
    ...(newCallId === undefined ? {} : { newCallId }),
  };
  const resolved: Call = { ...call, resolution };
  draft.writeCall({ ...stored, call: resolved }, false);
  draft.emit('call.updated', { call: resolved });
  if (newCallId !== undefined) askAnew(draft, stored, newCallId);
  return draft.finish({ type: 'call', callId: call.id, state: call.state, newCallId });
}

/** The same work as a call of its own: asked for by no model, and approved or denied like any other. */
function askAnew(draft: Draft, { call: old, metadata }: StoredCall, id: string): void {
  const { tool, kind, effect, input, inputHash, gatewayId, workspace, definition } = old;
  const place = {
    ...(gatewayId === undefined ? {} : { gatewayId }),
    ...(workspace === undefined ? {} : { workspace }),
    ...(definition === undefined ? {} : { definition }),
  };
  askByPerson(draft, [{ call: { id, tool, kind, effect, input, inputHash, ...place }, metadata }]);
  draft.set({ steps: 0, lastError: undefined });
}
