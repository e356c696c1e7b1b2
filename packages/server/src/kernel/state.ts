import type { Call, Fault, Message, Part, Session, SessionStatus, Usage } from '@tendon/protocol';

/**
 * What the machine needs to decide about a session. Its size is bounded by the work in hand, never by the history:
 * calls that are over and messages that have had their turn are not in here.
 *
 *            execute                     all calls over
 *   idle ───────────────► running ◄──────────────────────── waiting_for_tools
 *    ▲                     │   │ calls                         ▲   │
 *    │ no calls, no queue  │   └───────────────────────────────┘   │ a call needs the person
 *    └─────────────────────┘                        waiting_for_user
 *
 * The four statuses are not stored as a decision of their own: `statusOf` derives them.
 */
export interface SessionState {
  readonly id: string;
  readonly ownerId: string;
  readonly title: string;
  readonly model: string;
  readonly gatewayId?: string | undefined;
  readonly workspace?: string | undefined;
  readonly archived: boolean;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Number of the last durable event. */
  readonly seq: number;
  /** Raised by every stop: work that carries an older one is void. */
  readonly stopGeneration: number;
  /** A stop or a failure left the queue standing: it waits for the person. */
  readonly held: boolean;
  /** The model call that is owed or in flight. */
  readonly turn?: Turn | undefined;
  /** Model calls since the person last spoke. */
  readonly steps: number;
  readonly lastError?: Fault | undefined;
  readonly usage: Usage;
  /** Calls that are not over, oldest first. */
  readonly calls: readonly StoredCall[];
  /** User messages that wait for their turn, in order. */
  readonly queue: readonly StoredMessage[];
}

/** One model call and the assistant message it makes. */
export interface Turn {
  /** Id of the message that the turn will leave behind. */
  readonly messageId: string;
  /** The lease under which it runs. Another epoch means: its owner is gone. */
  readonly epoch: number;
  readonly startedAt: string;
  /** What had streamed when it was last stored, about once a second. */
  readonly partial: readonly Part[];
}

export interface StoredMessage {
  readonly message: Message;
  /** What the first acknowledgement said; a repeat of the request gets the same. */
  readonly acceptedSeq: number;
  readonly wasQueued: boolean;
  /** Order within the queue; lower goes first. An interrupting message gets one below all others. */
  readonly queueRank: number;
}

export interface StoredCall {
  readonly call: Call;
  /** The hand-over to a machine, or to the node that runs it: committed before it is sent or started. */
  readonly dispatch?: Dispatch | undefined;
  /** When a stop asked for its end. It stays open until its machine or node has reported. */
  readonly cancelRequestedAt?: string | undefined;
  /** What the model's provider wants to see again with the call. */
  readonly metadata?: unknown;
}

export interface Dispatch {
  readonly attempt: number;
  readonly instanceId: string;
  readonly stopGeneration: number;
  readonly at: string;
}

/** A permission to be stored together with the approval that asked for it. */
export interface NewRule {
  readonly id: string;
  readonly ownerId: string;
  readonly tool: string;
  readonly subject: string;
  readonly workspace?: string | undefined;
  readonly gatewayId?: string | undefined;
  readonly definition?: string | undefined;
  readonly sessionId?: string | undefined;
  readonly createdAt: string;
}

export type { Call, Message, Part };

export const NEW_SESSION_TITLE = 'New session';

/** Status is a function of the rows (SPEC S1, invariant I7). */
export function statusOf(state: Pick<SessionState, 'turn' | 'calls'>): SessionStatus {
  if (state.turn) return 'running';
  if (state.calls.some((stored) => stored.call.state === 'awaiting_approval' || stored.call.state === 'awaiting_answer')) return 'waiting_for_user';
  return state.calls.length > 0 ? 'waiting_for_tools' : 'idle';
}

/** Nothing is in flight: a message would start at once. */
export function isIdle(state: SessionState): boolean {
  return statusOf(state) === 'idle';
}

/** A stop has been committed and a machine has not yet reported the end of what it ran. */
export function isStopping(state: Pick<SessionState, 'calls'>): boolean {
  return state.calls.some((stored) => stored.cancelRequestedAt !== undefined);
}

/** The session as clients see it. */
export function publicSession(state: SessionState): Session {
  const count = (wanted: Call['state']) => state.calls.filter((stored) => stored.call.state === wanted).length;
  return {
    id: state.id,
    title: state.title,
    status: statusOf(state),
    model: state.model,
    ...(state.gatewayId === undefined ? {} : { gatewayId: state.gatewayId }),
    ...(state.workspace === undefined ? {} : { workspace: state.workspace }),
    archived: state.archived,
    seq: state.seq,
    createdAt: state.createdAt,
    updatedAt: state.updatedAt,
    ...(state.lastError === undefined ? {} : { lastError: state.lastError }),
    ...(isStopping(state) ? { stopping: true } : {}),
    ...(state.held && state.queue.length > 0 ? { held: true } : {}),
    waiting: { approvals: count('awaiting_approval'), answers: count('awaiting_answer') },
    usage: state.usage,
  };
}
