/**
 * Markdown cut into blocks that can be rendered one by one, so that a growing message re-renders only its last block.
 *
 *   text ─► lines ─► a blank line outside a fence, before a line that starts something new, ends a block
 *
 * The cut is careful rather than fine: where joining is safe and cutting may not be (lists, indented text, tables), it joins.
 */
export interface BlockSplit {
  readonly text: string;
  readonly blocks: readonly string[];
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const LIST_ITEM = /^ {0,3}(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const DEFINITION = /^ {0,3}\[[^\]]+\]:\s/m;

/** Cuts `text`, taking over the finished blocks of `previous` when the text has only grown: the cost is that of the last block. */
export function splitBlocks(text: string, previous?: BlockSplit): BlockSplit {
  const last = previous?.blocks.at(-1);
  if (previous && last !== undefined && text.length >= previous.text.length && text.startsWith(previous.text)) {
    if (text.length === previous.text.length) return previous;
    const kept = previous.blocks.slice(0, -1);
    return { text, blocks: [...kept, ...cut(last + text.slice(previous.text.length))] };
  }
  return { text, blocks: cut(text) };
}

/** Link and footnote definitions reach over the whole text: with one in it, a finished message is rendered as one block. */
export function wholeOrBlocks(text: string): readonly string[] {
  return DEFINITION.test(text) ? [text] : splitBlocks(text).blocks;
}

function cut(text: string): string[] {
  const blocks: string[] = [];
  let start = 0;
  let fence: string | undefined;
  let isList = false;
  let isAfterBlank = false;
  for (let position = 0; position < text.length; ) {
    const newline = text.indexOf('\n', position);
    const end = newline < 0 ? text.length : newline + 1;
    const line = text.slice(position, end);
    const isBlank = line.trim() === '';
    const beginsBlock = fence === undefined && isAfterBlank && !isBlank && !/^\s/.test(line) && !(isList && LIST_ITEM.test(line));
    if (beginsBlock && position > start) {
      blocks.push(text.slice(start, position));
      start = position;
      isList = false;
    }
    if (position === start || !isBlank) isList = isList || (fence === undefined && LIST_ITEM.test(line));
    fence = fenceAfter(line, fence);
    isAfterBlank = isBlank;
    position = end;
  }
  if (start < text.length) blocks.push(text.slice(start));
  return blocks;
}

function fenceAfter(line: string, open: string | undefined): string | undefined {
  const mark = FENCE.exec(line)?.[1];
  if (open === undefined) return mark;
  const closes = mark !== undefined && mark[0] === open[0] && mark.length >= open.length && line.trim() === mark;
  return closes ? undefined : open;
}
