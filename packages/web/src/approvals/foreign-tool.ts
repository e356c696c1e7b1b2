import type { Call, Gateway } from '@tendon/protocol';

/** A tool that does not come with Tendon, with what its MCP server says of it. */
export interface ForeignTool {
  readonly source: string;
  readonly title: string | undefined;
  readonly description: string;
  /** It says something else than when a person last approved a call of it. */
  readonly isChanged: boolean;
}

/** What the call's machine tells of its tool now; undefined for a tool of Tendon's own, or one that the machine no longer has. */
export function foreignTool(call: Call, gateway: Gateway | undefined): ForeignTool | undefined {
  const tool = gateway?.tools.find((candidate) => candidate.name === call.tool);
  if (tool?.source === undefined) return undefined;
  return { source: tool.source, title: tool.title, description: tool.description ?? '', isChanged: tool.isChanged === true };
}
