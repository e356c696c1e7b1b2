import { Draft, type Outcome } from './change.ts';
import { onAnswer, onCallExpired, onCallFinished, onCallLost, onCallStarted, onDecide, onDispatch, onRemoteFinished } from './handlers/about-calls.ts';
import { onTurnCompleted, onTurnFailed, onTurnLost } from './handlers/from-model.ts';
import { onCancelMessage, onContinue, onExecute, onStop, onUpdate } from './handlers/from-person.ts';
import { onUndo } from './handlers/undo.ts';
import { onResolve } from './handlers/unknown-outcomes.ts';
import type { Focus, Input, InputOf, InputType, Stamp } from './input.ts';
import type { SessionState } from './state.ts';

type Handlers = { readonly [Type in InputType]: (draft: Draft, input: InputOf<Type>) => Outcome };

/** Every input has its row; the compiler misses none. */
const HANDLERS: Handlers = {
  execute: onExecute,
  stop: onStop,
  continue: onContinue,
  cancel_message: onCancelMessage,
  decide: onDecide,
  answer: onAnswer,
  resolve: onResolve,
  undo: onUndo,
  update: onUpdate,
  turn_completed: onTurnCompleted,
  turn_failed: onTurnFailed,
  turn_lost: onTurnLost,
  dispatch: onDispatch,
  call_expired: onCallExpired,
  call_started: onCallStarted,
  call_finished: onCallFinished,
  remote_finished: onRemoteFinished,
  call_lost: onCallLost,
};

/**
 * Decides what an input does to a session. Pure and synchronous: the same arguments give the same outcome, and nothing is written.
 * A refusal carries a code of the protocol's table and changes nothing.
 */
export function transition(state: SessionState, input: Input, context: { stamp: Stamp; focus: Focus }): Outcome {
  const draft = new Draft(state, context.stamp, context.focus);
  const handler = HANDLERS[input.type] as (draft: Draft, input: Input) => Outcome;
  return handler(draft, input);
}
