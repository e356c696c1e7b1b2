import type { McpNetworkOptions } from './mcp-network.ts';
import type { McpNetwork } from './mcp-surroundings.ts';

/** `mcpNetwork`, which is loaded by the first request. */
export function lateNetwork(url: string, options: McpNetworkOptions): McpNetwork {
  let loading: Promise<McpNetwork> | undefined;
  const loaded = (): Promise<McpNetwork> => {
    if (loading) return loading;
    loading = import('./mcp-network.ts').then(({ mcpNetwork }) => mcpNetwork(url, options));
    // Where there was no descriptor for it, the next request tries again.
    loading.catch(() => {
      loading = undefined;
    });
    return loading;
  };
  return {
    fetch: async (target, init) => (await loaded()).fetch(target, init),
    pageFault: async (page) => (await loaded()).pageFault(page),
  };
}
