import { browserFrameSchema, deltaSchema, liveSchema, machineBrowserStateSchema, machineMcpSchema, sessionSchema } from '@tendon/protocol';
import { z } from 'zod';

const id = z.uuid();

const greetingSchema = z.object({
  gatewayId: id,
  ownerId: id,
  greeting: z.int(),
  /** Another one after each change of what it says of its MCP servers; left out when it says nothing. */
  mcpVersion: z.string().optional(),
});

/** What the nodes of one database tell each other. Each may be lost: what it says is in the database too, or is live and shown again. */
export const noticeSchema = z.discriminatedUnion('kind', [
  /** A commit has written events. `owes`: the machines that it has work for. */
  z.object({ kind: z.literal('changed'), ownerId: id, session: sessionSchema, owes: z.array(id) }),
  z.object({ kind: z.literal('deleted'), ownerId: id, session: sessionSchema }),
  z.object({ kind: z.literal('archived'), ownerId: id, sessionId: id }),
  /** The next piece of something that streams; sent for sessions that somebody watches at another node. */
  z.object({ kind: z.literal('delta'), delta: deltaSchema }),
  /** A whole unfinished message, for a node that has not followed it from its beginning. */
  z.object({ kind: z.literal('live'), live: liveSchema }),
  /** Somebody is attached to these at the sender. `isNew`: the sender has nothing yet of what streams there. */
  z.object({ kind: z.literal('watch'), sessionIds: z.array(id), isNew: z.boolean() }),
  /** Somebody at the sender watches the browser of this session, or nobody does any more. `node`: the sender. */
  z.object({
    kind: z.literal('browser_wish'),
    node: z.string(),
    sessionId: id,
    ownerId: id,
    gatewayId: id,
    anew: z.boolean(),
    isWatched: z.boolean(),
  }),
  /** What a machine at the sender shows of its browser, for those who watch elsewhere. */
  z.object({
    kind: z.literal('browser_view'),
    gatewayId: id,
    view: z.discriminatedUnion('name', [
      z.object({ name: z.literal('browser:frame'), notice: browserFrameSchema }),
      z.object({ name: z.literal('browser:state'), notice: machineBrowserStateSchema }),
    ]),
  }),
  /** A node that has begun to listen wants to know what the others hold. */
  z.object({ kind: z.literal('who') }),
  z.object({ kind: z.literal('machines'), here: z.array(greetingSchema) }),
  /** How the MCP servers of a machine at the sender are: told at each change, and when a node asks for it. */
  z.object({ kind: z.literal('machine_mcp'), greeting: greetingSchema, mcpServers: z.array(machineMcpSchema) }),
  /** The sender has heard of another version of them than it has. */
  z.object({ kind: z.literal('machine_mcp_wish'), gatewayId: id }),
  z.object({ kind: z.literal('machine_left'), gatewayId: id, ownerId: id, greeting: z.int() }),
  /** A credential is void: whoever stands on it is to be cut. */
  z.object({ kind: z.literal('revoked'), credentialId: z.string() }),
  /** Leases were given back: there is work to take. */
  z.object({ kind: z.literal('owed') }),
]);

export type Notice = z.infer<typeof noticeSchema>;
export type NoticeOf<Kind extends Notice['kind']> = Extract<Notice, { kind: Kind }>;
/** A machine that is connected to some node, and the number of its hello: of two the greater counts. */
export type Greeting = z.infer<typeof greetingSchema>;

/** Undefined for what this version does not know: nodes of two versions may share a database while it is being upgraded. */
export function readNotice(text: string): Notice | undefined {
  try {
    return noticeSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
