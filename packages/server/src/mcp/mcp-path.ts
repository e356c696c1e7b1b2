import { join } from 'node:path';

/** Where an operator names the MCP servers that run on the server. */
export function serverMcpPath(home: string): string {
  return join(home, 'server', 'mcp.json');
}
