import type { Session } from '@tendon/protocol';

/** Titles that have so much in common at their beginning may look the same where the row ends. */
const ALIKE_UNITS = 20;
/** How far back the word begins in which they differ; in a longer one the difference itself is shown. */
const WORD_UNITS = 16;

/** For each title that begins like another one: where the word begins in which it first differs from those. The row shows that part too. */
export function whereTitlesDiffer(sessions: readonly Session[]): ReadonlyMap<string, number> {
  // Among sorted texts the one with most in common stands beside.
  const sorted = [...sessions].sort((a, b) => (a.title < b.title ? -1 : a.title > b.title ? 1 : 0));
  const found = new Map<string, number>();
  for (const [index, { id, title }] of sorted.entries()) {
    const others = [unlike(sorted, index, -1), unlike(sorted, index, 1)];
    const common = Math.max(...others.map((other) => (other === undefined ? 0 : commonUnits(title, other))));
    if (common >= ALIKE_UNITS && common < title.length) found.set(id, wordStart(title, common));
  }
  return found;
}

/** The next title in this direction that is not just the same. */
function unlike(sorted: readonly Session[], from: number, step: number): string | undefined {
  for (let at = from + step; at >= 0 && at < sorted.length; at += step) {
    if (sorted[at]?.title !== sorted[from]?.title) return sorted[at]?.title;
  }
  return undefined;
}

function commonUnits(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

function wordStart(title: string, at: number): number {
  const start = title.lastIndexOf(' ', at) + 1;
  if (at - start <= WORD_UNITS) return start;
  // Not between the two halves of a character.
  return /^[\uDC00-\uDFFF]/.test(title.slice(at)) ? at - 1 : at;
}
