import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { refusal, type SessionEvent } from '@tendon/protocol';
import { sampleEvent, sampleMessage, sampleSession } from '../../test-support/samples.ts';
import { BUFFER_LIMIT, type EventLog, type Follow, type LogInput, type LogStep, stepLog } from './event-log.ts';
import type { AttachAnswer, SessionPacket } from './inbound.ts';
import { emptyTranscript, type Transcript } from './transcript.ts';

const session = sampleSession();
const sessionId = session.id;
const jitter = 0.5;
const ready: Transcript = { ...emptyTranscript, phase: 'ready', session, seq: 5 };
const buffered: Follow = { kind: 'attaching', afterSeq: 5, attempt: 1 };

function event(seq: number): SessionEvent {
  return sampleEvent({ sessionId, seq }, 'message.created', { message: sampleMessage({ sessionId, seq }) });
}

const packet = (seq: number): LogInput => ({ kind: 'packet', packet: { kind: 'event', event: event(seq) }, jitter });
const bad: SessionPacket = { kind: 'bad', reason: 'broken' };
const snapshot = (seq: number): AttachAnswer => ({ session, messages: [], calls: [], seq, hasMore: false });
const catchUp = (seq: number, seqs: number[]): AttachAnswer => ({ ...snapshot(seq), events: seqs.map(event) });
const answered = (answer: AttachAnswer): LogInput => ({ kind: 'answered', answer, jitter });
const refused = (code: Parameters<typeof refusal>[0]): LogInput => ({ kind: 'refused', error: refusal(code).error, jitter });

const STATES = {
  loadingOffline: { follow: { kind: 'offline' }, transcript: emptyTranscript, mends: 0 },
  offline: { follow: { kind: 'offline' }, transcript: ready, mends: 0 },
  loading: { follow: { kind: 'attaching', attempt: 1 }, transcript: emptyTranscript, mends: 0 },
  attaching: { follow: buffered, transcript: ready, mends: 0 },
  following: { follow: { kind: 'following' }, transcript: ready, mends: 0 },
  mending: { follow: { kind: 'following' }, transcript: ready, mends: 2 },
  waiting: { follow: { kind: 'waiting', attempt: 2, isFresh: false }, transcript: ready, mends: 0 },
  ended: { follow: { kind: 'ended' }, transcript: { ...ready, phase: 'gone' }, mends: 0 },
} as const satisfies Record<string, EventLog>;

const INPUTS = {
  online: { kind: 'online' },
  offline: { kind: 'offline' },
  next: packet(6),
  repeat: packet(5),
  gap: packet(8),
  bad: { kind: 'packet', packet: bad, jitter },
  snapshot: answered(snapshot(9)),
  catchUp: answered(catchUp(7, [6, 7])),
  brokenCatchUp: answered(catchUp(9, [6])),
  refusedForNow: refused('unavailable'),
  brokenServer: refused('internal'),
  notFound: refused('not_found'),
  refusedForGood: refused('invalid_payload'),
  timeIsUp: { kind: 'time_is_up' },
  deleted: { kind: 'deleted' },
} as const satisfies Record<string, LogInput>;

type StateName = keyof typeof STATES;
type InputName = keyof typeof INPUTS;

function inShort({ log, action }: LogStep): string {
  const did = action?.kind === 'attach' ? ` attach(${action.afterSeq ?? 'all'})` : action ? ` wait(${action.delayMs})` : '';
  const held = log.follow.kind === 'attaching' && log.follow.buffer ? ` buffer=${log.follow.buffer.length}` : '';
  return `${log.follow.kind} ${log.transcript.phase} ${log.transcript.seq}${held}${did}`;
}

const ended = { deleted: 'ended gone 5' } as const;
/** What is not named here must change nothing. */
const MOVES: Record<StateName, Partial<Record<InputName, string>>> = {
  loadingOffline: { online: 'attaching loading 0 attach(all)', deleted: 'ended gone 0' },
  offline: { online: 'attaching ready 5 attach(5)', ...ended },
  loading: {
    online: 'attaching loading 0 attach(all)',
    offline: 'offline loading 0',
    next: 'attaching loading 0 buffer=1',
    repeat: 'attaching loading 0 buffer=1',
    gap: 'attaching loading 0 buffer=1',
    bad: 'attaching loading 0 buffer=1',
    snapshot: 'following ready 9',
    catchUp: 'following ready 7',
    brokenCatchUp: 'following ready 9',
    refusedForNow: 'waiting loading 0 wait(250)',
    brokenServer: 'waiting loading 0 wait(250)',
    notFound: 'ended gone 0',
    refusedForGood: 'ended failed 0',
    deleted: 'ended gone 0',
  },
  attaching: {
    online: 'attaching ready 5 attach(5)',
    offline: 'offline ready 5',
    next: 'attaching ready 5 buffer=1',
    repeat: 'attaching ready 5 buffer=1',
    gap: 'attaching ready 5 buffer=1',
    bad: 'attaching ready 5 buffer=1',
    snapshot: 'following ready 9',
    catchUp: 'following ready 7',
    brokenCatchUp: 'attaching ready 5 attach(all)',
    refusedForNow: 'waiting ready 5 wait(250)',
    brokenServer: 'waiting ready 5 wait(250)',
    notFound: 'ended gone 5',
    refusedForGood: 'ended failed 5',
    ...ended,
  },
  following: {
    online: 'attaching ready 5 attach(5)',
    offline: 'offline ready 5',
    next: 'following ready 6',
    gap: 'attaching ready 5 attach(5)',
    bad: 'attaching ready 5 attach(5)',
    ...ended,
  },
  mending: {
    online: 'attaching ready 5 attach(5)',
    offline: 'offline ready 5',
    next: 'following ready 6',
    gap: 'waiting ready 5 wait(500)',
    bad: 'waiting ready 5 wait(500)',
    ...ended,
  },
  waiting: {
    online: 'attaching ready 5 attach(5)',
    offline: 'offline ready 5',
    next: 'waiting ready 6',
    timeIsUp: 'attaching ready 5 attach(5)',
    ...ended,
  },
  ended: {},
};

describe('event log', () => {
  for (const state of Object.keys(STATES) as StateName[]) {
    for (const input of Object.keys(INPUTS) as InputName[]) {
      it(`K8: ${state} on ${input}`, () => {
        const before = STATES[state];
        const next = stepLog(before, INPUTS[input]);
        assert.equal(inShort(next), MOVES[state][input] ?? inShort({ log: before }));
      });
    }
  }

  it('K8: what comes while attaching is applied behind the answer, each once and in order', () => {
    let log: EventLog = STATES.attaching;
    for (const seq of [6, 7, 8]) log = stepLog(log, packet(seq)).log;
    const { log: next, action } = stepLog(log, answered(catchUp(7, [6, 7])));
    assert.deepEqual([next.follow.kind, next.transcript.seq, next.transcript.messages.length, action], ['following', 8, 3, undefined]);
  });

  it('K8: a buffer that overflows is let go, and what is behind it is asked for', () => {
    let log: EventLog = STATES.attaching;
    for (let count = 0; count <= BUFFER_LIMIT; count += 1) log = stepLog(log, packet(5)).log;
    assert.deepEqual(stepLog(log, answered(catchUp(6, [6]))).action, { kind: 'attach', afterSeq: 6 });
  });

  it('K7: what stays wrong is asked for with growing pauses, at most 5 s, and meanwhile the rest goes on', () => {
    let log: EventLog = STATES.following;
    const pauses: number[] = [];
    for (let round = 0; round < 8; round += 1) {
      const broken = stepLog(log, { kind: 'packet', packet: bad, jitter: 1 });
      if (broken.action?.kind === 'wait') pauses.push(broken.action.delayMs);
      const again = broken.action?.kind === 'wait' ? stepLog(broken.log, { kind: 'time_is_up' }) : broken;
      log = stepLog(again.log, answered(catchUp(5, []))).log;
    }
    assert.deepEqual(pauses, [500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
    assert.equal(stepLog(log, packet(6)).log.mends, 0);
  });

  it('K12: after a fault of the server the next attach takes a snapshot', () => {
    const { log } = stepLog(STATES.attaching, INPUTS.brokenServer);
    assert.deepEqual(stepLog(log, { kind: 'time_is_up' }).action, { kind: 'attach' });
  });
});
