import type { AgentData, Result } from '@tendon/protocol';
import { createStore, type Notifier, type WritableStore } from './store.ts';
import type { McpServerList } from './types.ts';

type ListServers = () => Promise<Result<AgentData<'mcp:list'>>>;

/** The MCP servers that the server itself runs. A server that does not know of such keeps the list empty. */
export class McpServersList {
  readonly store: WritableStore<McpServerList>;
  readonly #list: ListServers;
  #asking: Promise<void> | undefined;
  #isStale = false;

  constructor(list: ListServers, notifier: Notifier) {
    this.#list = list;
    this.store = createStore<McpServerList>([], notifier);
  }

  /** One question at a time; what is told meanwhile is asked for once more. */
  reload(): Promise<void> {
    if (this.#asking) this.#isStale = true;
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    do {
      this.#isStale = false;
      const result = await this.#list();
      if (result.ok) this.store.set(result.data.servers);
    } while (this.#isStale);
  }
}
