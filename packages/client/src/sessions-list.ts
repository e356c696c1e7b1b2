import type { AgentData, AgentRequest, Result, Session } from '@tendon/protocol';
import { createStore, type Notifier, type WritableStore } from './store.ts';
import type { SessionListView } from './types.ts';

type ListSessions = (payload: AgentRequest<'session:list'>) => Promise<Result<AgentData<'session:list'>>>;

const PAGE = 50;
/** A list that was scrolled further than this starts again at its top after a reconnect. */
const MOST_PAGES = 10;

/**
 * The person's sessions, newest updated first. A page of the list and a summary can cross on the wire; the one that knows the
 * higher `seq` of a session wins, and one that was deleted does not come back.
 */
export class SessionsList {
  readonly store: WritableStore<SessionListView>;
  readonly #list: ListSessions;
  readonly #deleted = new Set<string>();
  /** Summaries that came while the list was being loaded: a page may have been read before them. */
  #news: Map<string, Session> | undefined;
  #cursor: string | undefined;
  /** Raised with every load; what an older one brings is late. */
  #generation = 0;

  constructor(list: ListSessions, notifier: Notifier) {
    this.#list = list;
    this.store = createStore<SessionListView>({ items: [], status: 'loading', hasMore: false }, notifier);
  }

  /** Loads the list anew, as far as it was loaded. What is shown stays until it is complete. False when it could not be loaded. */
  async reload(): Promise<boolean> {
    const generation = this.#begin();
    const wanted = this.store.get().items.length;
    const items: Session[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MOST_PAGES; page += 1) {
      const result = await this.#list({ limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
      if (generation !== this.#generation) return true;
      if (!result.ok) return this.#fail(result.error);
      items.push(...result.data.sessions);
      cursor = result.data.nextCursor;
      if (cursor === undefined || items.length >= wanted) break;
    }
    return this.#finish(items, cursor);
  }

  /** Loads the next page; the first one when there is none yet. */
  async loadMore(): Promise<boolean> {
    if (this.store.get().status !== 'ready') return this.reload();
    if (this.#cursor === undefined || this.#news) return true;
    const generation = this.#begin();
    const result = await this.#list({ limit: PAGE, cursor: this.#cursor });
    if (generation !== this.#generation) return true;
    if (!result.ok) return this.#fail(result.error);
    return this.#finish([...this.store.get().items, ...result.data.sessions], result.data.nextCursor);
  }

  /** A summary from the server. */
  apply(session: Session, isDeleted: boolean): void {
    if (isDeleted) this.#deleted.add(session.id);
    this.#news?.set(session.id, session);
    const view = this.store.get();
    this.store.set({ ...view, items: this.#merge([...view.items, session]) });
  }

  #begin(): number {
    this.#news = new Map();
    this.#generation += 1;
    return this.#generation;
  }

  #finish(items: readonly Session[], cursor: string | undefined): true {
    const news = [...(this.#news?.values() ?? [])];
    this.#news = undefined;
    this.#cursor = cursor;
    this.store.set({ items: this.#merge([...items, ...news]), status: 'ready', hasMore: cursor !== undefined });
    return true;
  }

  /** Without a list there is an error to show; with one, the old list is better than none. A lost connection reloads by itself. */
  #fail(error: { readonly code: string; readonly message: string }): false {
    this.#news = undefined;
    const view = this.store.get();
    if (view.status !== 'ready' && error.code !== 'unavailable') {
      this.store.set({ ...view, status: 'failed', error: { code: error.code, message: error.message } });
    }
    return false;
  }

  /** One entry per session, the newest knowledge of each (of two equal ones the later). */
  #merge(sessions: readonly Session[]): Session[] {
    const newest = new Map<string, Session>();
    for (const session of sessions) {
      const known = newest.get(session.id);
      if (!known || known.seq <= session.seq) newest.set(session.id, session);
    }
    return [...newest.values()].filter((session) => !this.#deleted.has(session.id)).sort(newestFirst);
  }
}

function newestFirst(a: Session, b: Session): number {
  if (a.updatedAt !== b.updatedAt) return a.updatedAt > b.updatedAt ? -1 : 1;
  return a.id > b.id ? -1 : 1;
}
