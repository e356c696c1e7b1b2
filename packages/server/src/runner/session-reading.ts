import { type AgentData, type AgentRequest, LIMITS, type Result, refusal, success } from '@tendon/protocol';
import { publicSession } from '../kernel/index.ts';
import type { AgentDeskOptions } from './agent-desk.ts';
import { boundedEvents, boundedPage } from './page-bound.ts';
import type { AgentConnection } from './ports.ts';
import type { SessionActor } from './session-actor.ts';

export const NO_SESSION = 'There is no such session, or it is not yours.';

/** Above this a fresh page is quicker than the events one by one. */
const CATCH_UP_EVENTS = 10_000;

/** So long somebody who attaches waits for the node that streams; then they are shown what is stored of the turn. */
const SHOWN_WITHIN_MS = 300;

/** The largest number that the database has for an event. */
const LAST_SEQ = 2_147_483_647;

/** When another node streams the session's turn, asks it to show that here. */
async function seekLive({ neighbours, store, fanout }: AgentDeskOptions, actor: SessionActor, userId: string): Promise<void> {
  if (neighbours.isAlone) return;
  const state = await store.load(actor.sessionId, userId);
  if (!state) return;
  const { turn } = state;
  const isFirst = !fanout.hasAudience(actor.sessionId);
  const isMissing = turn !== undefined && !actor.hasLive(turn.messageId);
  if (isFirst || isMissing) neighbours.watch([actor.sessionId], { isNew: true });
  if (isMissing) await actor.remote.until(turn.messageId, SHOWN_WITHIN_MS);
}

/** A snapshot, or the events that were missed, and the room of what comes. */
export async function attach(
  options: AgentDeskOptions,
  connection: AgentConnection,
  payload: AgentRequest<'session:attach'>,
): Promise<Result<AgentData<'session:attach'>>> {
  const actor = options.actorOf(payload.sessionId);
  return actor.whileHeld(async () => {
    await seekLive(options, actor, connection.userId);
    return actor.serially(() => attachNow(options, { connection, actor, payload }));
  });
}

async function attachNow(
  options: AgentDeskOptions,
  { connection, actor, payload }: { connection: AgentConnection; actor: SessionActor; payload: AgentRequest<'session:attach'> },
): Promise<Result<AgentData<'session:attach'>>> {
  const { sessionId, afterSeq } = payload;
  const { store } = options;
  const state = await store.load(sessionId, connection.userId);
  if (!state) return refusal('not_found', NO_SESSION);
  await actor.catchUp(state);
  const events = afterSeq === undefined || afterSeq > state.seq ? undefined : boundedEvents(await store.eventsAfter(sessionId, afterSeq, CATCH_UP_EVENTS));
  const page = events ? { messages: [], calls: [], hasMore: false } : boundedPage(await store.page(sessionId, { limit: LIMITS.attachPage }));
  options.models.warmUp(state.model);
  // The snapshot first: what it flushes goes to those who were here before, and the newcomer's first delta is the one that follows it.
  const live = actor.live(state);
  connection.joinSession(sessionId);
  // What another node has committed meanwhile is told to all, after this answer.
  const missed = events?.filter((event) => event.seq <= state.seq);
  const outputs = options.tails.ofSession(sessionId);
  return success({
    session: publicSession(state),
    messages: [...page.messages],
    calls: [...page.calls],
    seq: state.seq,
    ...(missed ? { events: missed } : {}),
    ...(live ? { live } : {}),
    ...(outputs.length > 0 ? { outputs } : {}),
    hasMore: page.hasMore,
  });
}

export async function readHistory(
  options: AgentDeskOptions,
  { userId }: AgentConnection,
  payload: AgentRequest<'session:history'>,
): Promise<Result<AgentData<'session:history'>>> {
  if (!(await options.store.load(payload.sessionId, userId))) return refusal('not_found', NO_SESSION);
  const page = boundedPage(
    await options.store.page(payload.sessionId, { before: Math.min(payload.before, LAST_SEQ), limit: payload.limit ?? LIMITS.attachPage }),
  );
  return success({ messages: [...page.messages], calls: [...page.calls], hasMore: page.hasMore });
}
