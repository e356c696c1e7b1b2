import type { AgentData, Gateway, Result } from '@tendon/protocol';
import { createStore, type Notifier, type WritableStore } from './store.ts';
import type { GatewayList } from './types.ts';

type ListGateways = () => Promise<Result<AgentData<'gateway:list'>>>;

/** The person's machines, by name. What is told while the list is being loaded is newer than the list. */
export class GatewaysList {
  readonly store: WritableStore<GatewayList>;
  /** Whether the list has come: until then an empty one says nothing. */
  readonly isLoaded: WritableStore<boolean>;
  readonly #list: ListGateways;
  #news: Map<string, Gateway> | undefined;
  #generation = 0;

  constructor(list: ListGateways, notifier: Notifier) {
    this.#list = list;
    this.store = createStore<GatewayList>([], notifier);
    this.isLoaded = createStore(false, notifier);
  }

  /** Loads the list anew. False when it could not be loaded. */
  async reload(): Promise<boolean> {
    this.#generation += 1;
    const generation = this.#generation;
    const news = new Map<string, Gateway>();
    this.#news = news;
    const result = await this.#list();
    if (generation !== this.#generation) return true;
    this.#news = undefined;
    if (!result.ok) return false;
    this.store.set(merged(result.data.gateways, [...news.values()]));
    this.isLoaded.set(true);
    return true;
  }

  apply(gateway: Gateway): void {
    this.#news?.set(gateway.id, gateway);
    this.store.set(merged(this.store.get(), [gateway]));
  }
}

function merged(gateways: GatewayList, news: GatewayList): Gateway[] {
  const byId = new Map([...gateways, ...news].map((gateway) => [gateway.id, gateway]));
  return [...byId.values()].sort((a, b) => a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1));
}
