import { z } from 'zod';
import { LIMITS } from './limits.ts';

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

/** An MCP server of a machine, as its gateway tells of it. Its tools stand among those of the machine, with this name as their source. */
export const machineMcpSchema = z.object({
  name: z.string().min(1).max(200),
  state: z.enum(['starting', 'running', 'failed', 'sign_in']),
  /** Why it does not run, and what a person does about it. */
  reason: z.string().max(LIMITS.mcpReasonLength).optional(),
});

export type MachineMcp = z.infer<typeof machineMcpSchema>;

export type McpServerView = z.infer<typeof mcpServerSchema>;

/** Whether a tool runs in an MCP server of the server, by its name. No tool of a machine has such a name. */
export function isServerToolName(tool: string): boolean {
  return tool.startsWith('server_mcp_');
}
