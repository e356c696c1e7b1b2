import type { Call, Gateway, McpServerView } from '@tendon/protocol';

/** A tool that does not come with Tendon, with what its MCP server says of it. */
export interface ForeignTool {
  readonly source: string;
  readonly title: string | undefined;
  readonly description: string;
  /** It says something else than when a person last approved a call of it. */
  readonly isChanged: boolean;
  /** It says something else than when the call was asked for: the server will not run it. */
  readonly isOvertaken: boolean;
}

/** What the call's machine, or the server, tells of its tool now; undefined for a tool of Tendon's own, or one that is no longer there. */
export function foreignTool(call: Call, gateway: Gateway | undefined, servers: readonly McpServerView[]): ForeignTool | undefined {
  if (call.kind === 'remote') return toolOfServer(call, servers);
  const tool = gateway?.tools.find((candidate) => candidate.name === call.tool);
  if (tool?.source === undefined) return undefined;
  return { source: tool.source, title: tool.title, description: tool.description ?? '', isChanged: tool.isChanged === true, isOvertaken: false };
}

function toolOfServer(call: Call, servers: readonly McpServerView[]): ForeignTool | undefined {
  for (const { name: source, tools } of servers) {
    const tool = tools.find((candidate) => candidate.name === call.tool);
    if (!tool) continue;
    const isOvertaken = tool.definition !== call.definition;
    return { source, title: tool.title, description: tool.description ?? '', isChanged: tool.isChanged === true, isOvertaken };
  }
  return undefined;
}
