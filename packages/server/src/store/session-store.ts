import type { Call, Gateway, GatewayTool, Message, ProtocolError, Rule, Session, SessionEnd, SessionEvent } from '@tendon/protocol';
import type { Answer, Change, Effect, Focus, Input, Outcome, Part, SessionState, Stamp, StoredCall } from '../kernel/index.ts';

/** Proof of owning a session for a while. Every write of an owner names it; an old epoch writes nothing (I5). */
export interface Lease {
  readonly sessionId: string;
  readonly node: string;
  readonly epoch: number;
}

export interface CommitRequest {
  readonly sessionId: string;
  /** When given, another user's session is `not_found`. Left out for machines and owners of a lease, who were checked otherwise. */
  readonly ownerId?: string | undefined;
  readonly input: Input;
  /** Rows to load beside the state, under the same lock. */
  readonly focus?: { readonly messageId?: string | undefined; readonly callId?: string | undefined };
  /** The node that commits. It takes the lease in the same statement when work is owed afterwards and the lease is free, expired or its own. */
  readonly node: string;
  /** When given, the commit is void unless this very epoch still holds the lease. */
  readonly fence?: Lease | undefined;
}

/** The pure machine, handed in so that the store knows no rules. */
export type Decide = (state: SessionState, input: Input, context: { stamp: Stamp; focus: Focus }) => Outcome;

export interface Committed {
  readonly ok: true;
  readonly answer: Answer;
  readonly change: Change;
  /** What is owed now: derived from the state after the commit. */
  readonly owed: readonly Effect[];
  /** The lease after the commit, when this node holds it. */
  readonly lease?: Lease | undefined;
}

export type CommitOutcome = Committed | { readonly ok: false; readonly error: ProtocolError } | { readonly ok: false; readonly fenced: true };

export interface HistoryPage {
  readonly messages: readonly Message[];
  readonly calls: readonly Call[];
  readonly hasMore: boolean;
}

/** History as the model needs it: messages in order, with the calls of each (and what the provider wants back). */
export interface HistoryRows {
  readonly messages: readonly Message[];
  readonly calls: readonly StoredCall[];
  /** How many calls of the whole session have an outcome that a person has settled: the one way in which what was read before can change. */
  readonly settled: number;
}

/** How far a session is, for those who may have missed something of it. */
export interface SessionPlace {
  readonly sessionId: string;
  readonly seq: number;
}

export interface NewSession {
  readonly id: string;
  readonly ownerId: string;
  readonly title: string;
  readonly model: string;
  readonly gatewayId?: string | undefined;
  readonly workspace?: string | undefined;
  readonly at: string;
}

export interface Fork {
  readonly sessionId: string;
  readonly ownerId: string;
  /** A person's message: the fork ends before it. A message of the agent: the fork ends with it. */
  readonly messageId: string;
  /** The new session. */
  readonly id: string;
  /** The new title, given the old one. */
  readonly title: (of: string) => string;
  readonly at: string;
}

export type ForkOutcome =
  | { readonly ok: true; readonly state: SessionState; readonly events: readonly SessionEvent[] }
  /** `queued`: the message has no place yet. `unfinished`: calls of what would be taken over are not over. */
  | { readonly ok: false; readonly reason: 'not_found' | 'queued' | 'unfinished' };

export interface Pruned {
  readonly pruned: number;
  /** Where to go on; undefined when every session was looked at. */
  readonly nextCursor?: string | undefined;
}

/** Where sessions live. Truth is in here and nowhere else; one contract suite runs over every implementation. */
export interface SessionStore {
  /** Creates the session with its first event, `session.updated`, seq 1. */
  create(session: NewSession): Promise<{ state: SessionState; events: readonly SessionEvent[] }>;
  /** A session of its own with a copy of another's history, under new ids, at rest and without the other's rules. Its events begin where that history ends. */
  fork(fork: Fork): Promise<ForkOutcome>;
  /** One transaction: lock and load, decide, write everything, commit. Exceptions mean the database is lost; nothing or all was written. */
  commit(request: CommitRequest, decide: Decide): Promise<CommitOutcome>;
  /** Stores what has streamed so far, about once a second. False when the fence is old or the turn is over. */
  savePartial(lease: Lease, messageId: string, parts: readonly Part[]): Promise<boolean>;

  /** Takes up to `limit` sessions that owe work and have no living owner (`owes` and lease null or expired). */
  claimOwed(node: string, limit: number): Promise<readonly Lease[]>;
  /** Voids every lease at once: for the sole owner of an embedded database, where all earlier nodes are known to be dead. */
  releaseAll(): Promise<void>;
  /** Renews the node's leases; answers with those it still holds. */
  renew(node: string, leases: readonly Lease[]): Promise<readonly Lease[]>;
  release(lease: Lease): Promise<void>;

  load(sessionId: string, ownerId?: string): Promise<SessionState | undefined>;
  list(ownerId: string, page: { cursor?: string | undefined; limit: number }): Promise<{ sessions: readonly Session[]; nextCursor?: string }>;
  /** Deletes a session that is the owner's; false when there is none. */
  delete(sessionId: string, ownerId: string): Promise<boolean>;
  /** The newest page, or what stands before a message's seq; oldest first. Queued messages are in the newest page, last. */
  page(sessionId: string, options: { before?: number | undefined; limit: number }): Promise<HistoryPage>;
  /** Durable events after a seq, in order; undefined when they are no longer kept or more than `limit`. */
  eventsAfter(sessionId: string, seq: number, limit: number): Promise<readonly SessionEvent[] | undefined>;
  /** Deletes a bounded number of events from before a moment, of the sessions after the cursor; never a session's newest hundred. */
  pruneEvents(before: string, cursor?: string): Promise<Pruned>;
  /** Messages (not queued) with seq above `afterSeq`, oldest first, at most the newest `limit`. */
  historyAfter(sessionId: string, afterSeq: number, limit: number): Promise<HistoryRows>;

  /** The calls of the turn that this message belongs to, in order, without their results. Undefined when there is no such message in the history. */
  turnCalls(sessionId: string, messageId: string): Promise<readonly Call[] | undefined>;
  /** The session of a call, and whose it is. */
  findCall(callId: string): Promise<{ sessionId: string; ownerId: string; call: StoredCall } | undefined>;
  /** Calls of this machine that are not over, whatever session they belong to. */
  openCallsOf(gatewayId: string): Promise<readonly { sessionId: string; call: StoredCall }[]>;
  /** How far these sessions are, and all that have calls of these machines which are not over. */
  places(sessionIds: readonly string[], gatewayIds: readonly string[]): Promise<readonly SessionPlace[]>;
  /** Those of the sessions that are archived, or that this person does not have. */
  overSessions(ownerId: string, sessionIds: readonly string[]): Promise<readonly SessionEnd[]>;
  rules(ownerId: string): Promise<readonly Rule[]>;
  revokeRule(ownerId: string, ruleId: string): Promise<boolean>;
  touchRule(ruleId: string, at: string): Promise<void>;
}

export interface StoredGateway {
  readonly gateway: Omit<Gateway, 'online'>;
  readonly ownerId: string;
  /** Everything the machine announced, schemas included: what the model is offered. */
  readonly tools: readonly GatewayTool[];
  readonly instanceId: string;
}

/** So many a person may have that were ever heard of. */
export const MOST_MACHINES = 1_000;

/** The id belongs to somebody else, or its person has as many machines as they may. */
export type NotTaken = 'anothers' | 'too_many';

/** The machines that have ever said hello. Whether one is online is known by the node that holds its connection, which tells the others. */
export interface GatewayStore {
  /** Counts the machine's hellos, at whatever node, and answers with the number of this one. Otherwise nothing is written. */
  put(gateway: StoredGateway): Promise<number | NotTaken>;
  /** Forgets one machine of this person, the one that has been away for longest, of those that have no session, no rule and no call at work, and are none of `except`. False when there is none. */
  forgetUnused(ownerId: string, except: readonly string[]): Promise<boolean>;
  machinesOf(ownerId: string): Promise<readonly StoredGateway[]>;
  find(gatewayId: string, ownerId: string): Promise<StoredGateway | undefined>;
  /** The machine's tools have become other ones. False when a later hello than this one was counted: nothing is written then. */
  putTools(gatewayId: string, greeting: number, tools: readonly GatewayTool[]): Promise<boolean>;
  /** The number of its newest hello, at whatever node. */
  lastGreeting(gatewayId: string): Promise<number | undefined>;
  seen(gatewayId: string, at: string): Promise<void>;
}
