import { useAgentClient, useStore } from '@tendon/client/react';
import type { McpServerView } from '@tendon/protocol';
import { useEffect, useState } from 'react';

const NONE: readonly McpServerView[] = [];

/** The MCP servers that run on the server, for as long as somebody wants to see them: asked for at each connection and whenever they have changed. */
export function useMcpServers(isWanted: boolean): readonly McpServerView[] {
  const client = useAgentClient();
  const isOnline = useStore(client.connection).kind === 'online';
  const changes = useStore(client.mcpChanges);
  const [servers, setServers] = useState(NONE);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each change is what asks again
  useEffect(() => {
    if (!isOnline || !isWanted) return undefined;
    let isCurrent = true;
    // An older server has no such list.
    void client.request('mcp:list', {}).then((result) => {
      if (isCurrent && result.ok) setServers(result.data.servers);
    });
    return () => {
      isCurrent = false;
    };
  }, [client, isOnline, isWanted, changes]);
  return servers;
}
