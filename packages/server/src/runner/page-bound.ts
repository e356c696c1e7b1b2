import type { HistoryPage } from '../store/session-store.ts';

/**
 * What one answer may carry beside its newest message. A client cannot answer pings while a larger packet is on its way to it,
 * and several such answers at once would look like a reader that has stopped.
 */
const ANSWER_BYTES = 1024 * 1024;

/** The newest messages of a page that fit, with their calls; the rest is a page further up. Always at least one message. */
export function boundedPage(page: HistoryPage, budget: number = ANSWER_BYTES): HistoryPage {
  const callsByMessage = Map.groupBy(page.calls, (call) => call.messageId);
  let bytes = 0;
  let first = page.messages.length;
  while (first > 0) {
    const message = page.messages[first - 1];
    const size = sizeOf([message, callsByMessage.get(message?.id ?? '')]);
    if (first < page.messages.length && bytes + size > budget) break;
    bytes += size;
    first -= 1;
  }
  if (first === 0) return page;
  const dropped = new Set(page.messages.slice(0, first).map((message) => message.id));
  return { messages: page.messages.slice(first), calls: page.calls.filter((call) => !dropped.has(call.messageId)), hasMore: true };
}

/** Events that fit into one answer; undefined when they do not and a fresh page is the better answer. */
export function boundedEvents<Event>(events: readonly Event[] | undefined, budget: number = ANSWER_BYTES): readonly Event[] | undefined {
  return events && sizeOf(events) <= budget ? events : undefined;
}

/** UTF-16 units of the JSON: close enough to bytes for a bound, and cheap. */
function sizeOf(value: unknown): number {
  return JSON.stringify(value).length;
}
