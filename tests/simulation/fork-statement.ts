import { createHash } from 'node:crypto';
import { isFinalCallState } from '@tendon/protocol';
import { type Answer, type Moment, rows, text, type Values } from './statement.ts';
import { listOf, newSession, type Tables } from './tables.ts';

/** `fork_session` of `packages/server/src/store/sql`: a session of its own with the history of another up to a place, all or nothing. */
export function forkSession({ tables, forked }: Moment, values: Values): Answer {
  const [id, sourceId, ownerId, lastSeq, title, at, usage, seq, data] = values;
  const source = tables.sessions.get(text(sourceId));
  if (!source || source.owner_id !== ownerId) return rows([{ made: 0, open: 0, unnamed: 0 }]);
  const messages = tables.history(source.id).filter((message) => message.seq <= Number(lastSeq));
  const taken = new Set(messages.map((message) => message.id));
  const calls = (tables.callsOf.get(source.id) ?? []).filter((call) => taken.has(call.message_id));
  const open = calls.filter((call) => !isFinalCallState(call.state)).length;
  const unnamed = calls.length - messages.flatMap((message) => callIdsIn(message.parts)).length;
  if (open > 0 || unnamed > 0) return rows([{ made: 0, open, unnamed }]);

  const fork = text(id);
  const copyOf = (original: string): string => copiedId(fork, { original, at: text(at) });
  const { model, gateway_id, workspace } = source;
  tables.sessions.set(
    fork,
    newSession({ id: fork, owner_id: source.owner_id, title, model, gateway_id, workspace, at: text(at), seq: Number(seq), usage: JSON.parse(text(usage)) }),
  );
  for (const message of messages) tables.putMessage({ ...message, id: copyOf(message.id), session_id: fork, parts: renamed(message.parts, copyOf) });
  for (const call of calls) tables.putCall({ ...call, ...NOT_COPIED, id: copyOf(call.id), session_id: fork, message_id: copyOf(call.message_id) });
  putFirstEvent(tables, { sessionId: fork, seq: Number(seq), at: text(at), data: text(data) });
  forked(source.id, fork);
  return rows([{ made: 1, open, unnamed }]);
}

/** A copy of a call was given to no machine. */
const NOT_COPIED = {
  dispatch_attempt: null,
  dispatch_instance_id: null,
  dispatch_stop_generation: null,
  dispatched_at: null,
  cancel_requested_at: null,
};

function putFirstEvent(tables: Tables, { sessionId, seq, at, data }: { sessionId: string; seq: number; at: string; data: string }): void {
  listOf(tables.events, sessionId).push({ session_id: sessionId, seq, at, type: 'session.updated', data: JSON.parse(data) });
}

interface NamedPart {
  readonly type: string;
  readonly callId?: string;
}

function callIdsIn(parts: unknown): string[] {
  return (parts as NamedPart[]).flatMap(({ callId }) => callId ?? []);
}

function renamed(parts: unknown, copyOf: (id: string) => string): NamedPart[] {
  return (parts as NamedPart[]).map((part) => (part.callId === undefined ? part : { ...part, callId: copyOf(part.callId) }));
}

/** As the statement makes it: a UUID of version 7, of the fork's moment and a hash of both ids. */
function copiedId(fork: string, { original, at }: { original: string; at: string }): string {
  const moment = Date.parse(at).toString(16).padStart(12, '0');
  const hash = createHash('md5').update(`${fork}${original}`).digest('hex');
  const hex = `${moment}7${hash.slice(0, 3)}8${hash.slice(3, 18)}`;
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
