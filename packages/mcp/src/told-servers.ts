import { LIMITS, type MachineMcp } from '@tendon/protocol';
import { cleanText, cutBefore } from '@tendon/protocol/truncation';
import { sourceOf } from './mcp-definition.ts';
import type { McpServerView } from './mcp-host.ts';

/** Of a reason that is too long: its beginning says what it is about, its end has the last words of the server. */
const HEAD_UNITS = 100;
const BETWEEN = ' … ';

/** What a machine tells its server of its MCP servers. Of too many, those that run are left out first. Pure. */
export function toldServers(servers: readonly McpServerView[]): MachineMcp[] {
  const told = servers.map((server): MachineMcp => {
    const reason = 'reason' in server ? { reason: bounded(cleanText(server.reason)) } : {};
    return { name: sourceOf(server.name), state: server.state, ...reason };
  });
  const rank = ({ state }: MachineMcp): number => (state === 'running' ? 1 : 0);
  return (told.length > LIMITS.mcpServers ? told.toSorted((a, b) => rank(a) - rank(b)) : told).slice(0, LIMITS.mcpServers);
}

function bounded(reason: string): string {
  if (reason.length <= LIMITS.mcpReasonLength) return reason;
  const tail = reason.slice(-(LIMITS.mcpReasonLength - HEAD_UNITS - BETWEEN.length));
  return cleanText(`${reason.slice(0, cutBefore(reason, HEAD_UNITS))}${BETWEEN}${tail}`);
}
