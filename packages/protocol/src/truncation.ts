import { LIMITS, RESULT_PIECES, resultError, type ToolContent, type ToolResult, utf8Bytes } from '@tendon/protocol';

/** A place to cut `text` at or before `index` that does not split a surrogate pair. */
export function cutBefore(text: string, index: number): number {
  const unit = text.charCodeAt(index - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? index - 1 : index;
}

/** Keeps both ends of `text` in at most `limit` UTF-16 units and says in between what is left out. `removedBytes` is 0 when all fits. */
export function cutMiddle(text: string, limit: number): { text: string; removedBytes: number } {
  if (text.length <= limit) return { text, removedBytes: 0 };
  const headEnd = cutBefore(text, Math.floor(limit * 0.4));
  const tailStart = cutBefore(text, text.length - Math.floor(limit * 0.6));
  const removedBytes = utf8Bytes(text.slice(headEnd, tailStart));
  return { text: `${text.slice(0, headEnd)}${omission(removedBytes)}${text.slice(tailStart)}`, removedBytes };
}

export function omission(bytes: number): string {
  return `\n\n[… ${bytes} bytes left out here …]\n\n`;
}

/** Databases and terminals trip over NUL characters and half surrogate pairs; a same-width replacement keeps every offset right. */
export function cleanText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** A result that keeps the protocol's limit: texts are cut in the middle until it fits, and `meta.truncatedBytes` says how much is gone. */
export function fitResult(result: ToolResult, limitBytes: number = LIMITS.toolResultBytes): ToolResult {
  const counted = withoutRest(cleanResult(result));
  let fitted = counted.result;
  let removed = (result.meta?.truncatedBytes ?? 0) + counted.removedBytes;
  for (let budget = limitBytes; resultBytes(fitted) > limitBytes && budget > 64; budget = Math.floor(budget / 2)) {
    const cut = shrink(fitted, budget);
    removed += cut.removedBytes;
    fitted = { ...cut.result, meta: { ...cut.result.meta, truncatedBytes: removed } };
  }
  return fitted;
}

function resultBytes(result: ToolResult): number {
  return utf8Bytes(JSON.stringify(result));
}

function cleanResult(result: ToolResult): ToolResult {
  const content = result.content.map((part): ToolContent => (part.type === 'text' ? { type: 'text', text: cleanText(part.text) } : part));
  const meta = result.meta?.diff === undefined ? result.meta : { ...result.meta, diff: cleanText(result.meta.diff) };
  const error = result.error && resultError(result.error.code, cleanText(result.error.message));
  return { status: result.status, content, ...(error && { error }), ...(meta && { meta }) };
}

/** Pieces that are too many are counted instead. */
function withoutRest(result: ToolResult): { result: ToolResult; removedBytes: number } {
  const rest = result.content.slice(RESULT_PIECES - 1);
  if (rest.length < 2) return { result, removedBytes: 0 };
  const content: ToolContent[] = [...result.content.slice(0, RESULT_PIECES - 1), { type: 'text', text: `[${rest.length} further pieces were left out.]` }];
  const removedBytes = utf8Bytes(JSON.stringify(rest));
  return { result: { ...result, content, meta: { ...result.meta, truncatedBytes: (result.meta?.truncatedBytes ?? 0) + removedBytes } }, removedBytes };
}

/** One step smaller: the diff goes first, then every text gets an equal share of `budget`. Pieces that are not text cannot be cut and are named instead. */
function shrink(result: ToolResult, budget: number): { result: ToolResult; removedBytes: number } {
  if (result.meta?.diff !== undefined) {
    const { diff, ...meta } = result.meta;
    return { result: { ...result, meta }, removedBytes: utf8Bytes(diff) };
  }
  let removedBytes = 0;
  const share = Math.floor(budget / Math.max(1, result.content.length));
  const content = result.content.map((part): ToolContent => {
    const size = utf8Bytes(JSON.stringify(part));
    if (size <= share) return part;
    if (part.type !== 'text') {
      removedBytes += size;
      return { type: 'text', text: `[A ${part.type} of ${size} bytes was left out: it is over the limit of a result.]` };
    }
    const cut = cutMiddle(part.text, Math.floor(share / 2));
    removedBytes += cut.removedBytes;
    return { type: 'text', text: cut.text };
  });
  return { result: { ...result, content }, removedBytes };
}
