import { isMcpName } from '@tendon/mcp';
import type { ToolRegistry } from './registry.ts';

/** The tools that come with the gateway, built once, and those of its MCP servers, which come and go. */
export function withMcpTools(builtin: ToolRegistry, mcp: Pick<ToolRegistry, 'announced' | 'prepare'>): ToolRegistry {
  return {
    get announced() {
      return [...builtin.announced, ...mcp.announced];
    },
    prepare: (tool, input) => (isMcpName(tool) ? mcp.prepare(tool, input) : builtin.prepare(tool, input)),
  };
}
