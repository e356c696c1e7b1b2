import { AGENT_REQUESTS, type AgentData, type Delta, eventDataSchemas, type SessionEvent, sessionEventSchema, tryParse } from '@tendon/protocol';

/** An event of a newer server: it takes its number, and its content is left alone. */
export interface UnknownEvent {
  readonly type: 'unknown';
  readonly sessionId: string;
  readonly seq: number;
}

export type KnownOrUnknownEvent = SessionEvent | UnknownEvent;

/** What reaches the log of one session. `bad`: something was there that cannot be read. */
export type SessionPacket =
  | { readonly kind: 'event'; readonly event: KnownOrUnknownEvent }
  | { readonly kind: 'delta'; readonly delta: Delta }
  | { readonly kind: 'bad'; readonly reason: string };

export interface AttachAnswer extends Omit<AgentData<'session:attach'>, 'events'> {
  readonly events?: readonly KnownOrUnknownEvent[];
}

const KINDS: readonly unknown[] = ['text', 'reasoning', 'tool_input', 'tool_output'] satisfies Delta['kind'][];

/** The session that a packet is about, if it says so. */
export function packetSessionId(payload: unknown): string | undefined {
  if (!isObject(payload)) return undefined;
  return typeof payload.sessionId === 'string' ? payload.sessionId : undefined;
}

/** Durable events are checked in full: there are few, and one that is wrong would stay wrong. */
export function readEvent(payload: unknown): SessionPacket {
  const parsed = tryParse(sessionEventSchema, payload);
  if (parsed.success) return { kind: 'event', event: parsed.data };
  const unknown = readUnknownEvent(payload);
  if (unknown) return { kind: 'event', event: unknown };
  const issue = parsed.error?.issues[0];
  return { kind: 'bad', reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not an event'}` };
}

function readUnknownEvent(payload: unknown): UnknownEvent | undefined {
  if (!isObject(payload)) return undefined;
  const { sessionId, seq, type } = payload;
  if (typeof sessionId !== 'string' || typeof type !== 'string' || Object.hasOwn(eventDataSchemas, type)) return undefined;
  return isCount(seq) && seq > 0 ? { type: 'unknown', sessionId, seq } : undefined;
}

/** Deltas come by the thousand, and what is wrong with one goes away with the finished message: a light check is enough. */
export function readDelta(payload: unknown): SessionPacket {
  return isDelta(payload) ? { kind: 'delta', delta: payload } : { kind: 'bad', reason: 'not a delta' };
}

function isDelta(value: unknown): value is Delta {
  if (!isObject(value)) return false;
  const { sessionId, messageId, part, kind, offset, text } = value;
  return typeof sessionId === 'string' && typeof messageId === 'string' && typeof text === 'string' && isCount(part) && isCount(offset) && KINDS.includes(kind);
}

/**
 * The answer to `session:attach`. Its events are read one by one, so that one of a kind that is not known here does not spoil
 * the rest. Undefined when it cannot be used.
 */
export function readAttachAnswer(data: unknown): AttachAnswer | undefined {
  if (!isObject(data)) return undefined;
  const { events: rawEvents, ...rest } = data;
  const parsed = tryParse(AGENT_REQUESTS['session:attach'].data, rest);
  if (!parsed.success) return undefined;
  const { events: _none, ...answer } = parsed.data;
  if (rawEvents === undefined) return answer;
  if (!Array.isArray(rawEvents)) return undefined;
  const events: KnownOrUnknownEvent[] = [];
  for (const raw of rawEvents) {
    const packet = readEvent(raw);
    if (packet.kind !== 'event') return undefined;
    events.push(packet.event);
  }
  return { ...answer, events };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
