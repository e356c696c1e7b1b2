import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isFinalCallState, textResult } from '@tendon/protocol';
import fc from 'fast-check';
import type { Focus, Input, RequestedCall, Verdict } from './input.ts';
import { brokenInvariants } from './invariants.ts';
import { owed } from './owed.ts';
import { NEW_SESSION_TITLE, type SessionState, type StoredCall, type StoredMessage, statusOf } from './state.ts';
import { transition } from './transition.ts';

const AT = '2026-11-22T12:00:00.000Z';
const INSTANCES = ['i1', 'i2'];

/** What a random run draws from: small numbers that pick among what exists. */
interface Step {
  readonly kind: number;
  readonly pick: number;
  readonly flag: boolean;
}

const stepArbitrary = fc.record({ kind: fc.nat(16), pick: fc.nat(7), flag: fc.boolean() });

class World {
  state: SessionState = {
    id: 's',
    ownerId: 'u',
    title: NEW_SESSION_TITLE,
    model: 'm',
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
  readonly calls = new Map<string, StoredCall>();
  readonly messages = new Map<string, StoredMessage>();
  readonly turns: string[] = [];
  #ids = 0;

  id(): string {
    this.#ids += 1;
    return `id${this.#ids}`;
  }

  input({ kind, pick, flag }: Step): Input {
    const callId = [...this.calls.keys()].at(-1 - (pick % 4)) ?? 'none';
    const instanceId = INSTANCES[flag ? 0 : pick % 2] ?? 'i1';
    const messageId = flag ? (this.turns.at(-1) ?? 'none') : (this.turns.at(-2) ?? 'none');
    const inputs: Input[] = [
      { type: 'execute', messageId: this.id(), text: 'x', attachments: [], mode: flag ? 'queue' : 'interrupt', partial: [{ type: 'text', text: 'p' }] },
      { type: 'stop', partial: flag ? undefined : [{ type: 'text', text: 'p' }] },
      { type: 'continue' },
      { type: 'cancel_message', messageId: [...this.messages.keys()].at(-1 - pick) ?? 'none' },
      {
        type: 'decide',
        callId,
        inputHash: pick === 7 ? 'wrong' : 'h',
        decision: flag ? 'approve' : 'deny',
        scope: 'once',
        by: 'u',
        subject: 'x',
        instanceId: pick > 4 ? instanceId : undefined,
      },
      { type: 'answer', callId, result: textResult('succeeded', String(pick)), by: 'u' },
      { type: 'update', title: `t${pick}` },
      {
        type: 'turn_completed',
        messageId,
        parts: [{ type: 'text', text: 'a' }],
        calls: this.requests(flag ? pick % 4 : 0),
        model: 'm',
        usage: { inputTokens: 1, outputTokens: 1 },
      },
      { type: 'turn_failed', messageId, parts: [], error: { code: 'x', message: 'x' }, retryable: flag, model: 'm' },
      { type: 'turn_lost' },
      { type: 'dispatch', callId, instanceId },
      { type: 'call_started', callId, instanceId },
      { type: 'call_finished', callId, instanceId, result: textResult(flag ? 'succeeded' : 'cancelled', 'r') },
      { type: 'remote_finished', callId, result: textResult('succeeded', 'r') },
      { type: 'call_lost', callId, instanceId, reason: 'gone' },
      { type: 'resolve', callId, outcome: (['done', 'failed', 'again'] as const)[pick % 3] ?? 'done', by: 'u' },
      { type: 'call_expired', callId },
      { type: 'undo', calls: [{ id: this.id(), gatewayId: 'g', workspace: '/w', input: { calls: [], files: [], others: [] }, inputHash: `undo ${pick % 2}` }] },
    ];
    return inputs[kind] ?? { type: 'continue' };
  }

  requests(count: number): RequestedCall[] {
    const verdicts: Verdict[] = [
      { kind: 'ask' },
      { kind: 'allow', rule: 'r' },
      { kind: 'deny', reason: 'no' },
      { kind: 'invalid', error: { code: 'x', message: 'x' } },
    ];
    const kinds = ['local', 'local', 'remote', 'pause'] as const;
    return Array.from({ length: count }, (_, index) => ({
      id: this.id(),
      tool: 't',
      kind: kinds[(this.#ids + index) % 4] ?? 'local',
      effect: index % 2 === 0 ? ('execute' as const) : ('read' as const),
      input: {},
      inputHash: 'h',
      gatewayId: 'g',
      workspace: '/w',
      verdict: verdicts[(this.#ids * 3 + index) % 4] ?? { kind: 'ask' },
    }));
  }

  apply(step: Step): void {
    const input = this.input(step);
    const focus: Focus = {
      call: 'callId' in input ? this.calls.get(input.callId) : undefined,
      message: 'messageId' in input ? this.messages.get(input.messageId) : undefined,
    };
    const outcome = transition(this.state, input, {
      stamp: { at: new Date(Date.parse(AT) + this.#ids * 60_000).toISOString(), epoch: step.pick % 2, turnId: this.id(), ruleId: this.id(), callId: this.id() },
      focus,
    });
    if (!outcome.ok) return;
    assert.deepEqual(brokenInvariants(this.state, outcome.change), []);
    for (const stored of outcome.change.calls) {
      const before = this.calls.get(stored.call.id)?.call.state;
      assert.ok(before === undefined || before === stored.call.state || !isFinalCallState(before), `I2: ${before} became ${stored.call.state}`);
      this.calls.set(stored.call.id, stored);
    }
    for (const stored of outcome.change.messages) this.messages.set(stored.message.id, stored);
    for (const messageId of outcome.change.removedMessageIds) this.messages.delete(messageId);
    this.state = outcome.change.state;
    if (this.state.turn && this.turns.at(-1) !== this.state.turn.messageId) this.turns.push(this.state.turn.messageId);
    this.checkWork();
  }

  /** Whoever is not waited for has work owed: nothing can get stuck (I18). */
  checkWork(): void {
    const status = statusOf(this.state);
    if (status === 'running' || status === 'waiting_for_tools') assert.ok(owed(this.state).length > 0 || this.runsSomewhere(), `nothing is owed in ${status}`);
    if (status === 'idle') assert.deepEqual(owed(this.state), []);
  }

  runsSomewhere(): boolean {
    return this.state.calls.some((stored) => stored.call.state === 'running' && stored.dispatch !== undefined);
  }
}

test('S15: random histories keep the invariants and never leave a session without work or a way on', () => {
  fc.assert(
    fc.property(fc.array(stepArbitrary, { minLength: 20, maxLength: 120 }), (steps) => {
      const world = new World();
      for (const step of steps) world.apply(step);
    }),
    { numRuns: 3_000 },
  );
});
