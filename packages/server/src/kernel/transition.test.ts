import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, ToolResult } from '@tendon/protocol';
import { textResult } from '@tendon/protocol';
import type { Change, Outcome } from './change.ts';
import type { Focus, Input, RequestedCall, Stamp } from './input.ts';
import { brokenInvariants } from './invariants.ts';
import { owed } from './owed.ts';
import { decideCall } from './policy.ts';
import { isStopping, NEW_SESSION_TITLE, publicSession, type SessionState, statusOf } from './state.ts';
import { transition } from './transition.ts';
import { MAX_STEPS } from './turn-flow.ts';

let counter = 0;
/** A fresh UUID-shaped id; the machine only compares them. */
function id(): string {
  counter += 1;
  return `00000000-0000-7000-8000-${counter.toString(16).padStart(12, '0')}`;
}

const AT = '2026-11-22T12:00:00.000Z';
const SESSION = id();
const INSTANCE = id();
const GATEWAY = id();

function stamp(epoch = 1, at = AT): Stamp {
  return { at, epoch, turnId: id(), ruleId: id(), callId: id() };
}

const IDLE: SessionState = {
  id: SESSION,
  ownerId: 'user',
  title: NEW_SESSION_TITLE,
  model: 'demo/tendon',
  archived: false,
  createdAt: AT,
  updatedAt: AT,
  seq: 1,
  stopGeneration: 0,
  held: false,
  steps: 0,
  usage: { inputTokens: 0, outputTokens: 0 },
  calls: [],
  queue: [],
};

/** A session under test: applies inputs, checks the invariants after each, remembers everything that was written. */
class Subject {
  state: SessionState;
  last: Change | undefined;
  readonly written = new Map<string, Focus['call']>();

  constructor(state: SessionState = IDLE) {
    this.state = state;
  }

  try(input: Input, options: { focus?: Focus; epoch?: number; at?: string } = {}): Outcome {
    const before = JSON.stringify(this.state);
    const callId = 'callId' in input ? input.callId : undefined;
    const focus = options.focus ?? (callId === undefined ? {} : { call: this.written.get(callId) });
    const outcome = transition(this.state, input, { stamp: stamp(options.epoch, options.at), focus });
    assert.equal(JSON.stringify(this.state), before, 'the machine must not change its argument');
    if (outcome.ok) {
      assert.deepEqual(brokenInvariants(this.state, outcome.change), []);
      this.state = outcome.change.state;
      this.last = outcome.change;
      for (const stored of outcome.change.calls) this.written.set(stored.call.id, stored);
    }
    return outcome;
  }

  do(input: Input, options: { focus?: Focus; epoch?: number; at?: string } = {}): Change {
    const outcome = this.try(input, options);
    assert.ok(outcome.ok, outcome.ok ? '' : `${outcome.error.code}: ${outcome.error.message}`);
    return outcome.change;
  }

  refuses(input: Input, code: string, options: { focus?: Focus } = {}): void {
    const outcome = this.try(input, options);
    assert.ok(!outcome.ok, 'should have been refused');
    assert.equal(outcome.error.code, code);
  }

  get status(): string {
    return statusOf(this.state);
  }

  call(callId: string): Call {
    const stored = this.written.get(callId);
    assert.ok(stored);
    return stored.call;
  }
}

function say(text: string, mode: 'queue' | 'interrupt' = 'queue'): Extract<Input, { type: 'execute' }> {
  return { type: 'execute', messageId: id(), text, attachments: [], mode };
}

function bash(verdict: RequestedCall['verdict'] = { kind: 'ask' }, over: Partial<RequestedCall> = {}): RequestedCall {
  return {
    id: id(),
    tool: 'bash',
    kind: 'local',
    effect: 'execute',
    input: { command: 'ls' },
    inputHash: 'hash',
    gatewayId: GATEWAY,
    workspace: '/w',
    verdict,
    ...over,
  };
}

function completed(subject: Subject, calls: RequestedCall[] = [], text = 'Done.'): Extract<Input, { type: 'turn_completed' }> {
  const parts = [{ type: 'text' as const, text }, ...calls.map((call) => ({ type: 'tool_call' as const, callId: call.id }))];
  return {
    type: 'turn_completed',
    messageId: subject.state.turn?.messageId ?? 'none',
    parts,
    calls,
    model: 'demo/tendon',
    usage: { inputTokens: 3, outputTokens: 2 },
  };
}

function decide(call: RequestedCall, decision: 'approve' | 'deny', over: Partial<Extract<Input, { type: 'decide' }>> = {}): Input {
  return { type: 'decide', callId: call.id, inputHash: call.inputHash, decision, scope: 'once', by: 'user', subject: 'ls', ...over };
}

function finished(call: RequestedCall, result: ToolResult = textResult('succeeded', 'ok')): Input {
  return { type: 'call_finished', callId: call.id, instanceId: INSTANCE, result };
}

/** A session with one call in the wanted place. */
function withCall(
  place: 'awaiting_approval' | 'queued' | 'dispatched' | 'running' | 'awaiting_answer',
  over: Partial<RequestedCall> = {},
): { subject: Subject; call: RequestedCall } {
  const subject = new Subject();
  const call = place === 'awaiting_answer' ? bash({ kind: 'ask' }, { kind: 'pause', tool: 'ask_user_questions', effect: 'read' }) : bash({ kind: 'ask' }, over);
  subject.do(say('go'));
  subject.do(completed(subject, [call]));
  if (place === 'awaiting_approval' || place === 'awaiting_answer') return { subject, call };
  subject.do(decide(call, 'approve'));
  if (place === 'queued') return { subject, call };
  subject.do({ type: 'dispatch', callId: call.id, instanceId: INSTANCE });
  if (place === 'running') subject.do({ type: 'call_started', callId: call.id, instanceId: INSTANCE });
  return { subject, call };
}

const types = (change: Change) => change.events.map((event) => event.type);

test('S1: the status follows from the rows at every step of a turn', () => {
  const { subject, call } = withCall('awaiting_approval');
  assert.equal(subject.status, 'waiting_for_user');
  subject.do(decide(call, 'approve'));
  assert.equal(subject.status, 'waiting_for_tools');
  subject.do({ type: 'dispatch', callId: call.id, instanceId: INSTANCE });
  subject.do(finished(call));
  assert.equal(subject.status, 'running');
  subject.do(completed(subject));
  assert.equal(subject.status, 'idle');
});

test('S2: a message to an idle session starts its turn in one commit', () => {
  const subject = new Subject();
  const change = subject.do(say('hello'));
  assert.deepEqual(types(change), ['message.created', 'session.updated']);
  assert.equal(change.messages[0]?.message.state, 'complete');
  assert.deepEqual(owed(subject.state), [{ type: 'run_turn', messageId: subject.state.turn?.messageId, epoch: 1 }]);
});

test('S2: messages sent while the agent works take their turns in order', () => {
  const subject = new Subject();
  subject.do(say('one'));
  const second = say('two');
  const third = say('three');
  assert.deepEqual(subject.do(second).messages[0]?.message.state, 'queued');
  subject.do(third);
  const released = subject.do(completed(subject));
  assert.deepEqual(types(released), ['message.completed', 'message.completed', 'session.updated']);
  assert.equal(released.messages.find((stored) => stored.message.id === second.messageId)?.message.state, 'complete');
  assert.deepEqual(
    subject.state.queue.map((queued) => queued.message.id),
    [third.messageId],
  );
  assert.equal(subject.status, 'running');
});

test('S3: a message cannot take the id of the answer that is being written', () => {
  const subject = new Subject();
  subject.do(say('hello'));
  const messageId = subject.state.turn?.messageId ?? '';
  subject.refuses({ ...say('mine'), messageId }, 'conflict');
});

test('S14: a title holds nothing that a database cannot: who hears of it live reads the same later', () => {
  const subject = new Subject();
  subject.do(say('a\0b \ud800 c'));
  assert.equal(subject.state.title, 'a\uFFFDb \uFFFD c');
  subject.do({ type: 'update', title: '\0' });
  assert.equal(subject.state.title, '\uFFFD');
});

test('S3: a repeated message gets the first answer and adds nothing', () => {
  const subject = new Subject();
  const message = say('hello');
  const first = subject.try(message);
  const stored = subject.last?.messages[0];
  const again = subject.try(message, { focus: { message: stored } });
  assert.ok(first.ok && again.ok);
  assert.deepEqual(again.answer, first.answer);
  assert.equal(again.change.events.length, 0);
  subject.refuses({ ...message, text: 'other' }, 'conflict', { focus: { message: stored } });
});

test('S4: an interrupting message starts at once when nothing has to be waited for', () => {
  const subject = new Subject();
  subject.do(say('one'));
  subject.do(say('waiting'));
  const change = subject.do({ ...say('no, this', 'interrupt'), partial: [{ type: 'text', text: 'half' }] });
  assert.deepEqual(types(change), ['message.completed', 'message.created']);
  assert.equal(change.messages[0]?.message.state, 'interrupted');
  assert.equal(subject.status, 'running');
  assert.equal(subject.state.queue.length, 1);
  subject.do(completed(subject));
  assert.equal(subject.status, 'running', 'the queue goes on after it');
});

test('S4: an interrupting message waits for what still runs, before the queue', () => {
  const { subject, call } = withCall('running');
  subject.do(say('waiting'));
  const urgent = say('urgent', 'interrupt');
  subject.do(urgent);
  assert.equal(subject.state.queue[0]?.message.id, urgent.messageId);
  assert.ok(isStopping(subject.state));
  subject.do(finished(call, textResult('cancelled', 'stopped')));
  assert.equal(subject.status, 'running');
  assert.deepEqual(subject.state.queue.length, 1);
});

test('S5: a stop keeps what had streamed and cancels what has not started', () => {
  const subject = new Subject();
  subject.do(say('go'));
  const change = subject.do({
    type: 'stop',
    partial: [
      { type: 'text', text: 'I was' },
      { type: 'text', text: '' },
    ],
  });
  assert.deepEqual(change.messages[0]?.message.parts, [{ type: 'text', text: 'I was' }]);
  assert.equal(subject.status, 'idle');
  for (const place of ['awaiting_approval', 'awaiting_answer', 'queued'] as const) {
    const waiting = withCall(place);
    waiting.subject.do({ type: 'stop' });
    assert.equal(waiting.subject.call(waiting.call.id).state, 'cancelled', place);
    assert.equal(waiting.subject.status, 'idle');
  }
});

test('S5: the session is stopping until the machine has reported', () => {
  for (const place of ['dispatched', 'running'] as const) {
    const { subject, call } = withCall(place);
    const outcome = subject.try({ type: 'stop' });
    assert.ok(outcome.ok);
    assert.deepEqual(outcome.answer, { type: 'stopped', stopped: false });
    assert.equal(publicSession(subject.state).stopping, true);
    assert.deepEqual(owed(subject.state), [{ type: 'cancel', callId: call.id, gatewayId: GATEWAY }]);
    subject.do(finished(call, textResult('cancelled', 'killed')));
    assert.equal(publicSession(subject.state).stopping, undefined);
    assert.equal(subject.status, 'idle');
    assert.deepEqual(owed(subject.state), []);
  }
});

test('S6: a stop holds the queue until the person goes on', () => {
  const subject = new Subject();
  subject.do(say('one'));
  subject.do(say('two'));
  subject.do({ type: 'stop' });
  assert.equal(subject.status, 'idle');
  assert.equal(publicSession(subject.state).held, true);
  subject.do({ type: 'continue' });
  assert.equal(subject.status, 'running');
  assert.equal(subject.state.queue.length, 0);
});

test('S7: a stop that races a result keeps the first', () => {
  const { subject, call } = withCall('running');
  subject.do(finished(call));
  subject.do({ type: 'stop' });
  assert.equal(subject.call(call.id).state, 'succeeded');
  const late = withCall('running');
  late.subject.do({ type: 'stop' });
  late.subject.do(finished(late.call));
  assert.equal(late.subject.call(late.call.id).state, 'succeeded', 'it had ended before the stop reached it');
  assert.equal(late.subject.status, 'idle');
});

test('S8: events of one input are numbered on and end with the session as it is now', () => {
  const subject = new Subject();
  subject.do(say('go'));
  const before = subject.state.seq;
  const change = subject.do(completed(subject, [bash(), bash({ kind: 'allow', rule: 'r' })]));
  assert.deepEqual(
    change.events.map((event) => event.seq),
    [1, 2, 3, 4].map((step) => before + step),
  );
  assert.deepEqual(types(change), ['message.completed', 'call.requested', 'call.requested', 'session.updated']);
  const last = change.events.at(-1);
  assert.ok(last?.type === 'session.updated');
  assert.equal(last.data.session.seq, last.seq);
  assert.deepEqual(last.data.session.waiting, { approvals: 1, answers: 0 });
});

test('S9: reports about a turn that is over are dropped', () => {
  const subject = new Subject();
  subject.do(say('go'));
  const late = completed(subject);
  subject.do({ type: 'stop' });
  subject.refuses(late, 'conflict');
  subject.refuses({ type: 'turn_failed', messageId: late.messageId, parts: [], error: { code: 'x', message: 'x' }, retryable: true, model: 'm' }, 'conflict');
});

test('S10: a lost turn starts again under the new owner and keeps its text', () => {
  const subject = new Subject();
  subject.do(say('go'));
  subject.refuses({ type: 'turn_lost' }, 'conflict');
  const turn = subject.state.turn;
  assert.ok(turn);
  subject.state = { ...subject.state, turn: { ...turn, partial: [{ type: 'text', text: 'so far' }] } };
  const change = subject.do({ type: 'turn_lost' }, { epoch: 2 });
  assert.equal(change.messages[0]?.message.state, 'interrupted');
  assert.equal(subject.state.turn?.epoch, 2);
  assert.notEqual(subject.state.turn?.messageId, turn.messageId);
});

test('S11: a failed turn leaves an idle session that can be tried again', () => {
  const subject = new Subject();
  subject.do(say('go'));
  subject.do(say('next'));
  const error = { code: 'model_unavailable', message: 'down' };
  const failed = {
    type: 'turn_failed',
    messageId: subject.state.turn?.messageId ?? '',
    parts: [{ type: 'text', text: 'half' }],
    error,
    retryable: true,
    model: 'm',
  } as const;
  assert.deepEqual(types(subject.do(failed)), ['message.completed', 'turn.failed', 'session.updated']);
  assert.equal(subject.status, 'idle');
  assert.deepEqual(publicSession(subject.state).lastError, error);
  assert.equal(subject.state.held, true);
  subject.do({ type: 'continue' });
  assert.equal(subject.status, 'running');
  assert.equal(publicSession(subject.state).lastError, undefined);
  subject.refuses({ type: 'continue' }, 'conflict');
});

test('S12: a queued message can be removed until its turn comes', () => {
  const subject = new Subject();
  const first = say('one');
  subject.do(first);
  const stored = subject.last?.messages[0];
  const second = say('two');
  subject.do(second);
  assert.deepEqual(types(subject.do({ type: 'cancel_message', messageId: second.messageId })), ['message.removed']);
  assert.equal(subject.state.queue.length, 0);
  subject.refuses({ type: 'cancel_message', messageId: first.messageId }, 'conflict', { focus: { message: stored } });
  subject.refuses({ type: 'cancel_message', messageId: id() }, 'not_found');
});

test('S12: a removed message that is sent again gets its first answer and does not come back; its id is not free for another one', () => {
  const subject = new Subject();
  subject.do(say('one'));
  const second = say('two');
  const first = subject.try(second);
  const removed = subject.last?.messages[0];
  subject.do({ type: 'cancel_message', messageId: second.messageId });
  const again = subject.try(second, { focus: { removed } });
  assert.ok(first.ok && again.ok);
  assert.deepEqual(again.answer, first.answer);
  assert.deepEqual([again.change.events, subject.state.queue], [[], []]);
  subject.refuses({ ...second, text: 'other' }, 'conflict', { focus: { removed } });
});

test('S13: the queue is bounded, and so are the steps of an agent left alone', () => {
  const subject = new Subject();
  subject.do(say('go'));
  for (let count = 0; count < 100; count += 1) subject.do(say('more'));
  subject.refuses(say('too much'), 'conflict');
  const runaway = new Subject();
  runaway.do(say('go'));
  for (let step = 0; runaway.state.turn; step += 1) {
    assert.ok(step <= MAX_STEPS);
    runaway.do(completed(runaway, [bash({ kind: 'invalid', error: { code: 'unknown_tool', message: 'no' } })]));
  }
  assert.equal(publicSession(runaway.state).lastError?.code, 'too_many_steps');
});

test('S14: the first message names a session without a title, and only then', () => {
  const subject = new Subject();
  subject.do(say(`  ${'🦀'.repeat(90)}\nmore`));
  assert.equal(subject.state.title, `${'🦀'.repeat(79)}…`);
  subject.do(say('another'));
  assert.equal(subject.state.title, `${'🦀'.repeat(79)}…`);
});

test('C1: a call is not owed to be sent before its dispatch is committed', () => {
  const { subject, call } = withCall('queued');
  assert.deepEqual(owed(subject.state), [{ type: 'dispatch', callId: call.id, gatewayId: GATEWAY }]);
  subject.do({ type: 'dispatch', callId: call.id, instanceId: INSTANCE });
  assert.deepEqual(owed(subject.state), [{ type: 'send', callId: call.id, gatewayId: GATEWAY }]);
  subject.refuses({ type: 'dispatch', callId: call.id, instanceId: id() }, 'conflict');
  const direct = withCall('awaiting_approval');
  direct.subject.do(decide(direct.call, 'approve', { instanceId: INSTANCE }));
  assert.equal(owed(direct.subject.state)[0]?.type, 'send', 'an approval with the machine there is its dispatch too');
});

test('C2: an invalid call is recorded as failed and the model gets its turn', () => {
  const subject = new Subject();
  subject.do(say('go'));
  const call = bash({ kind: 'invalid', error: { code: 'unknown_tool', message: 'no such tool' } });
  subject.do(completed(subject, [call]));
  assert.equal(subject.call(call.id).state, 'failed');
  assert.equal(subject.call(call.id).result?.error?.code, 'unknown_tool');
  assert.equal(subject.status, 'running');
});

test('C5: the first decision stands, its repeat is acknowledged, its contrary refused', () => {
  const { subject, call } = withCall('awaiting_approval');
  subject.do(decide(call, 'approve'));
  const again = subject.try(decide(call, 'approve'));
  assert.ok(again.ok);
  assert.equal(again.change.events.length, 0);
  subject.refuses(decide(call, 'deny'), 'conflict');
  subject.refuses(decide(bash(), 'approve'), 'not_found');
});

test('C5: what the policy has decided is not open to a person', () => {
  const subject = new Subject();
  subject.do(say('go'));
  const call = bash({ kind: 'allow', rule: 'r' });
  subject.do(completed(subject, [call]));
  subject.refuses(decide(call, 'approve'), 'conflict');
  subject.refuses(decide(call, 'deny'), 'conflict');
});

test('C6: a result counts once and only from the instance it was given to', () => {
  const { subject, call } = withCall('running');
  subject.refuses({ type: 'call_finished', callId: call.id, instanceId: id(), result: textResult('succeeded', 'forged') }, 'conflict');
  subject.do(finished(call));
  const again = subject.try(finished(call, textResult('failed', 'other')));
  assert.ok(again.ok);
  assert.equal(again.change.events.length, 0);
  assert.equal(subject.call(call.id).state, 'succeeded');
});

test('C6: a result for a call that was never handed over is refused', () => {
  const { subject, call } = withCall('awaiting_approval');
  subject.refuses(finished(call), 'conflict');
  assert.equal(subject.status, 'waiting_for_user');
});

test('C8: a lost call is unknown, a lost read is sent again, a lost read of a stopped turn is over', () => {
  const lost = (call: RequestedCall): Input => ({ type: 'call_lost', callId: call.id, instanceId: INSTANCE, reason: 'the journal is gone' });
  const command = withCall('running');
  command.subject.do(lost(command.call));
  assert.equal(command.subject.call(command.call.id).state, 'unknown');
  assert.equal(command.subject.status, 'running', 'the model is told');
  const read = withCall('running', { effect: 'read' });
  read.subject.do(lost(read.call));
  assert.deepEqual(owed(read.subject.state)[0]?.type, 'dispatch');
  const stopped = withCall('running', { effect: 'read' });
  stopped.subject.do({ type: 'stop' });
  stopped.subject.do(lost(stopped.call));
  assert.equal(stopped.subject.call(stopped.call.id).state, 'cancelled');
  assert.equal(stopped.subject.status, 'idle');
});

test('C9: a decision on other arguments is a conflict', () => {
  const { subject, call } = withCall('awaiting_approval');
  subject.refuses(decide(call, 'approve', { inputHash: 'another' }), 'conflict');
});

test('C10: the model gets its turn when the last call is over, with denials told', () => {
  const subject = new Subject();
  subject.do(say('go'));
  const [first, second] = [bash(), bash()];
  subject.do(completed(subject, [first, second]));
  subject.do(decide(first, 'deny', { reason: 'not here' }));
  assert.equal(subject.status, 'waiting_for_user');
  subject.do(decide(second, 'deny'));
  assert.equal(subject.status, 'running');
  assert.equal(subject.call(first.id).decision?.reason, 'not here');
});

test('C11: a question is answered once, by a person; a tool is not', () => {
  const { subject, call } = withCall('awaiting_answer');
  const answer = (text: string): Input => ({ type: 'answer', callId: call.id, result: textResult('succeeded', text), by: 'user' });
  subject.refuses(finished(call), 'conflict');
  subject.do(answer('blue'));
  assert.equal(subject.status, 'running');
  assert.ok(subject.try(answer('blue')).ok);
  subject.refuses(answer('red'), 'conflict');
  const tool = withCall('running');
  tool.subject.refuses({ type: 'answer', callId: tool.call.id, result: textResult('succeeded', 'fake'), by: 'user' }, 'conflict');
});

test('C4: approving for longer stores exactly what was shown', () => {
  const { subject, call } = withCall('awaiting_approval');
  const change = subject.do(decide(call, 'approve', { scope: 'session', subject: 'npm test' }));
  assert.deepEqual(
    change.rules.map(({ tool, subject: match, sessionId, workspace }) => ({ tool, match, sessionId, workspace })),
    [{ tool: 'bash', match: 'npm test', sessionId: SESSION, workspace: '/w' }],
  );
  const always = withCall('awaiting_approval');
  assert.equal(always.subject.do(decide(always.call, 'approve', { scope: 'always' })).rules[0]?.sessionId, undefined);
});

/** An approved command that waits for its machine. */
function queuedCall(effect: RequestedCall['effect'] = 'execute'): { subject: Subject; call: RequestedCall } {
  const subject = new Subject();
  const call = bash({ kind: 'ask' }, { effect });
  subject.do(say('go'));
  subject.do(completed(subject, [call]));
  subject.do(decide(call, 'approve'));
  return { subject, call };
}

/** A command whose machine died while it ran. */
function unknownCall(): { subject: Subject; call: RequestedCall } {
  const { subject, call } = queuedCall();
  subject.do({ type: 'dispatch', callId: call.id, instanceId: INSTANCE });
  subject.do({ type: 'call_lost', callId: call.id, instanceId: INSTANCE, reason: 'gone' });
  subject.do(completed(subject));
  assert.equal(subject.call(call.id).state, 'unknown');
  return { subject, call };
}

const after = (minutes: number): string => new Date(Date.parse(AT) + minutes * 60_000).toISOString();

test('C13: what was approved more than ten minutes ago is asked for again, unless it only reads', () => {
  const soon = queuedCall();
  soon.subject.do({ type: 'dispatch', callId: soon.call.id, instanceId: INSTANCE }, { at: after(10) });
  assert.ok(soon.subject.state.calls[0]?.dispatch);

  const { subject, call } = queuedCall();
  const change = subject.do({ type: 'dispatch', callId: call.id, instanceId: INSTANCE }, { at: after(11) });
  assert.deepEqual([subject.call(call.id).state, subject.call(call.id).decision?.lapsed, subject.status], ['awaiting_approval', true, 'waiting_for_user']);
  assert.ok(change.events.some((event) => event.type === 'call.updated'));
  assert.equal(subject.state.calls[0]?.dispatch, undefined);
  subject.do(decide(call, 'approve'), { at: after(12) });
  assert.equal(subject.call(call.id).decision?.lapsed, undefined);
  subject.do({ type: 'dispatch', callId: call.id, instanceId: INSTANCE }, { at: after(13) });
  assert.ok(subject.state.calls[0]?.dispatch);

  const read = queuedCall('read');
  read.subject.do({ type: 'dispatch', callId: read.call.id, instanceId: INSTANCE }, { at: after(60) });
  assert.ok(read.subject.state.calls[0]?.dispatch);
});

test('C14: a call whose machine stays away ends, and says what is known of it', () => {
  const { subject, call } = queuedCall();
  subject.do({ type: 'call_expired', callId: call.id });
  assert.equal(subject.call(call.id).state, 'cancelled');
  assert.equal(subject.status, 'running');

  const given = queuedCall();
  given.subject.do({ type: 'dispatch', callId: given.call.id, instanceId: INSTANCE });
  given.subject.do({ type: 'call_expired', callId: given.call.id });
  assert.equal(given.subject.call(given.call.id).state, 'unknown');
  const seq = given.subject.state.seq;
  given.subject.do({ type: 'call_expired', callId: given.call.id });
  assert.equal(given.subject.state.seq, seq);
});

test('C15: an unknown outcome is settled once; its state stays', () => {
  const { subject, call } = unknownCall();
  const change = subject.do({ type: 'resolve', callId: call.id, outcome: 'done', note: 'it is there', by: 'user', via: 'web' });
  assert.deepEqual(subject.call(call.id).resolution, { outcome: 'done', by: 'user', via: 'web', note: 'it is there', at: AT });
  assert.equal(subject.call(call.id).state, 'unknown');
  assert.deepEqual(
    change.events.map((event) => event.type),
    ['call.updated'],
  );
  const seq = subject.state.seq;
  subject.do({ type: 'resolve', callId: call.id, outcome: 'done', by: 'user' });
  assert.equal(subject.state.seq, seq);
  subject.refuses({ type: 'resolve', callId: call.id, outcome: 'failed', by: 'user' }, 'conflict');
});

test('C15: run again is a new call that waits for approval, in a message of its own, and gives the turn back when it is over', () => {
  const { subject, call } = unknownCall();
  const again: Input = { type: 'resolve', callId: call.id, outcome: 'again', by: 'user' };
  const outcome = subject.try(again);
  assert.ok(outcome.ok && outcome.answer.type === 'call');
  const newCallId = outcome.answer.newCallId ?? '';
  const fresh = subject.call(newCallId);
  assert.deepEqual([fresh.state, fresh.inputHash, fresh.decision], ['awaiting_approval', call.inputHash, undefined]);
  assert.equal(subject.call(call.id).resolution?.newCallId, newCallId);
  assert.deepEqual(subject.last?.messages[0]?.message.parts, [{ type: 'tool_call', callId: newCallId }]);
  const repeated = subject.try(again);
  assert.ok(repeated.ok && repeated.answer.type === 'call' && repeated.answer.newCallId === newCallId);
  subject.do(decide({ ...call, id: newCallId }, 'approve', { instanceId: INSTANCE }));
  subject.do(finished({ ...call, id: newCallId }));
  assert.equal(subject.status, 'running');
});

test('C15: while the agent works nothing is run again, and what is known needs no word', () => {
  const { subject, call } = unknownCall();
  subject.do(say('more'));
  subject.refuses({ type: 'resolve', callId: call.id, outcome: 'again', by: 'user' }, 'conflict');
  const other = queuedCall();
  other.subject.refuses({ type: 'resolve', callId: other.call.id, outcome: 'done', by: 'user' }, 'conflict');
});

function undoOf(inputHash = 'undo', gatewayId = GATEWAY): Extract<Input, { type: 'undo' }>['calls'][number] {
  return { id: id(), gatewayId, workspace: '/w', input: { calls: [id()], files: ['a'], others: [] }, inputHash };
}

/** A session at rest in which the file changes of a turn are to be undone. */
function withUndo(): { subject: Subject; call: RequestedCall } {
  const { subject, call } = withCall('running');
  subject.do(finished(call));
  subject.do(completed(subject));
  const wanted = undoOf();
  subject.do({ type: 'undo', calls: [wanted] });
  return { subject, call: bash({ kind: 'ask' }, { id: wanted.id, tool: 'undo_changes', inputHash: wanted.inputHash }) };
}

test('C18: an undo waits for its approval in a message of its own, and gives the turn to nobody when it is over', () => {
  const { subject, call } = withUndo();
  assert.equal(subject.status, 'waiting_for_user');
  assert.deepEqual([subject.call(call.id).state, subject.call(call.id).tool], ['awaiting_approval', 'undo_changes']);
  assert.deepEqual(subject.last?.messages[0]?.message.parts, [{ type: 'tool_call', callId: call.id }]);
  assert.deepEqual(types(subject.last ?? assert.fail()), ['message.completed', 'call.requested', 'session.updated']);
  subject.refuses(decide(call, 'approve', { scope: 'always' }), 'conflict');
  subject.do(decide(call, 'approve', { instanceId: INSTANCE }));
  subject.do(finished(call));
  assert.deepEqual([subject.status, owed(subject.state)], ['idle', []]);
});

test('C18: however an undo ends, no model goes on, and messages that waited take their turn', () => {
  const ends: ((subject: Subject, call: RequestedCall) => void)[] = [
    (subject, call) => subject.do(decide(call, 'deny')),
    (subject) => subject.do({ type: 'stop' }),
    (subject, call) => {
      subject.do(decide(call, 'approve', { instanceId: INSTANCE }));
      subject.do({ type: 'call_lost', callId: call.id, instanceId: INSTANCE, reason: 'gone' });
    },
    (subject, call) => {
      subject.do(decide(call, 'approve'));
      subject.do({ type: 'call_expired', callId: call.id });
    },
  ];
  for (const end of ends) {
    const { subject, call } = withUndo();
    end(subject, call);
    assert.equal(subject.status, 'idle');
  }
  const { subject, call } = withUndo();
  subject.do(say('and then'));
  assert.equal(subject.status, 'waiting_for_user');
  subject.do(decide(call, 'deny'));
  assert.equal(subject.status, 'running');
});

test('C18: asked for again while it waits it is the same; another one, or one while the agent works, is a conflict', () => {
  const { subject, call } = withUndo();
  const again = subject.try({ type: 'undo', calls: [undoOf()] });
  assert.deepEqual(again.ok && again.answer, { type: 'calls', calls: [{ callId: call.id, state: 'awaiting_approval' }] });
  assert.deepEqual(again.ok && again.change.events, []);
  subject.refuses({ type: 'undo', calls: [undoOf('another')] }, 'conflict');
  const busy = new Subject();
  busy.do(say('go'));
  busy.refuses({ type: 'undo', calls: [undoOf()] }, 'conflict');
  const waiting = withCall('awaiting_approval');
  waiting.subject.refuses({ type: 'undo', calls: [undoOf()] }, 'conflict');
});

test('C18: of two machines each gets a call of its own, and it is over when both are', () => {
  const { subject, call } = withCall('running');
  subject.do(finished(call));
  subject.do(completed(subject));
  const [one, other] = [undoOf('one'), undoOf('other', id())];
  subject.do({ type: 'undo', calls: [one, other] });
  for (const { id: callId, inputHash } of [one, other]) {
    assert.equal(subject.status, 'waiting_for_user');
    subject.do(decide(bash({ kind: 'ask' }, { id: callId, inputHash }), 'deny'));
  }
  assert.equal(subject.status, 'idle');
});

const NODE = id();

function onServer(verdict: RequestedCall['verdict'] = { kind: 'ask' }): RequestedCall {
  return bash(verdict, { tool: 'server_mcp__docs__search', kind: 'remote', gatewayId: undefined, workspace: undefined, definition: 'words' });
}

/** A session in which the model has asked for `call`, and it was allowed when that was asked for. */
function withServerCall(call: RequestedCall): Subject {
  const subject = new Subject();
  subject.do(say('search'));
  subject.do(completed(subject, [call]));
  return subject;
}

test('E25: a call of an MCP tool on the server is handed to a node before it runs, and only that node ends it', () => {
  const call = onServer();
  const subject = withServerCall(call);
  assert.deepEqual(owed(subject.state), []);
  subject.do(decide(call, 'approve', { scope: 'always', subject: '{}' }));
  assert.deepEqual(
    subject.last?.rules.map(({ definition, gatewayId }) => [definition, gatewayId]),
    [['words', undefined]],
  );
  assert.deepEqual(owed(subject.state), [{ type: 'take_server_call', callId: call.id }]);
  subject.refuses({ type: 'call_finished', callId: call.id, instanceId: NODE, result: textResult('succeeded', 'x') }, 'conflict');
  subject.do({ type: 'dispatch', callId: call.id, instanceId: NODE });
  assert.equal(subject.call(call.id).state, 'running');
  assert.deepEqual(owed(subject.state), [{ type: 'run_server_call', callId: call.id }]);
  subject.refuses({ type: 'dispatch', callId: call.id, instanceId: id() }, 'conflict');
  subject.refuses({ type: 'remote_finished', callId: call.id, result: textResult('succeeded', 'x') }, 'conflict');
  subject.refuses({ type: 'call_finished', callId: call.id, instanceId: id(), result: textResult('succeeded', 'x') }, 'conflict');
  subject.do({ type: 'call_finished', callId: call.id, instanceId: NODE, result: textResult('succeeded', 'found') });
  assert.equal(subject.status, 'running');
});

test('E25: when its node is gone the outcome is unknown, the model gets its turn, and what the node says later changes nothing', () => {
  const call = onServer({ kind: 'allow', rule: 'r' });
  const subject = withServerCall(call);
  subject.do({ type: 'dispatch', callId: call.id, instanceId: NODE });
  subject.do({ type: 'call_lost', callId: call.id, instanceId: NODE, reason: 'gone' });
  assert.equal(subject.call(call.id).state, 'unknown');
  assert.equal(subject.status, 'running');
  subject.do({ type: 'call_finished', callId: call.id, instanceId: NODE, result: textResult('succeeded', 'late') });
  assert.equal(subject.call(call.id).state, 'unknown');
});

test('E25: run again, a call keeps what its tool said of itself', () => {
  const call = onServer({ kind: 'allow', rule: 'r' });
  const subject = withServerCall(call);
  subject.do({ type: 'dispatch', callId: call.id, instanceId: NODE });
  subject.do({ type: 'stop' });
  subject.do({ type: 'call_lost', callId: call.id, instanceId: NODE, reason: 'gone' });
  subject.do({ type: 'resolve', callId: call.id, outcome: 'again', by: 'user' });
  const anew = subject.state.calls[0]?.call;
  assert.deepEqual([anew?.state, anew?.definition, anew?.kind], ['awaiting_approval', 'words', 'remote']);
});

test('E26: a stop cancels what no node has begun, and waits for the node that has', () => {
  const waits = withServerCall(onServer({ kind: 'allow', rule: 'r' }));
  waits.do({ type: 'stop' });
  assert.equal(waits.status, 'idle');
  const call = onServer({ kind: 'allow', rule: 'r' });
  const runs = withServerCall(call);
  runs.do({ type: 'dispatch', callId: call.id, instanceId: NODE });
  runs.do({ type: 'stop' });
  assert.ok(isStopping(runs.state));
  assert.deepEqual(owed(runs.state), [{ type: 'end_server_call', callId: call.id }]);
  runs.do({ type: 'call_finished', callId: call.id, instanceId: NODE, result: textResult('cancelled', 'ended') });
  assert.equal(runs.status, 'idle');
});

test('E24: a rule is about what the tool said of itself when it was made', () => {
  const rule = { id: 'r', tool: 't', subject: '{}', workspace: undefined, gatewayId: undefined, sessionId: undefined };
  const question = { sessionId: SESSION, tool: 't', effect: 'execute' as const, subject: '{}' };
  assert.equal(decideCall({ ...question, definition: 'words' }, [{ ...rule, definition: 'words' }]).kind, 'allow');
  assert.equal(decideCall({ ...question, definition: 'other words' }, [{ ...rule, definition: 'words' }]).kind, 'ask');
  assert.equal(decideCall({ ...question, definition: 'words' }, [rule]).kind, 'ask');
  assert.equal(decideCall(question, [{ ...rule, definition: 'words' }]).kind, 'ask');
});
