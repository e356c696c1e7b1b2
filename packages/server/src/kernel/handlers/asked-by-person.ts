import type { Call } from '@tendon/protocol';
import type { Draft } from '../change.ts';
import type { StoredCall } from '../state.ts';
import { historyMessage } from '../turn-flow.ts';

type Wanted = Omit<Call, 'sessionId' | 'messageId' | 'state' | 'createdAt'>;

/** Calls that a person asks for and no model: in a message of their own, each approved or denied like any other. */
export function askByPerson(draft: Draft, wanted: readonly { readonly call: Wanted; readonly metadata?: StoredCall['metadata'] }[]): void {
  const { stamp, state } = draft;
  const message = draft.placeMessage('message.completed', {
    id: stamp.turnId,
    sessionId: state.id,
    role: 'assistant',
    state: 'complete',
    parts: wanted.map(({ call }) => ({ type: 'tool_call', callId: call.id })),
    createdAt: stamp.at,
  });
  draft.writeMessage(historyMessage(message));
  for (const { call: what, metadata } of wanted) {
    const call: Call = { ...what, sessionId: state.id, messageId: message.id, state: 'awaiting_approval', createdAt: stamp.at };
    draft.writeCall(metadata === undefined ? { call } : { call, metadata }, true);
    draft.emit('call.requested', { call });
  }
}
