import type { Gateway, GatewayTool } from '@tendon/protocol';

/** A card shows so much of what a tool's server says of it. */
const SHOWN_DESCRIPTION = 2_000;

/** What people are told of a machine's tools: of an MCP server's also where it comes from and what it says of itself. */
export function shownTools(tools: readonly GatewayTool[]): Gateway['tools'] {
  return tools.map(({ name, effect, source, title, description, isChanged }) => {
    if (source === 'builtin') return { name, effect };
    const said = { source, ...(title === undefined ? {} : { title }), description: description.slice(0, SHOWN_DESCRIPTION).toWellFormed() };
    return { name, effect, ...said, ...(isChanged ? { isChanged } : {}) };
  });
}
