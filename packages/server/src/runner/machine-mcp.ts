import { createHash } from 'node:crypto';
import type { MachineMcp } from '@tendon/protocol';
import { cleanText } from '@tendon/protocol/truncation';

/** What a machine says of its MCP servers. */
export interface McpSaid {
  readonly servers: readonly MachineMcp[];
  /** The same at every node for the same words. */
  readonly version: string;
}

/** The words are the machine's own, and of whatever its MCP servers have written before they ended. Pure. */
export function mcpSaid(said: readonly MachineMcp[] | undefined): McpSaid | undefined {
  if (!said) return undefined;
  const servers = said.map(({ name, state, reason }) => ({ name: cleanText(name), state, ...(reason === undefined ? {} : { reason: cleanText(reason) }) }));
  return { servers, version: createHash('sha256').update(JSON.stringify(servers)).digest('hex').slice(0, 16) };
}
