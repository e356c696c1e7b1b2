import type { ToolMeta } from '@tendon/protocol';
import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { hasOnlyCrlf, withLf } from './line-ends.ts';
import { BYTE_ORDER_MARK } from './text-encoding.ts';

/** A diff over this length is left out: the card shows the counts, and the file can be read. */
const MAX_DIFF_UNITS = 256 * 1024;
/** Two texts with hardly a line in common can take minutes to compare. */
const MAX_DIFF_MS = 300;

/** Unified diff and line counts of a change, for `meta`. The diff is left out when it would be too long or take too long. */
export function diffMeta(path: string | { readonly from: string; readonly to: string }, before: string, after: string): ToolMeta {
  const names = typeof path === 'string' ? { from: path, to: path } : path;
  const [from, to] = withoutWhatStays(before, after);
  const patch = createTwoFilesPatch(`a/${names.from}`, `b/${names.to}`, from, to, undefined, undefined, {
    context: 3,
    timeout: MAX_DIFF_MS,
    headerOptions: FILE_HEADERS_ONLY,
  });
  if (patch === undefined) return {};
  const lines = patch.split('\n').slice(headerLines(patch));
  const counts = { added: lines.filter((line) => line.startsWith('+')).length, removed: lines.filter((line) => line.startsWith('-')).length };
  return patch.length > MAX_DIFF_UNITS ? counts : { ...counts, diff: patch };
}

/** A byte order mark and carriage returns that both texts have throughout are no part of what changed; a page would mark each of them. */
function withoutWhatStays(before: string, after: string): [string, string] {
  const isMarked = before.startsWith(BYTE_ORDER_MARK) && after.startsWith(BYTE_ORDER_MARK);
  const isCrlf = hasOnlyCrlf(before) && hasOnlyCrlf(after);
  const plain = (text: string): string => {
    const unmarked = isMarked ? text.slice(BYTE_ORDER_MARK.length) : text;
    return isCrlf ? withLf(unmarked) : unmarked;
  };
  return [plain(before), plain(after)];
}

function headerLines(patch: string): number {
  const lines = patch.split('\n');
  const firstHunk = lines.findIndex((line) => line.startsWith('@@'));
  return firstHunk === -1 ? lines.length : firstHunk;
}
