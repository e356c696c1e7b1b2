import { z } from 'zod';
import { LIMITS } from './limits.ts';
import { machineMcpSchema } from './mcp-shapes.ts';
import { toolResultSchema } from './tool-result.ts';

/** In one spelling (P13): ids are compared as texts in memory, and the database takes any. */
export const idSchema = z.uuid().toLowerCase();
export const timeSchema = z.iso.datetime();
export const effectSchema = z.enum(['read', 'write', 'execute', 'network']);

export const SESSION_STATUSES = ['idle', 'running', 'waiting_for_tools', 'waiting_for_user'] as const;
export const CALL_STATES = ['awaiting_approval', 'awaiting_answer', 'queued', 'running', 'succeeded', 'failed', 'denied', 'cancelled', 'unknown'] as const;
export const FINAL_CALL_STATES = ['succeeded', 'failed', 'denied', 'cancelled', 'unknown'] as const;

export const faultSchema = z.object({ code: z.string(), message: z.string() });

export const usageSchema = z.object({
  inputTokens: z.number().int().nonnegative(),
  outputTokens: z.number().int().nonnegative(),
  costUsd: z.number().nonnegative().optional(),
});

export const sessionSchema = z.object({
  id: idSchema,
  title: z.string(),
  status: z.enum(SESSION_STATUSES),
  model: z.string(),
  gatewayId: idSchema.optional(),
  workspace: z.string().optional(),
  archived: z.boolean(),
  seq: z.number().int().nonnegative(),
  createdAt: timeSchema,
  updatedAt: timeSchema,
  lastError: faultSchema.optional(),
  /** True from a stop until every started call has reported that it is over. */
  stopping: z.boolean().optional(),
  /** True when a stop left messages in the queue: they wait for `agent:continue` or the next `agent:execute`. */
  held: z.boolean().optional(),
  waiting: z.object({ approvals: z.number().int().nonnegative(), answers: z.number().int().nonnegative() }),
  usage: usageSchema,
});

export const attachmentSchema = z.object({ name: z.string().min(1).max(500), mediaType: z.string().min(1).max(200), attachmentId: idSchema });

export const partSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({ type: z.literal('reasoning'), text: z.string() }),
  z.object({ type: z.literal('tool_call'), callId: idSchema }),
  attachmentSchema.extend({ type: z.literal('attachment') }),
]);

export const messageSchema = z.object({
  id: idSchema,
  sessionId: idSchema,
  /** Place in the session: the number of the event that put the message there. A queued message gets a new one when its turn comes. */
  seq: z.number().int().nonnegative(),
  role: z.enum(['user', 'assistant']),
  state: z.enum(['queued', 'complete', 'interrupted', 'failed']),
  parts: z.array(partSchema),
  model: z.string().optional(),
  usage: usageSchema.optional(),
  createdAt: timeSchema,
});

export const decisionSchema = z.object({
  /** Who decided: a user's id, or `policy`. */
  by: z.string(),
  decision: z.enum(['approve', 'deny']),
  scope: z.enum(['once', 'session', 'always']),
  reason: z.string().optional(),
  /** The client's name, so that other devices can say where the answer came from. */
  via: z.string().optional(),
  at: timeSchema,
  /** Approved, and then its machine was away for too long: the call waits for a fresh decision. */
  lapsed: z.boolean().optional(),
});

/** What a person found out about a call whose outcome was unknown. */
export const resolutionSchema = z.object({
  outcome: z.enum(['done', 'failed', 'again']),
  /** A user's id. */
  by: z.string(),
  via: z.string().optional(),
  note: z.string().optional(),
  at: timeSchema,
  /** With `again`: the call that was asked for instead. */
  newCallId: idSchema.optional(),
});

export const callSchema = z.object({
  id: idSchema,
  sessionId: idSchema,
  messageId: idSchema,
  tool: z.string(),
  kind: z.enum(['local', 'remote', 'pause']),
  effect: effectSchema,
  input: z.unknown(),
  inputHash: z.string(),
  state: z.enum(CALL_STATES),
  gatewayId: idSchema.optional(),
  workspace: z.string().optional(),
  /** Hash of what a tool of an MCP server on the server said of itself when it was asked for. */
  definition: z.string().max(100).optional(),
  decision: decisionSchema.optional(),
  result: toolResultSchema.optional(),
  resolution: resolutionSchema.optional(),
  createdAt: timeSchema,
  startedAt: timeSchema.optional(),
  finishedAt: timeSchema.optional(),
});

export const workspaceSchema = z.object({ path: z.string().min(1).max(4_096), name: z.string().min(1).max(255) });

/** What keeps the commands of a machine from the rest of it. */
export const sandboxSchema = z.object({
  /** `none`, or what makes it, such as `bubblewrap`. */
  kind: z.string().min(1).max(50),
  /** Why there is none, in words for people. */
  reason: z.string().max(500).optional(),
  /** The machine runs no command without one. */
  isRequired: z.boolean().optional(),
});

export const gatewaySchema = z.object({
  id: idSchema,
  name: z.string(),
  platform: z.string(),
  online: z.boolean(),
  workspaces: z.array(workspaceSchema),
  tools: z.array(
    z.object({
      name: z.string(),
      effect: effectSchema,
      /** These are there for tools of an MCP server: its name, and what it says of the tool. */
      source: z.string().optional(),
      title: z.string().optional(),
      description: z.string().optional(),
      /** It says something else of the tool than when a person last approved a call of it. */
      isChanged: z.boolean().optional(),
    }),
  ),
  lastSeenAt: timeSchema,
  /** As it was when the machine greeted last; left out by machines that do not say it. */
  sandbox: sandboxSchema.optional(),
  /** It runs what is no `read` only after an approval on its own page; as it was when the machine greeted last. */
  localApprovalOnly: z.boolean().optional(),
  /** How its MCP servers are now; there while the machine is online and says it. */
  mcpServers: z.array(machineMcpSchema).optional(),
});

/** The unfinished assistant message so far and, per part, the UTF-16 offset at which the next delta continues. */
export const liveSchema = z.object({ message: messageSchema, offsets: z.array(z.number().int().nonnegative()) });

/** A permission that a person stored with *session* or *always*. */
export const ruleSchema = z.object({
  id: idSchema,
  tool: z.string(),
  /** Matches exactly this command, path or pattern. */
  subject: z.string(),
  workspace: z.string().optional(),
  gatewayId: idSchema.optional(),
  /** Holds only as long as the tool says this of itself, see `call`. */
  definition: z.string().optional(),
  /** Present when the rule holds in one session only. */
  sessionId: idSchema.optional(),
  createdAt: timeSchema,
  lastUsedAt: timeSchema.optional(),
});

export const eventDataSchemas = {
  'message.created': z.object({ message: messageSchema }),
  'message.completed': z.object({ message: messageSchema }),
  'message.removed': z.object({ messageId: idSchema }),
  'call.requested': z.object({ call: callSchema }),
  'call.updated': z.object({ call: callSchema }),
  'session.updated': z.object({ session: sessionSchema }),
  'turn.failed': z.object({ error: faultSchema, retryable: z.boolean() }),
} as const;

const eventBase = { sessionId: idSchema, seq: z.number().int().positive(), at: timeSchema };

export const sessionEventSchema = z.discriminatedUnion('type', [
  z.object({ ...eventBase, type: z.literal('message.created'), data: eventDataSchemas['message.created'] }),
  z.object({ ...eventBase, type: z.literal('message.completed'), data: eventDataSchemas['message.completed'] }),
  z.object({ ...eventBase, type: z.literal('message.removed'), data: eventDataSchemas['message.removed'] }),
  z.object({ ...eventBase, type: z.literal('call.requested'), data: eventDataSchemas['call.requested'] }),
  z.object({ ...eventBase, type: z.literal('call.updated'), data: eventDataSchemas['call.updated'] }),
  z.object({ ...eventBase, type: z.literal('session.updated'), data: eventDataSchemas['session.updated'] }),
  z.object({ ...eventBase, type: z.literal('turn.failed'), data: eventDataSchemas['turn.failed'] }),
]);

export const deltaSchema = z.object({
  sessionId: idSchema,
  /** The assistant message, or for `tool_output` the call. */
  messageId: idSchema,
  /** Index of the part in the message; 0 for `tool_output`. */
  part: z.number().int().nonnegative(),
  kind: z.enum(['text', 'reasoning', 'tool_input', 'tool_output']),
  /** Place of `text` in the part, in UTF-16 units. */
  offset: z.number().int().nonnegative(),
  /** May be empty: the first delta of a part tells that the part has begun. */
  text: z.string(),
  /** With `tool_input`: the id that the call will have. */
  callId: idSchema.optional(),
});

export const titleSchema = z.string().min(1).max(LIMITS.titleLength);

export type Session = z.infer<typeof sessionSchema>;
export type SessionStatus = Session['status'];
export type Message = z.infer<typeof messageSchema>;
export type Part = z.infer<typeof partSchema>;
export type Attachment = z.infer<typeof attachmentSchema>;
export type Usage = z.infer<typeof usageSchema>;
export type Call = z.infer<typeof callSchema>;
export type CallState = Call['state'];
export type FinalCallState = (typeof FINAL_CALL_STATES)[number];
export type Decision = z.infer<typeof decisionSchema>;
export type Gateway = z.infer<typeof gatewaySchema>;
export type Workspace = z.infer<typeof workspaceSchema>;
export type Live = z.infer<typeof liveSchema>;
export type Rule = z.infer<typeof ruleSchema>;
export type SessionEvent = z.infer<typeof sessionEventSchema>;
export type SessionEventType = SessionEvent['type'];
export type Delta = z.infer<typeof deltaSchema>;
export type Fault = z.infer<typeof faultSchema>;

export function isFinalCallState(state: CallState): state is FinalCallState {
  return (FINAL_CALL_STATES as readonly CallState[]).includes(state);
}
