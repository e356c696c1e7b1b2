import { z } from 'zod';
import { browserFrameSchema, browserWatchSchema, machineBrowserStateSchema } from './browser-events.ts';
import { LIMITS, utf8Bytes } from './limits.ts';
import { machineMcpSchema } from './mcp-shapes.ts';
import { effectSchema, idSchema, sandboxSchema, timeSchema, workspaceSchema } from './shapes.ts';
import { toolResultSchema } from './tool-result.ts';

const callId = idSchema;

export const gatewayToolSchema = z.object({
  name: z.string().min(1).max(200),
  description: z.string().max(10_000),
  inputSchema: z.record(z.string(), z.unknown()),
  effect: effectSchema,
  /** Where it comes from: `builtin`, or the name of an MCP server. */
  source: z.string().min(1).max(200),
  /** What people call it, when its name alone would not say. */
  title: z.string().min(1).max(200).optional(),
  /** Its description or schema is not the one that a person of this machine last approved a call with: no stored rule allows it. */
  isChanged: z.boolean().optional(),
});

/** What a gateway's journal holds of a call that the server has not yet acknowledged as over. */
export const journaledCallSchema = z.object({ callId, state: z.enum(['running', 'finished', 'unknown']), result: toolResultSchema.optional() });

/** What allows a call. The gateway's own policy can still refuse it. */
export const grantSchema = z.object({ by: z.enum(['policy', 'user']), rule: z.string().optional(), decidedBy: z.string().optional(), at: timeSchema });

const mcpServersSchema = z.array(machineMcpSchema).max(LIMITS.mcpServers);

const sessionEndSchema = z.object({ sessionId: idSchema, isDeleted: z.boolean() });

/** `/gateway`, machine to server. What is live and may be lost takes no acknowledgement: see `UNACKNOWLEDGED_REQUESTS`. */
export const GATEWAY_REQUESTS = {
  'gateway:hello': {
    payload: z.object({
      gatewayId: idSchema,
      /** Identifies the journal: a lost journal is a new instance. */
      instanceId: idSchema,
      name: z.string().min(1).max(200),
      platform: z.string().min(1).max(100),
      version: z.string().min(1).max(50),
      workspaces: z.array(workspaceSchema).max(100),
      tools: z.array(gatewayToolSchema).max(1_000),
      calls: z.array(journaledCallSchema).max(10_000),
      /** Sessions of which something stays between their calls: open pages, processes that were left running. */
      sessions: z.array(idSchema).max(10_000).optional(),
      /** Whether its commands run in a sandbox. A gateway that does not say it is an older one. */
      sandbox: sandboxSchema.optional(),
      /** It runs what is no `read` only after an approval on its own page (`requireLocalApproval`). */
      localApprovalOnly: z.boolean().optional(),
      /** How its MCP servers are. A gateway that does not say it is an older one. */
      mcpServers: mcpServersSchema.optional(),
    }),
    /** `over`: those of the named sessions that are archived, or that its owner does not have any more. */
    data: z.object({ send: z.array(callId), cancel: z.array(callId), forget: z.array(callId), over: z.array(sessionEndSchema).optional() }),
  },
  /** All the tools of the machine again, because they have become other ones since its hello. */
  'gateway:tools': { payload: z.object({ tools: z.array(gatewayToolSchema).max(1_000) }), data: z.object({}) },
  /** How its MCP servers are, again, because that has changed since its hello. */
  'gateway:mcp': { payload: z.object({ mcpServers: mcpServersSchema }), data: z.object({}) },
  'tool:started': { payload: z.object({ callId }), data: z.object({}) },
  'tool:output': { payload: z.object({ callId, offset: z.number().int().nonnegative(), text: z.string().max(256 * 1024) }), data: z.object({}) },
  'tool:result': { payload: z.object({ callId, result: toolResultSchema }), data: z.object({}) },
  'browser:frame': { payload: browserFrameSchema, data: z.object({}) },
  'browser:state': { payload: machineBrowserStateSchema, data: z.object({}) },
} as const satisfies Record<string, { payload: z.ZodType; data: z.ZodType }>;

export const UNACKNOWLEDGED_REQUESTS = ['tool:output', 'browser:frame', 'browser:state'] as const satisfies readonly (keyof typeof GATEWAY_REQUESTS)[];

/** `/gateway`, server to machine. Every dispatch is answered. */
export const GATEWAY_COMMANDS = {
  'tool:call': {
    payload: z.object({
      callId,
      sessionId: idSchema,
      workspace: z.string().min(1).max(4_096),
      tool: z.string().min(1).max(200),
      input: z.unknown().refine((input) => utf8Bytes(JSON.stringify(input ?? null)) <= LIMITS.toolInputBytes, {
        message: `a tool's input may have at most ${LIMITS.toolInputBytes} bytes`,
        params: { tooLarge: true },
      }),
      inputHash: z.string().min(1).max(100),
      timeoutMs: z.number().int().positive(),
      grant: grantSchema,
    }),
    data: z.union([
      z.object({ accepted: z.literal(true) }),
      z.object({ accepted: z.literal(false), error: z.object({ code: z.string(), message: z.string() }) }),
    ]),
  },
  'tool:cancel': { payload: z.object({ callId }), data: z.object({}) },
  /** A session was archived, so that its pages are closed, or deleted, so that nothing of it stays on the machine. */
  'session:end': { payload: sessionEndSchema, data: z.object({}) },
  'browser:watch': { payload: browserWatchSchema, data: z.object({}) },
} as const satisfies Record<string, { payload: z.ZodType; data: z.ZodType }>;

export type GatewayRequests = typeof GATEWAY_REQUESTS;
export type GatewayRequestName = keyof GatewayRequests;
export type GatewayRequest<Name extends GatewayRequestName> = z.infer<GatewayRequests[Name]['payload']>;
export type GatewayData<Name extends GatewayRequestName> = z.infer<GatewayRequests[Name]['data']>;
export type GatewayCommandName = keyof typeof GATEWAY_COMMANDS;
export type GatewayCommand<Name extends GatewayCommandName> = z.infer<(typeof GATEWAY_COMMANDS)[Name]['payload']>;
export type GatewayAnswer<Name extends GatewayCommandName> = z.infer<(typeof GATEWAY_COMMANDS)[Name]['data']>;
export type GatewayTool = z.infer<typeof gatewayToolSchema>;
export type SessionEnd = z.infer<typeof sessionEndSchema>;
export type JournaledCall = z.infer<typeof journaledCallSchema>;
export type Grant = z.infer<typeof grantSchema>;
