import type { SessionState } from './state.ts';

/** What must be done next. Derived from the state, so that recovery is nothing special: load, and do what is owed. */
export type Effect =
  | { readonly type: 'run_turn'; readonly messageId: string; readonly epoch: number }
  | { readonly type: 'run_remote'; readonly callId: string }
  /** Hand the call to its machine: commit the dispatch first, then send. */
  | { readonly type: 'dispatch'; readonly callId: string; readonly gatewayId: string }
  /** Its dispatch is committed; it may or may not have arrived. */
  | { readonly type: 'send'; readonly callId: string; readonly gatewayId: string }
  | { readonly type: 'cancel'; readonly callId: string; readonly gatewayId: string };

export function owed(state: SessionState): Effect[] {
  const effects: Effect[] = [];
  if (state.turn) effects.push({ type: 'run_turn', messageId: state.turn.messageId, epoch: state.turn.epoch });
  for (const { call, dispatch, cancelRequestedAt } of state.calls) {
    if (call.state !== 'queued' && call.state !== 'running') continue;
    if (call.kind === 'remote') effects.push({ type: 'run_remote', callId: call.id });
    if (call.kind !== 'local' || call.gatewayId === undefined) continue;
    const target = { callId: call.id, gatewayId: call.gatewayId };
    if (cancelRequestedAt !== undefined) effects.push({ type: 'cancel', ...target });
    else if (!dispatch) effects.push({ type: 'dispatch', ...target });
    else if (call.state === 'queued') effects.push({ type: 'send', ...target });
  }
  return effects;
}
