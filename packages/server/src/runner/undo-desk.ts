import { type AgentData, type AgentRequest, type Call, PERSON_TOOLS, type Result, refusal, success, tracesOf, validate } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import type { InputOf } from '../kernel/index.ts';
import type { SessionStore } from '../store/session-store.ts';
import type { AgentConnection } from './ports.ts';
import type { SessionActor } from './session-actor.ts';

export interface UndoDeskOptions {
  readonly store: Pick<SessionStore, 'load' | 'turnCalls'>;
  readonly newId: () => string;
  readonly actorOf: (sessionId: string) => SessionActor;
}

type UndoCall = InputOf<'undo'>['calls'][number];

/** So much of what else the turn did is named; the transcript has all of it. */
const MOST_OTHERS = 200;

/** Asks for the file changes of a turn to be undone: what that would touch comes from the rows, never from the one who asks. */
export async function askForUndo(
  options: UndoDeskOptions,
  connection: AgentConnection,
  { sessionId, messageId }: AgentRequest<'agent:undo'>,
): Promise<Result<AgentData<'agent:undo'>>> {
  if (!(await options.store.load(sessionId, connection.userId))) return refusal('not_found', 'There is no such session, or it is not yours.');
  const calls = await options.store.turnCalls(sessionId, messageId);
  if (!calls) return refusal('not_found', 'There is no such message in this session. One that waits in the queue has changed nothing yet.');
  const wanted = undoCalls(options, calls);
  if (!wanted.ok) return wanted;
  const outcome = await options.actorOf(sessionId).commit({ type: 'undo', calls: wanted.data }, { ownerId: connection.userId });
  if (!outcome.ok) return 'error' in outcome ? outcome : refusal('unavailable', 'Another node has taken over this session. Try again.');
  return outcome.answer.type === 'calls' ? success({ calls: [...outcome.answer.calls] }) : refusal('internal');
}

/** One for each machine and folder that the turn changed files in. */
function undoCalls({ newId }: UndoDeskOptions, calls: readonly Call[]): Result<UndoCall[]> {
  const traced = calls.map((call) => ({ call, traces: tracesOf(call) }));
  const others = traced.flatMap(({ traces }) => (traces.kind === 'other' ? [traces.work] : [])).slice(0, MOST_OTHERS);
  const places = Map.groupBy(
    traced.filter(({ call, traces }) => traces.kind === 'files' && call.gatewayId !== undefined && call.workspace !== undefined),
    ({ call }) => `${call.gatewayId}\n${call.workspace}`,
  );
  if (places.size === 0) return refusal('conflict', 'This turn has changed no files with its file tools. What commands have done cannot be undone.');
  const wanted: UndoCall[] = [];
  for (const inPlace of places.values()) {
    const { gatewayId = '', workspace = '' } = inPlace[0]?.call ?? {};
    const files = [...new Set(inPlace.flatMap(({ traces }) => (traces.kind === 'files' ? traces.files : [])))];
    const input = { calls: inPlace.map(({ call }) => call.id), files, others };
    const checked = validate(PERSON_TOOLS.undo_changes.input, input);
    if (!checked.ok) return refusal('too_large', 'This turn has changed more files than can be undone at once.');
    wanted.push({ id: newId(), gatewayId, workspace, input, inputHash: inputHash({ tool: 'undo_changes', input, workspace, gatewayId }) });
  }
  return success(wanted);
}
