import { isFinalCallState, type Message } from '@tendon/protocol';
import type { StoredCall } from '../kernel/index.ts';
import type { SessionStore } from '../store/session-store.ts';
import type { HistoryItem } from './model/model-port.ts';

/** No model's window holds more; the rest stays readable in the session. */
const COLD_LOAD_MESSAGES = 1_000;
const KEPT_MESSAGES = 2_000;
const CACHED_SESSIONS = 200;
/** About the memory that all sessions together may hold, in UTF-16 units of their JSON; a results-heavy session costs more than one of words. */
const CACHED_CHARS = 64 * 1024 * 1024;
/** What one session keeps between turns: many windows of a model, and room for images. */
const SESSION_CHARS = 16 * 1024 * 1024;

interface Entry {
  seq: number;
  settled: number;
  items: readonly HistoryItem[];
  /** Size of each item, in the same order. */
  sizes: readonly number[];
  chars: number;
}

/**
 * What the model has seen of each session, kept between turns: a turn reads only the rows that are newer (R8).
 * Safe to keep because a message in the history never changes, and a turn starts only when all earlier calls are over. What a person
 * settles later, at whatever node, is counted, and another count begins the history anew.
 */
export class HistoryCache {
  readonly #store: Pick<SessionStore, 'historyAfter'>;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Pick<SessionStore, 'historyAfter'>) {
    this.#store = store;
  }

  async load(sessionId: string): Promise<readonly HistoryItem[]> {
    const known = this.#entries.get(sessionId);
    const entry = known ?? { seq: 0, settled: 0, items: [], sizes: [], chars: 0 };
    const rows = await this.#store.historyAfter(sessionId, entry.seq, COLD_LOAD_MESSAGES);
    if (known && rows.settled !== known.settled) {
      this.forget(sessionId);
      return this.load(sessionId);
    }
    entry.settled = rows.settled;
    const callsByMessage = Map.groupBy(rows.calls, (stored) => stored.call.messageId);
    // Two turns may load at once, when one is interrupted as it begins: what the other has brought is not brought again.
    const fresh = rows.messages.filter((message) => message.seq > entry.seq);
    const items = fresh.map((message) => withCalls(message, callsByMessage.get(message.id) ?? []));
    // A load that outlives its turn may meet calls of the next one: what is not over is not kept, for it will change.
    const firstOpen = items.findIndex((item) => item.calls.some((call) => !isFinalCallState(call.state)));
    append(entry, firstOpen < 0 ? items : items.slice(0, firstOpen));
    this.#remember(sessionId, entry);
    return firstOpen < 0 ? entry.items : [...entry.items, ...items.slice(firstOpen)];
  }

  forget(sessionId: string): void {
    this.#entries.delete(sessionId);
  }

  /** The least recently used sessions go first; the one in use stays, whatever its size. */
  #remember(sessionId: string, entry: Entry): void {
    this.#entries.delete(sessionId);
    this.#entries.set(sessionId, entry);
    let chars = [...this.#entries.values()].reduce((sum, kept) => sum + kept.chars, 0);
    for (const [oldest, kept] of this.#entries) {
      if (oldest === sessionId || (this.#entries.size <= CACHED_SESSIONS && chars <= CACHED_CHARS)) return;
      chars -= kept.chars;
      this.#entries.delete(oldest);
    }
  }
}

/** Adds the newer items, and lets the oldest go that are over the bounds of a session. The newest always stays. */
function append(entry: Entry, items: readonly HistoryItem[]): void {
  const all = [...entry.items, ...items];
  const sizes = [...entry.sizes, ...items.map((item) => JSON.stringify(item).length)];
  let first = all.length;
  let chars = 0;
  while (first > 0 && all.length - first < KEPT_MESSAGES) {
    const size = sizes[first - 1] ?? 0;
    if (first < all.length && chars + size > SESSION_CHARS) break;
    chars += size;
    first -= 1;
  }
  Object.assign(entry, { items: all.slice(first), sizes: sizes.slice(first), chars, seq: all.at(-1)?.message.seq ?? entry.seq });
}

function withCalls(message: Message, calls: readonly StoredCall[]): HistoryItem {
  const callMetadata = Object.fromEntries(calls.flatMap((stored) => (stored.metadata === undefined ? [] : [[stored.call.id, stored.metadata]])));
  return { message, calls: calls.map((stored) => stored.call), callMetadata };
}
