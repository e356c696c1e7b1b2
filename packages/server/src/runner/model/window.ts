import type { Call, Message, Part } from '@tendon/protocol';
import type { HistoryItem } from './model-port.ts';

/** The newest part of a history: what of it goes to the model, and how many items are left out. */
export interface Window {
  readonly items: readonly HistoryItem[];
  readonly omitted: number;
}

/** What a part costs beyond its text: names, ids, braces. */
const OVERHEAD_CHARS = 40;
/** An image is charged as so many characters, whatever its bytes. */
const IMAGE_CHARS = 6_000;
/** The cut moves in steps of this share of the budget, so that the prompt's beginning stays the same for many turns and can be cached. */
const STEP_SHARE = 4;

/**
 * The newest items within about `budgetChars` characters. Cut at a person's message, so a call and its result, which share an item,
 * are never parted. The newest message of the person always stays; when its own turn alone is over the budget, its older steps go.
 */
export function historyWindow(history: readonly HistoryItem[], budgetChars: number): Window {
  const total = history.reduce((sum, item) => sum + itemChars(item), 0);
  if (total <= budgetChars) return { items: history, omitted: 0 };
  const step = Math.max(1, Math.floor(budgetChars / STEP_SHARE));
  const toDrop = Math.ceil((total - budgetChars) / step) * step;
  const lastUser = history.findLastIndex(isUserMessage);
  const cut = cutIndex(history, toDrop);
  if (cut !== undefined && cut <= lastUser) return { items: history.slice(cut), omitted: cut };
  return insideLastTurn(history, { lastUser, budgetChars });
}

function cutIndex(history: readonly HistoryItem[], toDrop: number): number | undefined {
  let dropped = 0;
  for (const [index, item] of history.entries()) {
    if (dropped >= toDrop && isUserMessage(item)) return index;
    dropped += itemChars(item);
  }
  return undefined;
}

function insideLastTurn(history: readonly HistoryItem[], { lastUser, budgetChars }: { lastUser: number; budgetChars: number }): Window {
  const question = history[lastUser];
  const steps = history.slice(lastUser + 1);
  let left = budgetChars - (question ? itemChars(question) : 0);
  let keptFrom = steps.length;
  while (keptFrom > 0) {
    const item = steps[keptFrom - 1];
    if (!item) break;
    left -= itemChars(item);
    if (left < 0 && keptFrom < steps.length) break;
    keptFrom -= 1;
  }
  const items = [...(question ? [question] : []), ...steps.slice(keptFrom)];
  return { items, omitted: history.length - items.length };
}

function isUserMessage(item: HistoryItem): boolean {
  return item.message.role === 'user' && item.message.state !== 'queued';
}

const messageSizes = new WeakMap<Message, number>();
const callSizes = new WeakMap<Call, number>();

function itemChars(item: HistoryItem): number {
  let chars = remembered(messageSizes, item.message, () => item.message.parts.reduce((sum, part) => sum + partChars(part), 0));
  for (const call of item.calls) chars += remembered(callSizes, call, () => callChars(call));
  return chars;
}

/** Each message and call is measured once, so that a long history costs a turn one addition per item. */
function remembered<Key extends object>(sizes: WeakMap<Key, number>, key: Key, measure: () => number): number {
  const known = sizes.get(key);
  if (known !== undefined) return known;
  const size = measure();
  sizes.set(key, size);
  return size;
}

function partChars(part: Part): number {
  if (part.type === 'text') return part.text.length + OVERHEAD_CHARS;
  if (part.type === 'attachment') return IMAGE_CHARS;
  return OVERHEAD_CHARS;
}

function callChars(call: Call): number {
  const input = JSON.stringify(call.input)?.length ?? 0;
  const content = call.result?.content ?? [];
  const result = content.reduce((sum, part) => {
    if (part.type === 'text') return sum + part.text.length;
    return sum + (part.type === 'image' ? IMAGE_CHARS : (part.resource.text?.length ?? 0));
  }, 0);
  return OVERHEAD_CHARS + input + result;
}
