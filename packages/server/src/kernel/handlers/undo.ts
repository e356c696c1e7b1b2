import { isPersonTool, refusal } from '@tendon/protocol';
import type { Draft, Outcome } from '../change.ts';
import type { InputOf } from '../input.ts';
import { isIdle } from '../state.ts';
import { askByPerson } from './asked-by-person.ts';

/**
 * A person asks for the file changes of a turn to be undone: a call for each machine and folder, which waits for their approval like any other
 * and is then run by the machine (SPEC C18). Asked for again while it waits, it is answered with the same calls.
 */
export function onUndo(draft: Draft, input: InputOf<'undo'>): Outcome {
  const waiting = draft.state.calls.filter(({ call }) => isPersonTool(call.tool));
  if (waiting.length > 0 && waiting.every(({ call }) => input.calls.some((wanted) => wanted.inputHash === call.inputHash)))
    return draft.finish({ type: 'calls', calls: waiting.map(({ call }) => ({ callId: call.id, state: call.state })) });
  if (waiting.length > 0) return refusal('conflict', 'Another undo is not over yet. Decide about that first, or wait until it is done.');
  if (!isIdle(draft.state)) return refusal('conflict', 'The agent is at work. Wait until it is done, or stop it, and then undo its file changes.');
  askByPerson(
    draft,
    input.calls.map(({ id, gatewayId, workspace, inputHash, input: wanted }) => ({
      call: { id, gatewayId, workspace, tool: 'undo_changes', kind: 'local', effect: 'write', input: wanted, inputHash },
    })),
  );
  return draft.finish({ type: 'calls', calls: input.calls.map(({ id }) => ({ callId: id, state: 'awaiting_approval' })) });
}
