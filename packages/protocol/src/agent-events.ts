import { z } from 'zod';
import { browserFrameSchema, browserStateSchema } from './browser-events.ts';
import { LIMITS, utf8Bytes } from './limits.ts';
import { mcpServerSchema } from './mcp-shapes.ts';
import {
  attachmentSchema,
  CALL_STATES,
  callSchema,
  deltaSchema,
  gatewaySchema,
  idSchema,
  liveSchema,
  messageSchema,
  ruleSchema,
  sessionEventSchema,
  sessionSchema,
  titleSchema,
} from './shapes.ts';
import { answersSchema } from './tool-definitions.ts';
import { toolResultSchema } from './tool-result.ts';

const sessionId = idSchema;
const modelSchema = z.string().min(1).max(300);
const workspacePath = z.string().min(1).max(4_096);
const seq = z.number().int().nonnegative();
const empty = z.object({});

const messageText = z.string().refine((text) => utf8Bytes(text) <= LIMITS.messageTextBytes, {
  message: `a message may have at most ${LIMITS.messageTextBytes} bytes of text`,
  params: { tooLarge: true },
});

/** A person's answer: `{ answers }`, or a tool result that carries them as JSON text. */
const answerResultSchema = z.union([answersSchema, toolResultSchema]);

/**
 * `/agent`, client to server: the payload of every event and the data of its acknowledgement.
 * `session:fork`, `message:cancel`, `agent:continue`, `agent:undo`, `rule:*`, `model:list` and `browser:watch` are additions to the fixed names of protocol version 1.
 */
export const AGENT_REQUESTS = {
  'session:create': {
    payload: z.object({ title: titleSchema.optional(), model: modelSchema.optional(), gatewayId: idSchema.optional(), workspace: workspacePath.optional() }),
    data: z.object({ session: sessionSchema }),
  },
  /**
   * A new session with the history of this one: up to before a person's message, or up to and with one of the agent. `conflict` while
   * that message waits in the queue, or while its calls are not over.
   */
  'session:fork': {
    payload: z.object({ sessionId, messageId: idSchema, title: titleSchema.optional() }),
    data: z.object({ session: sessionSchema }),
  },
  'session:list': {
    payload: z.object({ cursor: z.string().min(1).max(200).optional(), limit: z.number().int().min(1).max(LIMITS.sessionListPage).optional() }),
    data: z.object({ sessions: z.array(sessionSchema), nextCursor: z.string().optional() }),
  },
  'session:attach': {
    payload: z.object({ sessionId, afterSeq: seq.optional() }),
    data: z.object({
      session: sessionSchema,
      /** The latest page, oldest first; queued messages included. */
      messages: z.array(messageSchema),
      /** The calls of these messages, and every call that is not over. */
      calls: z.array(callSchema),
      seq,
      /** With `afterSeq`, when they are still kept: the durable events after it. `messages` and `calls` are then empty. */
      events: z.array(sessionEventSchema).optional(),
      live: liveSchema.optional(),
      /** Output so far of the calls that run now; the next `tool_output` delta continues at `offset` + the text's length. */
      outputs: z.array(z.object({ callId: idSchema, offset: z.number().int().nonnegative(), text: z.string() })).optional(),
      hasMore: z.boolean(),
    }),
  },
  'session:detach': { payload: z.object({ sessionId }), data: empty },
  'session:history': {
    payload: z.object({ sessionId, before: seq, limit: z.number().int().min(1).max(LIMITS.historyPage).optional() }),
    data: z.object({ messages: z.array(messageSchema), calls: z.array(callSchema), hasMore: z.boolean() }),
  },
  'session:update': {
    payload: z.object({
      sessionId,
      title: titleSchema.optional(),
      model: modelSchema.optional(),
      gatewayId: idSchema.optional(),
      workspace: workspacePath.optional(),
      archived: z.boolean().optional(),
    }),
    data: z.object({ session: sessionSchema }),
  },
  'session:delete': { payload: z.object({ sessionId }), data: empty },
  'agent:execute': {
    payload: z
      .object({
        sessionId,
        messageId: idSchema,
        text: messageText,
        attachments: z.array(attachmentSchema).max(LIMITS.attachmentsPerMessage).optional(),
        mode: z.enum(['queue', 'interrupt']).optional(),
      })
      .refine((request) => request.text.trim() !== '' || (request.attachments?.length ?? 0) > 0, {
        message: 'a message needs text or an attachment',
        path: ['text'],
      }),
    data: z.object({ messageId: idSchema, seq, queued: z.boolean() }),
  },
  'agent:stop': { payload: z.object({ sessionId }), data: z.object({ stopped: z.boolean() }) },
  /** Lets a held queue go on, or tries a failed turn again. */
  'agent:continue': { payload: z.object({ sessionId }), data: z.object({ session: sessionSchema }) },
  /**
   * Asks for the file changes of a turn to be undone: all that the agent did around this message, from one message of the person to the next.
   * Makes a call for each machine and folder, which waits for approval. `conflict` while the agent works, or when there is nothing to undo.
   */
  'agent:undo': {
    payload: z.object({ sessionId, messageId: idSchema }),
    data: z.object({ calls: z.array(z.object({ callId: idSchema, state: z.enum(CALL_STATES) })).min(1) }),
  },
  /** Takes a message out of the queue. */
  'message:cancel': { payload: z.object({ sessionId, messageId: idSchema }), data: empty },
  'tool:decide': {
    payload: z.object({
      sessionId,
      callId: idSchema,
      inputHash: z.string().min(1).max(100),
      decision: z.enum(['approve', 'deny']),
      scope: z.enum(['once', 'session', 'always']).optional(),
      reason: z.string().max(LIMITS.reasonLength).optional(),
    }),
    data: z.object({ callId: idSchema, state: z.enum(CALL_STATES) }),
  },
  'tool:result': {
    payload: z.object({ sessionId, callId: idSchema, result: answerResultSchema }),
    data: z.object({ callId: idSchema, state: z.enum(CALL_STATES) }),
  },
  /** Settles a call that is `unknown`: it was done, it failed, or it is to run again as a new call with an approval of its own. */
  'tool:resolve': {
    payload: z.object({
      sessionId,
      callId: idSchema,
      outcome: z.enum(['done', 'failed', 'again']),
      note: z.string().max(LIMITS.reasonLength).optional(),
    }),
    data: z.object({ callId: idSchema, state: z.enum(CALL_STATES), newCallId: idSchema.optional() }),
  },
  /** Shows what the session's browser shows, to this connection, until it ends, leaves the session or says `on: false`. */
  'browser:watch': { payload: z.object({ sessionId, on: z.boolean() }), data: empty },
  'gateway:list': { payload: empty, data: z.object({ gateways: z.array(gatewaySchema) }) },
  /** The MCP servers that run on the server itself, with their tools. */
  'mcp:list': { payload: empty, data: z.object({ servers: z.array(mcpServerSchema) }) },
  'model:list': {
    payload: empty,
    data: z.object({
      models: z.array(z.object({ id: z.string(), name: z.string(), available: z.boolean(), hint: z.string().optional() })),
      default: z.string(),
    }),
  },
  'rule:list': { payload: empty, data: z.object({ rules: z.array(ruleSchema) }) },
  'rule:revoke': { payload: z.object({ ruleId: idSchema }), data: empty },
} as const satisfies Record<string, { payload: z.ZodType; data: z.ZodType }>;

/** `/agent`, server to client. Only `session:event` is durable. */
export const AGENT_NOTICES = {
  'session:event': sessionEventSchema,
  'session:delta': deltaSchema,
  'session:summary': z.object({ session: sessionSchema, deleted: z.boolean().optional() }),
  /** To those who watch. Lost ones are not sent again. */
  'browser:frame': browserFrameSchema,
  'browser:state': browserStateSchema,
  'gateway:presence': z.object({ gateway: gatewaySchema }),
  /** What `mcp:list` answers has become something else. */
  'mcp:changed': z.object({}),
  'server:notice': z.object({ code: z.string(), message: z.string() }),
} as const satisfies Record<string, z.ZodType>;

export type AgentRequests = typeof AGENT_REQUESTS;
export type AgentRequestName = keyof AgentRequests;
export type AgentRequest<Name extends AgentRequestName> = z.infer<AgentRequests[Name]['payload']>;
export type AgentData<Name extends AgentRequestName> = z.infer<AgentRequests[Name]['data']>;
export type AgentNotices = { [Name in keyof typeof AGENT_NOTICES]: z.infer<(typeof AGENT_NOTICES)[Name]> };
export type AgentNoticeName = keyof AgentNotices;
