import { ERROR_CODES, type Fault, type ProtocolError } from '@tendon/protocol';
import { backoffMs, retryAfterMs } from '../backoff.ts';
import type { AttachAnswer, SessionPacket } from './inbound.ts';
import { applyDelta } from './live.ts';
import { type Applied, applyCatchUp, applyEvent, applySnapshot, type Transcript, withoutLive } from './transcript.ts';

/**
 * Follows one session: applies each durable event once and in order, and asks again for what is missing. Pure.
 *
 *   offline ──online──► attaching ──answer──► following
 *      ▲                 ▲  │  │                │
 *      │                 │  │  └─ try later ─►  │ gap, bad packet
 *      │                 │  │     waiting ◄─────┘ (the first time at once)
 *      └─ offline (any)  └──┼────────┘ time is up
 *                           └─ refused for good, deleted ──► ended
 *
 * While it attaches, packets wait in a buffer: the answer says up to which event they are already in it. While it waits, what is
 * next in order is still applied, so that a page never stands still because of something that can be mended later.
 */
export type Follow =
  | { readonly kind: 'offline' }
  | { readonly kind: 'attaching'; readonly afterSeq?: number; readonly attempt: number; readonly buffer?: Buffered }
  | { readonly kind: 'following' }
  | { readonly kind: 'waiting'; readonly attempt: number; readonly isFresh: boolean }
  | { readonly kind: 'ended' };

/** Newest first, so that adding one copies nothing. */
interface Buffered {
  readonly packet: SessionPacket;
  readonly before?: Buffered;
  readonly length: number;
}

export interface EventLog {
  readonly follow: Follow;
  readonly transcript: Transcript;
  /** Attaches in a row that were needed to mend something; the pause before the next one grows with it. */
  readonly mends: number;
}

export type LogInput =
  | { readonly kind: 'online' }
  | { readonly kind: 'offline' }
  | { readonly kind: 'packet'; readonly packet: SessionPacket; readonly jitter: number }
  | { readonly kind: 'answered'; readonly answer: AttachAnswer; readonly jitter: number }
  | { readonly kind: 'refused'; readonly error: ProtocolError; readonly jitter: number }
  | { readonly kind: 'time_is_up' }
  | { readonly kind: 'deleted' };

export type LogAction = { readonly kind: 'attach'; readonly afterSeq?: number } | { readonly kind: 'wait'; readonly delayMs: number };

export interface LogStep {
  readonly log: EventLog;
  readonly action?: LogAction;
}

/** More than this while attaching, and the buffer is let go: the attach after it brings the same. */
export const BUFFER_LIMIT = 10_000;
/** Mending is cheap for the server; nobody should look at a stale page for long. */
const LONGEST_MEND_MS = 5_000;

export function stepLog(log: EventLog, input: LogInput): LogStep {
  if (log.follow.kind === 'ended') return { log };
  switch (input.kind) {
    case 'online':
      return attach({ ...log, mends: 0 }, 1, false);
    case 'offline':
      return { log: { ...log, follow: { kind: 'offline' } } };
    case 'deleted':
      return { log: end(log, 'gone', { code: 'not_found', message: ERROR_CODES.not_found.text }) };
    case 'packet':
      return onPacket(log, input.packet, input.jitter);
    case 'answered':
      return log.follow.kind === 'attaching' ? onAnswer(log, log.follow, input) : { log };
    case 'refused':
      return log.follow.kind === 'attaching' ? onRefused(log, log.follow, input) : { log };
    case 'time_is_up':
      return log.follow.kind === 'waiting' ? attach(log, log.follow.attempt + 1, log.follow.isFresh) : { log };
  }
}

/** Asks for what came after the last event that is here; for everything when nothing is, or when that did not help. */
function attach(log: EventLog, attempt: number, isFresh: boolean): LogStep {
  const from = isFresh || log.transcript.phase === 'loading' ? {} : { afterSeq: log.transcript.seq };
  return { log: { ...log, follow: { kind: 'attaching', attempt, ...from } }, action: { kind: 'attach', ...from } };
}

function end(log: EventLog, phase: 'gone' | 'failed', error: Fault): EventLog {
  return { ...log, follow: { kind: 'ended' }, transcript: { ...withoutLive(log.transcript), phase, error } };
}

function onPacket(log: EventLog, packet: SessionPacket, jitter: number): LogStep {
  switch (log.follow.kind) {
    case 'attaching': {
      const before = log.follow.buffer;
      const length = (before?.length ?? 0) + 1;
      if (length > BUFFER_LIMIT) return { log };
      return { log: { ...log, follow: { ...log.follow, buffer: { packet, length, ...(before ? { before } : {}) } } } };
    }
    case 'following': {
      const applied = apply(log.transcript, packet);
      return applied === 'gap' ? mend(log, jitter) : { log: kept(log, applied) };
    }
    case 'waiting': {
      const applied = apply(log.transcript, packet);
      return { log: applied === 'gap' ? log : { ...log, transcript: applied } };
    }
    default:
      return { log };
  }
}

/** Something that fitted ends the row of mendings; a repeat that changed nothing does not. */
function kept(log: EventLog, transcript: Transcript): EventLog {
  if (transcript === log.transcript) return log;
  return { ...log, transcript, mends: 0 };
}

function apply(transcript: Transcript, packet: SessionPacket): Applied {
  if (packet.kind === 'bad') return 'gap';
  return packet.kind === 'event' ? applyEvent(transcript, packet.event) : applyDelta(transcript, packet.delta);
}

/** Attaches again: at once the first time, then with growing pauses, so that something that stays wrong does not become a storm. */
function mend(log: EventLog, jitter: number, isFresh = false): LogStep {
  const next = { ...log, mends: log.mends + 1 };
  if (log.mends === 0) return attach(next, 1, isFresh);
  const delayMs = Math.min(LONGEST_MEND_MS, backoffMs(log.mends, jitter));
  return { log: { ...next, follow: { kind: 'waiting', attempt: 0, isFresh } }, action: { kind: 'wait', delayMs } };
}

function onAnswer(log: EventLog, follow: Extract<Follow, { kind: 'attaching' }>, input: { answer: AttachAnswer; jitter: number }): LogStep {
  const { answer, jitter } = input;
  const isCatchUp = answer.events !== undefined && follow.afterSeq !== undefined;
  const applied = isCatchUp ? applyCatchUp(log.transcript, answer) : applySnapshot(log.transcript, answer);
  // The events do not lead to where the server says it is: start over with a snapshot.
  if (applied === 'gap') return mend(log, jitter, true);
  let next: EventLog = { ...log, transcript: applied, follow: { kind: 'following' } };
  for (const packet of inOrder(follow.buffer)) {
    const result = apply(next.transcript, packet);
    if (result === 'gap') return mend(next, jitter);
    next = { ...next, transcript: result };
  }
  // An overflowed buffer hides a tail: ask once more, for the events behind this answer.
  return (follow.buffer?.length ?? 0) >= BUFFER_LIMIT ? mend(next, jitter) : { log: next };
}

function inOrder(buffer: Buffered | undefined): SessionPacket[] {
  const packets: SessionPacket[] = [];
  for (let entry = buffer; entry; entry = entry.before) packets.push(entry.packet);
  return packets.reverse();
}

function onRefused(log: EventLog, follow: Extract<Follow, { kind: 'attaching' }>, input: { error: ProtocolError; jitter: number }): LogStep {
  const { error, jitter } = input;
  const fault: Fault = { code: error.code, message: error.message };
  if (error.code === 'not_found') return { log: end(log, 'gone', fault) };
  if (Object.hasOwn(ERROR_CODES, error.code) && !ERROR_CODES[error.code].retry) return { log: end(log, 'failed', fault) };
  const delayMs = backoffMs(follow.attempt, jitter, retryAfterMs(error.details));
  return {
    // After a fault of the server's the events may be what it stumbles over: a snapshot goes round them.
    log: { ...log, transcript: { ...log.transcript, error: fault }, follow: { kind: 'waiting', attempt: follow.attempt, isFresh: error.code === 'internal' } },
    action: { kind: 'wait', delayMs },
  };
}
