import { type GatewayTool, utf8Bytes } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { cleanText, cutBefore } from '@tendon/protocol/truncation';
import { mcpToolName } from './mcp-names.ts';
import type { McpPlace } from './mcp-run.ts';
import type { ListedTool } from './mcp-server.ts';

/** A tool of a server in the form in which it is announced, and the hash of all that it says of itself. */
export interface McpDefinition {
  readonly announced: GatewayTool;
  readonly hash: string;
}

const DESCRIPTION_UNITS = 10_000;
const TITLE_UNITS = 200;
const SCHEMA_BYTES = 64 * 1024;
/** A hello that is nested deeper than 32, or holds more than 100000 values, is refused whole. */
const SCHEMA_DEPTH = 20;
const SCHEMA_NODES = 5_000;

/**
 * What of a server's tool is announced, or why it cannot be. The effect is always `execute`: what a server says of its own tools (`readOnlyHint`)
 * is a claim of who wants them called.
 */
export function definitionOf(prefix: McpPlace['prefix'], server: string, tool: ListedTool): McpDefinition | string {
  const inputSchema = cleanObject(tool.inputSchema);
  if (typeof inputSchema === 'string') return inputSchema;
  if (utf8Bytes(JSON.stringify(inputSchema)) > SCHEMA_BYTES) return `its schema has more than ${SCHEMA_BYTES} bytes`;
  const name = mcpToolName(prefix, server, tool.name);
  const said = cleanText(tool.description ?? '').trim();
  const title = cleanText(tool.title ?? '').trim();
  const description = said === '' ? `The tool ${cut(tool.name, TITLE_UNITS)} of the MCP server ${cut(server, TITLE_UNITS)}.` : cut(said, DESCRIPTION_UNITS);
  return {
    announced: {
      ...{ name, description, inputSchema, effect: 'execute' },
      source: sourceOf(server),
      ...(title === '' ? {} : { title: cut(title, TITLE_UNITS) }),
    },
    hash: inputHash({ tool: name, input: { title, description: said, inputSchema } }),
  };
}

/** What a server is called where its tools are announced. */
export function sourceOf(server: string): string {
  return cut(server, TITLE_UNITS) || 'mcp';
}

function cut(text: string, units: number): string {
  return cleanText(text.length <= units ? text : text.slice(0, cutBefore(text, units)));
}

/** The schema with texts that every reader takes, or why it has none. */
function cleanObject(schema: Record<string, unknown>): Record<string, unknown> | string {
  let nodes = 0;
  const clean = (value: unknown, depth: number): unknown => {
    nodes += 1;
    if (nodes > SCHEMA_NODES) throw new RangeError(`its schema has more than ${SCHEMA_NODES} values`);
    if (depth > SCHEMA_DEPTH) throw new RangeError(`its schema is nested deeper than ${SCHEMA_DEPTH}`);
    if (typeof value === 'string') return cleanText(value);
    if (typeof value === 'number' && !Number.isFinite(value)) return null;
    if (Array.isArray(value)) return value.map((item) => clean(item, depth + 1));
    if (typeof value !== 'object' || value === null) return value;
    if (Object.hasOwn(value, '__proto__')) throw new RangeError('its schema has a field named __proto__');
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [cleanText(key), clean(item, depth + 1)]));
  };
  try {
    return clean(schema, 0) as Record<string, unknown>;
  } catch (error) {
    return error instanceof RangeError ? error.message : 'its schema cannot be read';
  }
}
