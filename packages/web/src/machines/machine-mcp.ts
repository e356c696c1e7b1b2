import type { Gateway, MachineMcp } from '@tendon/protocol';

/** An MCP server as a page shows it, wherever it runs. */
export interface ShownMcp {
  readonly name: string;
  readonly state: MachineMcp['state'];
  readonly reason?: string | undefined;
  readonly tools: readonly { readonly name: string; readonly title?: string | undefined; readonly isChanged?: boolean | undefined }[];
}

/** The MCP servers of a machine with their tools, and the tools that are of none of these. A machine that is older, or away, says nothing of them. */
export function mcpOf({ mcpServers = [], tools }: Pick<Gateway, 'mcpServers' | 'tools'>): {
  readonly servers: readonly ShownMcp[];
  readonly otherTools: Gateway['tools'];
} {
  // Two servers may have names that begin alike for too long: their tools stand at the first.
  const named = new Map(mcpServers.map(({ name }, index) => [name, index] as const).toReversed());
  const owner = ({ source }: Gateway['tools'][number]): number | undefined => (source === undefined ? undefined : named.get(source));
  return {
    servers: mcpServers.map((server, index) => ({ ...server, tools: tools.filter((tool) => owner(tool) === index) })),
    otherTools: tools.filter((tool) => owner(tool) === undefined),
  };
}

/** Of tools that say something else of themselves than when a person last approved a call; undefined when there are none. */
export function changedWords(tools: ShownMcp['tools']): string | undefined {
  const count = tools.filter(({ isChanged }) => isChanged === true).length;
  if (count === 0) return undefined;
  const [what, calls] = count === 1 ? ['1 tool says', 'a call of it'] : [`${count} tools say`, 'a call of theirs'];
  return `${what} something else than when you last approved ${calls}: the next call asks, whatever rules there are.`;
}
