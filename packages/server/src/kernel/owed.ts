import type { SessionState, StoredCall } from './state.ts';

/** What must be done next. Derived from the state, so that recovery is nothing special: load, and do what is owed. */
export type Effect =
  | { readonly type: 'run_turn'; readonly messageId: string; readonly epoch: number }
  /** A tool of the server's own that only reads: it may be run twice. */
  | { readonly type: 'run_remote'; readonly callId: string }
  /** Hand the call to the node that does this: commit that first, then start it. */
  | { readonly type: 'take_server_call'; readonly callId: string }
  /** Its hand-over is committed. It is started once, by the node that it was given to; any other node says that it is lost. */
  | { readonly type: 'run_server_call'; readonly callId: string }
  | { readonly type: 'end_server_call'; readonly callId: string }
  /** Hand the call to its machine: commit the dispatch first, then send. */
  | { readonly type: 'dispatch'; readonly callId: string; readonly gatewayId: string }
  /** Its dispatch is committed; it may or may not have arrived. */
  | { readonly type: 'send'; readonly callId: string; readonly gatewayId: string }
  | { readonly type: 'cancel'; readonly callId: string; readonly gatewayId: string };

type ServerWork = 'run_remote' | 'take_server_call' | 'run_server_call' | 'end_server_call';

export function owed(state: SessionState): Effect[] {
  const effects: Effect[] = [];
  if (state.turn) effects.push({ type: 'run_turn', messageId: state.turn.messageId, epoch: state.turn.epoch });
  for (const stored of state.calls) {
    const { call, dispatch, cancelRequestedAt } = stored;
    if (call.state !== 'queued' && call.state !== 'running') continue;
    if (call.kind === 'remote') effects.push({ type: remoteWork(stored), callId: call.id });
    if (call.kind !== 'local' || call.gatewayId === undefined) continue;
    const target = { callId: call.id, gatewayId: call.gatewayId };
    if (cancelRequestedAt !== undefined) effects.push({ type: 'cancel', ...target });
    else if (!dispatch) effects.push({ type: 'dispatch', ...target });
    else if (call.state === 'queued') effects.push({ type: 'send', ...target });
  }
  return effects;
}

function remoteWork({ call, dispatch, cancelRequestedAt }: StoredCall): ServerWork {
  if (call.effect === 'read') return 'run_remote';
  if (!dispatch) return 'take_server_call';
  return cancelRequestedAt === undefined ? 'run_server_call' : 'end_server_call';
}
