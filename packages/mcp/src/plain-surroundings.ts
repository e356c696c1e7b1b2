import type { NetworkRulesOptions } from '@tendon/network';
import { lateNetwork } from './late-network.ts';
import type { McpSurroundings } from './mcp-surroundings.ts';

/**
 * Programs run as they are; over HTTP a server leads to public addresses, to what its entry allows, and to loopback where its own address is there
 * (rules W28, W29, W33). For servers that no policy of a machine is about.
 */
export function plainSurroundings(rules: Omit<NetworkRulesOptions, 'policy' | 'allow'>): McpSurroundings {
  const policy = { current: async () => ({ ok: true as const, policy: {} }) };
  return {
    networkFor: ({ url, networkAllow }, onRefused) => lateNetwork(url, { ...rules, policy, allow: networkAllow ?? [], onRefused }),
    wishesFor: async () => new Map(),
    watch: () => undefined,
    seat: async ({ command, args, env }) => ({ program: command, args, env, leave: () => undefined }),
    close: async () => undefined,
  };
}
