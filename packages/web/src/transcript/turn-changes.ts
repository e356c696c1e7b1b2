import { type Call, isFinalCallState, isPersonTool, type OtherWork, tracesOf } from '@tendon/protocol';

/** What a turn did that its person may want back, and what of it stays. */
export interface TurnChanges {
  readonly files: readonly string[];
  readonly others: readonly OtherWork[];
}

/** Undefined when no file was changed, when all of it is back already, or while an undo of it is under way. */
export function changesOfTurn(calls: readonly Call[]): TurnChanges | undefined {
  const undos = calls.filter((call) => isPersonTool(call.tool) && call.kind === 'local');
  if (undos.some((call) => !isFinalCallState(call.state) || isAllBack(call))) return undefined;
  const traces = calls.map(tracesOf);
  const files = [...new Set(traces.flatMap((trace) => (trace.kind === 'files' ? trace.files : [])))];
  if (files.length === 0) return undefined;
  return { files, others: traces.flatMap((trace) => (trace.kind === 'other' ? [trace.work] : [])) };
}

function isAllBack({ state, result }: Call): boolean {
  const undone = result?.meta?.undone ?? [];
  return state === 'succeeded' && undone.every(({ outcome }) => outcome !== 'left' && outcome !== 'impossible');
}
