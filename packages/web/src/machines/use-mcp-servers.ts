import { useAgentClient, useStore } from '@tendon/client/react';
import type { McpServerView } from '@tendon/protocol';
import { mcpServersOf } from './mcp-servers.ts';

const NONE: readonly McpServerView[] = [];
const NOTHING = { get: () => NONE, subscribe: () => () => undefined };

/** The MCP servers that run on the server, for as long as somebody wants to see them. */
export function useMcpServers(isWanted: boolean): readonly McpServerView[] {
  const client = useAgentClient();
  return useStore(isWanted ? mcpServersOf(client) : NOTHING);
}
