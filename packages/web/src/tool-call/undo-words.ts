import type { Call, UndoneFile } from '@tendon/protocol';

/** What the card of an undo says, as its call stands. */
export interface UndoWords {
  /** What becomes, or became, of the files. */
  readonly files: string;
  readonly filesHeading: string;
  readonly changesHeading: string;
  readonly othersHeading: string;
}

const NOT_UNDONE = 'Not undone: what else the turn did';

type UndoCall = Pick<Call, 'state' | 'startedAt' | 'result'>;

export function undoWords(call: UndoCall): UndoWords {
  const files = wordsOfFiles(call);
  if (call.state === 'awaiting_approval' || call.state === 'queued' || call.state === 'running') {
    return { files, filesHeading: 'Files to put back', changesHeading: 'Changes to take back', othersHeading: NOT_UNDONE };
  }
  if (call.state === 'denied') return { files, filesHeading: 'Files that stay', changesHeading: 'Changes that stay', othersHeading: 'What else the turn did' };
  return { files, filesHeading: 'Files it was about', changesHeading: 'Changes it was about', othersHeading: NOT_UNDONE };
}

function wordsOfFiles({ state, startedAt, result }: UndoCall): string {
  if (state === 'awaiting_approval') return 'They go back to what they were before this turn. A file that was changed since is left alone.';
  if (state === 'queued') return 'They go back to what they were before this turn as soon as the machine begins.';
  if (state === 'running') return 'They are being put back to what they were before this turn.';
  if (state === 'denied') return 'They were left as they are.';
  const undone = result?.meta?.undone;
  if (undone !== undefined && undone.length > 0) return wordsOfOutcomes(undone);
  if (startedAt === undefined) return 'No file was put back.';
  return 'It is not known which of them were put back. Look at them on the machine.';
}

function wordsOfOutcomes(undone: readonly UndoneFile[]): string {
  const back = undone.filter(isBack).length;
  if (back === 0) return 'No file was put back; why stands beside each.';
  if (back < undone.length) return `${back} of ${undone.length} files are as they were before this turn; why the others are not stands beside them.`;
  return undone.length === 1 ? 'The file is as it was before this turn.' : 'All files are as they were before this turn.';
}

export function isBack({ outcome }: UndoneFile): boolean {
  return outcome !== 'left' && outcome !== 'impossible';
}

/** Some files are back and some are not, although the call itself has succeeded. */
export function isPartlyUndone({ state, result }: UndoCall): boolean {
  const undone = result?.meta?.undone ?? [];
  return state === 'succeeded' && undone.some(isBack) && !undone.every(isBack);
}
