import type { GatewayTool } from '@tendon/protocol';
import { canonicalJson } from '@tendon/protocol/input-hash';
import { checkToolInput } from '@tendon/protocol/tool-input';
import { z } from 'zod';
import { listResultOf, promptResultOf, resourceResultOf } from './mcp-results.ts';
import type { McpPlace, McpPreparation } from './mcp-run.ts';
import type { McpAsk, McpServer } from './mcp-server.ts';

const server = z.string().min(1).max(1_000).describe('The name of the MCP server');
const cursor = z.string().max(10_000).optional().describe('The nextCursor of the page before');

interface ResourceTool {
  readonly description: string;
  readonly ability: 'resources' | 'prompts';
  readonly input: z.ZodType<{ readonly server: string }>;
  /** The input has passed its schema. */
  readonly ask: (input: never) => McpAsk;
  readonly resultOf: typeof listResultOf;
}

function page(method: 'resources/list' | 'prompts/list'): (input: { readonly cursor?: string }) => McpAsk {
  return (input) => ({ method, params: input.cursor === undefined ? {} : { cursor: input.cursor } });
}

/** What servers offer besides tools. It is asked about like a tool of theirs: a server does what it likes when something is read. */
const RESOURCE_TOOLS: Readonly<Record<string, ResourceTool>> = {
  list_resources: {
    description: 'List the resources (files, records, pages) that an MCP server offers to be read.',
    ability: 'resources',
    input: z.strictObject({ server, cursor }),
    ask: page('resources/list'),
    resultOf: listResultOf,
  },
  read_resource: {
    description: 'Read one resource of an MCP server by its address.',
    ability: 'resources',
    input: z.strictObject({ server, uri: z.string().min(1).max(4_096).describe('The address, as the list gives it') }),
    ask: (input: { uri: string }) => ({ method: 'resources/read', params: { uri: input.uri } }),
    resultOf: resourceResultOf,
  },
  list_prompts: {
    description: 'List the prompts (prepared texts with arguments) that an MCP server offers.',
    ability: 'prompts',
    input: z.strictObject({ server, cursor }),
    ask: page('prompts/list'),
    resultOf: listResultOf,
  },
  get_prompt: {
    description: 'Get one prompt of an MCP server, with its arguments filled in.',
    ability: 'prompts',
    input: z.strictObject({ server, name: z.string().min(1).max(1_000), arguments: z.record(z.string(), z.string()).optional() }),
    ask: (input: { name: string; arguments?: Record<string, string> }) => ({
      method: 'prompts/get',
      params: { name: input.name, ...(input.arguments ? { arguments: input.arguments } : {}) },
    }),
    resultOf: promptResultOf,
  },
};

/** Those that at least one server can answer. Their descriptions name no server's words, and so need no pin. */
export function resourceTools(prefix: McpPlace['prefix'], servers: readonly McpServer[]): GatewayTool[] {
  return Object.entries(RESOURCE_TOOLS).flatMap(([name, tool]): GatewayTool[] => {
    const able = servers.filter(({ abilities }) => abilities[tool.ability]).map((one) => one.name.slice(0, 100));
    if (able.length === 0) return [];
    const inputSchema = z.toJSONSchema(tool.input, { io: 'input' }) as Record<string, unknown>;
    const description = `${tool.description} Servers: ${able
      .slice(0, 50)
      .map((one) => JSON.stringify(one))
      .join(', ')}.`;
    return [{ name: `${prefix}_${name}`, description: description.toWellFormed(), inputSchema, effect: 'execute', source: 'mcp' }];
  });
}

interface ResourceAsk {
  readonly prefix: McpPlace['prefix'];
  readonly name: string;
  readonly input: unknown;
}

/** Undefined for a tool that is none of these. */
export function prepareResourceTool({ prefix, name, input }: ResourceAsk, servers: readonly McpServer[]): McpPreparation | undefined {
  const plain = name.slice(prefix.length + 1);
  const tool = name.startsWith(`${prefix}_`) && Object.hasOwn(RESOURCE_TOOLS, plain) ? RESOURCE_TOOLS[plain] : undefined;
  if (!tool) return undefined;
  const checked = checkToolInput(name, tool.input, input);
  if (!checked.ok) return { ok: false, code: 'invalid_input', message: checked.message };
  const target = servers.find((one) => one.name === checked.input.server && one.abilities[tool.ability]);
  if (!target) {
    const able = servers.filter(({ abilities }) => abilities[tool.ability]).map((one) => JSON.stringify(one.name));
    const message = `No MCP server named ${JSON.stringify(checked.input.server.slice(0, 100))} has ${tool.ability}. ${able.length === 0 ? 'None has.' : `These have: ${able.join(', ')}.`}`;
    return { ok: false, code: 'invalid_input', message };
  }
  return {
    ok: true,
    call: {
      effect: 'execute',
      subject: () => ({ written: canonicalJson(checked.input), readings: [], commands: [] }),
      run: (context) => target.ask(tool.ask(checked.input as never), context, tool.resultOf),
    },
  };
}
