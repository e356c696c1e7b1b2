import type { AgentClient, Store } from '@tendon/client';
import type { McpServerView } from '@tendon/protocol';

type Asked = Pick<AgentClient, 'connection' | 'mcpChanges' | 'request'>;

const NONE: readonly McpServerView[] = [];
const ofClients = new WeakMap<Asked, McpServers>();

/** The list of a client: one for all who want to see it. */
export function mcpServersOf(client: Asked): McpServers {
  const known = ofClients.get(client) ?? new McpServers(client);
  ofClients.set(client, known);
  return known;
}

/**
 * The MCP servers that run on the server. However many cards show them, they are asked for once at each connection and at each change: cards
 * that all asked for themselves would be refused for their number, and say nothing of their tools.
 *
 *   unwatched ── first subscriber ──► watched (asks when online, at each connection, at each change) ── last one leaves ──► unwatched
 */
export class McpServers implements Store<readonly McpServerView[]> {
  readonly #client: Asked;
  readonly #listeners = new Set<() => void>();
  #servers = NONE;
  #rounds = 0;
  #stop: (() => void) | undefined;

  constructor(client: Asked) {
    this.#client = client;
  }

  get = (): readonly McpServerView[] => this.#servers;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    this.#stop ??= this.#watch();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#stop?.();
      this.#stop = undefined;
    };
  };

  #watch(): () => void {
    const { connection, mcpChanges } = this.#client;
    let wasOnline = false;
    const look = () => {
      const isOnline = connection.get().kind === 'online';
      if (isOnline && !wasOnline) void this.#ask();
      wasOnline = isOnline;
    };
    look();
    const stops = [connection.subscribe(look), mcpChanges.subscribe(() => wasOnline && void this.#ask())];
    return () => {
      this.#rounds += 1;
      for (const stop of stops) stop();
    };
  }

  /** An older server has no such list. */
  async #ask(): Promise<void> {
    this.#rounds += 1;
    const round = this.#rounds;
    const result = await this.#client.request('mcp:list', {});
    if (round !== this.#rounds || !result.ok) return;
    this.#servers = result.data.servers;
    for (const listener of this.#listeners) listener();
  }
}
