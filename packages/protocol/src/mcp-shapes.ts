import { z } from 'zod';

/** A tool of an MCP server on the server, with what that says of it: its own words. */
export const serverToolSchema = z.object({
  name: z.string(),
  title: z.string().optional(),
  description: z.string().optional(),
  /** Hash of all that it says of itself; a call that carries another one is not run. */
  definition: z.string().optional(),
  /** It says something else than when somebody last approved a call of it. */
  isChanged: z.boolean().optional(),
});

/** An MCP server that the server runs. */
export const mcpServerSchema = z.object({
  name: z.string(),
  state: z.enum(['starting', 'running', 'failed']),
  /** Why it does not run, in words for people. */
  reason: z.string().optional(),
  tools: z.array(serverToolSchema),
});

export type McpServerView = z.infer<typeof mcpServerSchema>;

/** Whether a tool runs in an MCP server of the server, by its name. No tool of a machine has such a name. */
export function isServerToolName(tool: string): boolean {
  return tool.startsWith('server_mcp_');
}
