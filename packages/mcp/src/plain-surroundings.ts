import type { NetworkRulesOptions } from '@tendon/network';
import { lateNetwork } from './late-network.ts';
import type { McpSurroundings } from './mcp-surroundings.ts';

/** Programs run as they are; over HTTP a server leads to public addresses, and to loopback where its own entry does (rules W28, W29). For servers that no policy of a machine is about. */
export function plainSurroundings(rules: Omit<NetworkRulesOptions, 'policy'>): McpSurroundings {
  const policy = { current: async () => ({ ok: true as const, policy: {} }) };
  return {
    networkFor: ({ url }, onRefused) => lateNetwork(url, { ...rules, policy, onRefused }),
    wishesFor: async () => new Map(),
    watch: () => undefined,
    seat: async ({ command, args, env }) => ({ program: command, args, env, leave: () => undefined }),
    close: async () => undefined,
  };
}
