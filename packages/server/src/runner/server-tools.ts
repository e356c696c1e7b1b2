import type { McpTools } from '@tendon/mcp';
import type { McpServerView } from '@tendon/protocol';
import { cleanText } from '@tendon/protocol/truncation';
import type { Fanout } from './ports.ts';
import type { Timers } from './timers.ts';

/** The MCP servers that this node runs, and their tools. */
export type ServerTools = Pick<McpTools, 'announced' | 'definitionOf' | 'servers' | 'prepare' | 'watch'>;

export const NO_SERVER_TOOLS: ServerTools = {
  announced: [],
  definitionOf: () => undefined,
  servers: [],
  prepare: () => ({ ok: false, code: 'unknown_tool', message: 'This node of the server runs no MCP servers.' }),
  watch: () => undefined,
};

/** A reason may hold the last words of a server. */
const REASON_UNITS = 4_000;

/** What people are shown of them. Nothing of mcp.json itself is in there. */
export function shownServers(tools: ServerTools): McpServerView[] {
  const byName = new Map(tools.announced.map((tool) => [tool.name, tool]));
  return tools.servers.map(({ tools: names, ...server }) => ({
    ...server,
    state: server.state === 'sign_in' ? 'failed' : server.state,
    ...('reason' in server ? { reason: cleanText(server.reason).slice(0, REASON_UNITS).toWellFormed() } : {}),
    tools: names.map((name) => {
      const { title, description, isChanged } = byName.get(name) ?? {};
      const definition = tools.definitionOf(name);
      return { name, ...(title && { title }), ...(description && { description }), ...(definition && { definition }), ...(isChanged && { isChanged }) };
    }),
  }));
}

/** However much a list of tools changes, people are told so often. */
const TELL_MS = 500;

/** Tells everybody who is connected to this node that there is another list. */
export function tellChanges(tools: ServerTools, { clock, fanout }: { readonly clock: Timers; readonly fanout: Fanout }): void {
  const tell = clock.oncePerKey(TELL_MS, () => {
    for (const userId of fanout.people()) fanout.toUser(userId, 'mcp:changed', {});
  });
  tools.watch(() => tell('all'));
}
