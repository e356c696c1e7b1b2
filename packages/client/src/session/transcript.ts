import { type AgentData, type Call, isFinalCallState, type Message, type SessionEvent } from '@tendon/protocol';
import type { LiveOutput, SessionView } from '../types.ts';
import type { AttachAnswer, KnownOrUnknownEvent } from './inbound.ts';
import { isSameValue, keepIdentity } from './same-value.ts';

/**
 * All that is known of one session, and the only functions that change it. Pure: a new value comes back and what did not change
 * keeps its identity, so that a page draws only what is new. `'gap'` says that something is missing in between: attach again.
 */
export interface Transcript extends Omit<SessionView, 'outbox' | 'loadingOlder'> {
  /** Per part of `live`, the UTF-16 offset at which its next delta continues. */
  readonly liveEnds: readonly number[];
  /** The same for `outputs`, by call id. */
  readonly outputEnds: Readonly<Record<string, number>>;
}

export type Applied = Transcript | 'gap';

export const emptyTranscript: Transcript = {
  phase: 'loading',
  messages: [],
  liveInputs: {},
  calls: {},
  outputs: {},
  hasMore: false,
  seq: 0,
  liveEnds: [],
  outputEnds: {},
};

/** Applies one durable event. A repeat changes nothing; one that is not the next is a gap. */
export function applyEvent(transcript: Transcript, event: KnownOrUnknownEvent): Applied {
  if (event.seq <= transcript.seq) return transcript;
  if (event.seq !== transcript.seq + 1) return 'gap';
  const next = event.type === 'unknown' ? transcript : applyContent(transcript, event);
  // Every event moves these two of the session, also those that say nothing else about it.
  const moved = { seq: event.seq, ...(event.type === 'unknown' ? {} : { updatedAt: event.at }) };
  return { ...next, ...(next.session ? { session: { ...next.session, ...moved } } : {}), seq: event.seq };
}

function applyContent(transcript: Transcript, event: SessionEvent): Transcript {
  switch (event.type) {
    case 'message.created':
    case 'message.completed':
      return withMessage(transcript, event.data.message);
    case 'message.removed':
      return { ...transcript, messages: transcript.messages.filter((message) => message.id !== event.data.messageId) };
    case 'call.requested':
    case 'call.updated':
      return withCall(transcript, event.data.call);
    case 'session.updated': {
      const next = { ...transcript, session: event.data.session };
      // The finished message has come by now if anything of it was kept; only a running turn has a live one.
      return event.data.session.status === 'running' ? next : withoutLive(next);
    }
    case 'turn.failed': {
      const next = withoutLive(transcript);
      return next.session ? { ...next, session: { ...next.session, lastError: event.data.error } } : next;
    }
  }
}

function withMessage(transcript: Transcript, message: Message): Transcript {
  const others = transcript.messages.filter((other) => other.id !== message.id);
  const after = others.findLastIndex((other) => byPlace(other, message) <= 0);
  const messages = others.toSpliced(after + 1, 0, message);
  const next = { ...transcript, messages };
  // A person's message that takes its turn ends the turn before it, also one of which nothing was kept.
  const isTurnOver = message.role === 'user' && message.state !== 'queued';
  return isTurnOver || transcript.live?.id === message.id ? withoutLive(next) : next;
}

/** Order of a transcript: by `seq`, with what is still queued at the end. */
function byPlace(a: Message, b: Message): number {
  const queued = Number(a.state === 'queued') - Number(b.state === 'queued');
  return queued !== 0 ? queued : a.seq - b.seq;
}

function withCall(transcript: Transcript, call: Call): Transcript {
  const next = { ...transcript, calls: { ...transcript.calls, [call.id]: call } };
  // The result holds the output now.
  return isFinalCallState(call.state) ? withoutOutput(next, call.id) : next;
}

function withoutOutput(transcript: Transcript, callId: string): Transcript {
  if (!Object.hasOwn(transcript.outputs, callId) && !Object.hasOwn(transcript.outputEnds, callId)) return transcript;
  const { [callId]: _output, ...outputs } = transcript.outputs;
  const { [callId]: _end, ...outputEnds } = transcript.outputEnds;
  return { ...transcript, outputs, outputEnds };
}

export function withoutLive(transcript: Transcript): Transcript {
  if (!transcript.live) return transcript;
  const { live: _live, ...rest } = transcript;
  return { ...rest, liveInputs: {}, liveEnds: [] };
}

/** The state as the server gave it, in place of whatever was here before. */
export function applySnapshot(transcript: Transcript, answer: AttachAnswer): Transcript {
  const { error: _error, ...known } = transcript;
  const old = new Map(transcript.messages.map((message) => [message.id, message]));
  const messages = answer.messages.map((message) => keepIdentity(old.get(message.id), message)).sort(byPlace);
  const calls = Object.fromEntries(answer.calls.map((call) => [call.id, keepIdentity(transcript.calls[call.id], call)]));
  const next: Transcript = {
    ...known,
    phase: 'ready',
    session: keepIdentity(transcript.session, answer.session),
    messages: isSameList(transcript.messages, messages) ? transcript.messages : messages,
    calls: isSameValue(transcript.calls, calls) ? transcript.calls : calls,
    hasMore: answer.hasMore,
    seq: answer.seq,
  };
  return withUnfinished(next, answer);
}

/** The answer to an attach with `afterSeq`: the events that were missed. A gap when they do not lead where the answer says. */
export function applyCatchUp(transcript: Transcript, answer: AttachAnswer): Applied {
  let next = transcript;
  for (const event of answer.events ?? []) {
    const applied = applyEvent(next, event);
    if (applied === 'gap') return 'gap';
    next = applied;
  }
  if (next.seq !== answer.seq) return 'gap';
  const { error: _error, ...known } = next;
  return withUnfinished({ ...known, phase: 'ready', session: keepIdentity(next.session, answer.session) }, answer);
}

function isSameList<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

/** Live message and outputs are as the answer has them; nothing of them is durable. */
function withUnfinished(transcript: Transcript, answer: AttachAnswer): Transcript {
  const outputs: Record<string, LiveOutput> = {};
  const outputEnds: Record<string, number> = {};
  for (const { callId, offset, text } of answer.outputs ?? []) {
    const end = offset + text.length;
    const known = transcript.outputs[callId];
    outputs[callId] = known && transcript.outputEnds[callId] === end ? known : { text, droppedBytes: offset };
    outputEnds[callId] = end;
  }
  const next = { ...transcript, outputs, outputEnds };
  if (!answer.live) return withoutLive(next);
  const { message, offsets } = answer.live;
  const isKnown = transcript.live?.id === message.id;
  // The answer has no input of a tool call that is being written: what is known of it stays while it is of the right length.
  const liveInputs = Object.fromEntries(
    Object.entries(transcript.liveInputs).filter(([part]) => isKnown && transcript.liveEnds[Number(part)] === offsets[Number(part)]),
  );
  const liveEnds = message.parts.map((part, index) => offsets[index] ?? ('text' in part ? part.text.length : 0));
  return { ...next, live: keepIdentity(transcript.live, message), liveInputs, liveEnds };
}

/** Puts a page of older messages before the first one. A page that was asked for before something else took its place is dropped. */
export function applyPage(transcript: Transcript, page: AgentData<'session:history'>, before: number): Transcript {
  if (oldestSeq(transcript) !== before) return transcript;
  const known = new Set(transcript.messages.map((message) => message.id));
  const older = page.messages.filter((message) => message.seq < before && !known.has(message.id));
  const calls = Object.fromEntries(page.calls.map((call) => [call.id, call]));
  return {
    ...transcript,
    messages: [...older.sort(byPlace), ...transcript.messages],
    // What is here came by events and is at least as new as the page.
    calls: { ...calls, ...transcript.calls },
    hasMore: page.hasMore,
  };
}

/** Where the next page upward starts; undefined when there is no message. */
export function oldestSeq(transcript: Transcript): number | undefined {
  return transcript.messages[0]?.seq;
}
