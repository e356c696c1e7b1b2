import type { Before, ChangeLine } from './snapshot-lines.ts';

/** What is at a place now. `odd`: something that no tool has left there, such as a link or a folder. */
export type Now = { readonly kind: 'file'; readonly hash: string } | { readonly kind: 'absent' } | { readonly kind: 'odd'; readonly why: string };

/** What is to become of one file. */
export type FilePlan =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'restore'; readonly hash: string; readonly mode: number }
  | { readonly kind: 'remove' }
  | { readonly kind: 'left'; readonly why: string }
  | { readonly kind: 'impossible'; readonly why: string };

const CHANGED = 'it was changed since, by whom is not known';

/**
 * Pure: goes back over the changes of one file, the newest first, from what is there now. Each must have left just what is there, or not have
 * come to pass, as when the gateway was killed before it; where another hand was in between, the file is left as it is.
 */
export function planFile(lines: readonly ChangeLine[], now: Now): FilePlan {
  const first = lines[0];
  if (!first || (now.kind !== 'odd' && isSame(first.before, now))) return { kind: 'unchanged' };
  if (now.kind === 'odd') return { kind: 'left', why: now.why };
  let state: Before = now.kind === 'file' ? { ...now, mode: 0 } : now;
  for (const line of lines.toReversed()) {
    if (isSame(line.after, state)) state = line.before;
    else if (!isSame(line.before, state)) return state.kind === 'not_kept' ? impossible(state.why) : { kind: 'left', why: CHANGED };
  }
  if (state.kind === 'file') return { kind: 'restore', hash: state.hash, mode: state.mode };
  return state.kind === 'absent' ? { kind: 'remove' } : impossible(state.why);
}

function impossible(why: string): FilePlan {
  return { kind: 'impossible', why: `what it was is not kept: ${why}` };
}

function isSame(one: { readonly kind: string; readonly hash?: string }, other: { readonly kind: string; readonly hash?: string }): boolean {
  if (one.kind !== other.kind) return false;
  return one.kind === 'absent' || (one.kind === 'file' && one.hash === other.hash);
}
