import { createHash } from 'node:crypto';
import type { McpPlace } from './mcp-run.ts';

/** What model providers take as the name of a tool. */
const LONGEST_NAME = 64;
const MARK_LENGTH = 6;

/**
 * `mcp__server__tool`, `server_mcp__server__tool` for one that runs on the server. A name that had to be changed to fit (other characters, too long, an underscore pair that could be read in two ways) carries a
 * mark made from what it was: so it depends on nothing but the two names, and stays the same whatever other tools there are.
 */
export function mcpToolName(prefix: McpPlace['prefix'], server: string, tool: string): string {
  const name = `${prefix}__${plain(server)}__${plain(tool)}`;
  const isExact =
    name === `${prefix}__${server}__${tool}` && name.length <= LONGEST_NAME && !server.includes('__') && !server.endsWith('_') && !tool.startsWith('_');
  if (isExact) return name;
  const mark = createHash('sha256')
    .update(JSON.stringify([server, tool]))
    .digest('hex')
    .slice(0, MARK_LENGTH);
  return `${name.slice(0, LONGEST_NAME - MARK_LENGTH - 1)}_${mark}`;
}

/** Whether a tool is of an MCP server of this machine, as far as its name says. */
export function isMcpName(tool: string): boolean {
  return tool.startsWith('mcp_');
}

function plain(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_-]/g, '_');
}
