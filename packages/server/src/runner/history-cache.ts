import type { Message } from '@tendon/protocol';
import type { StoredCall } from '../kernel/index.ts';
import type { SessionStore } from '../store/session-store.ts';
import type { HistoryItem } from './model/model-port.ts';

/** No model's window holds more; the rest stays readable in the session. */
const COLD_LOAD_MESSAGES = 1_000;
const KEPT_MESSAGES = 2_000;
const CACHED_SESSIONS = 200;

interface Entry {
  seq: number;
  items: HistoryItem[];
}

/**
 * What the model has seen of each session, kept between turns: a turn reads only the rows that are newer (R8).
 * Safe to keep because a message in the history never changes, and a turn starts only when all earlier calls are over.
 */
export class HistoryCache {
  readonly #store: Pick<SessionStore, 'historyAfter'>;
  readonly #entries = new Map<string, Entry>();

  constructor(store: Pick<SessionStore, 'historyAfter'>) {
    this.#store = store;
  }

  async load(sessionId: string): Promise<readonly HistoryItem[]> {
    const entry = this.#entries.get(sessionId) ?? { seq: 0, items: [] };
    const rows = await this.#store.historyAfter(sessionId, entry.seq, COLD_LOAD_MESSAGES);
    const callsByMessage = Map.groupBy(rows.calls, (stored) => stored.call.messageId);
    const items = rows.messages.map((message) => withCalls(message, callsByMessage.get(message.id) ?? []));
    entry.items = [...entry.items, ...items].slice(-KEPT_MESSAGES);
    entry.seq = rows.messages.at(-1)?.seq ?? entry.seq;
    this.#remember(sessionId, entry);
    return entry.items;
  }

  forget(sessionId: string): void {
    this.#entries.delete(sessionId);
  }

  /** The least recently used session goes first. */
  #remember(sessionId: string, entry: Entry): void {
    this.#entries.delete(sessionId);
    this.#entries.set(sessionId, entry);
    const oldest = this.#entries.keys().next().value;
    if (this.#entries.size > CACHED_SESSIONS && oldest !== undefined) this.#entries.delete(oldest);
  }
}

function withCalls(message: Message, calls: readonly StoredCall[]): HistoryItem {
  const callMetadata = Object.fromEntries(calls.flatMap((stored) => (stored.metadata === undefined ? [] : [[stored.call.id, stored.metadata]])));
  return { message, calls: calls.map((stored) => stored.call), callMetadata };
}
