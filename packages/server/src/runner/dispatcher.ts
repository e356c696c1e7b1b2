import type { Log } from '@tendon/protocol';
import { failedResult, type Grant, type ToolResult, textResult } from '@tendon/protocol';
import { type Effect, type Input, OFFLINE_DEADLINE_MS, type SessionState, type StoredCall } from '../kernel/index.ts';
import type { Machines, OnlineMachine } from './machines.ts';
import type { OutputTails } from './output-tails.ts';
import type { SessionActor } from './session-actor.ts';
import { timeoutOf } from './time-limit.ts';

/** A server that was away itself, or whose clock was set, gives machines time to come back with what they have done. */
const RETURN_GRACE_MS = 2 * 60_000;
/** A machine answers a dispatch at once, before it runs anything. One that does not is hung: it is cut and reconciled when it is back. */
const ANSWER_TIMEOUT_MS = 10_000;
/** A stop does not wait longer than this for a machine that is away: the call is then unknown, and says so. */
const STOP_DEADLINE_MS = 15_000;

export type GatewayEffect = Extract<Effect, { gatewayId: string }>;

export interface DispatcherOptions {
  readonly machines: Machines;
  readonly tails: OutputTails;
  readonly log: Log;
  readonly now: () => Date;
  /** Runs `work` after `ms`, unless the runner closes before. */
  readonly later: (ms: number, work: () => void) => void;
  readonly actorOf: (sessionId: string) => SessionActor;
}

/** Carries calls to their machines. Everything it does may be done twice: the machine's journal and the session's rows tell repeats. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #deadlines = new Set<string>();
  /** Calls that their machine has refused, until that is stored: sent once more, they might be taken and run beside their refusal. */
  readonly #refused = new Set<string>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Called with the actor's turn held: what it starts here commits later, through the actor. */
  carryOut(actor: SessionActor, state: SessionState, effect: GatewayEffect): void {
    const stored = state.calls.find((candidate) => candidate.call.id === effect.callId);
    if (!stored) return;
    const machine = this.#options.machines.online(effect.gatewayId);
    if (machine && stored.dispatch && stored.dispatch.instanceId !== machine.stored.instanceId)
      void this.#lose(machine, stored.call, stored.dispatch.instanceId);
    else if (effect.type === 'cancel') {
      if (machine) this.#cancel(machine, stored);
      else this.#awaitDeadline(stored);
    } else if (!machine) this.#awaitExpiry(actor, stored);
    else if (effect.type === 'dispatch') void this.#dispatch(actor, machine, stored);
    else void this.#send(machine, stored);
  }

  /** Handed over to an instance that is no more, while the machine's new one was saying hello; or to a newer one at another node. */
  async #lose(machine: OnlineMachine, call: StoredCall['call'], instanceId: string): Promise<void> {
    const input: Input = { type: 'call_lost', callId: call.id, instanceId, reason: LOST_JOURNAL };
    try {
      if (await this.#options.machines.isLast(machine)) await this.#options.actorOf(call.sessionId).commitSurely(input, { focus: { callId: call.id } });
    } catch (error) {
      this.#options.log.warn({ err: error, callId: call.id }, 'whether a call is lost could not be looked up; the next look at its session tries again');
      machine.connection.disconnect();
    }
  }

  async #dispatch(actor: SessionActor, machine: OnlineMachine, stored: StoredCall): Promise<void> {
    const input: Input = { type: 'dispatch', callId: stored.call.id, instanceId: machine.stored.instanceId };
    const outcome = await actor.commitSurely(input, { focus: { callId: stored.call.id } });
    // A node that holds an older connection of the machine was quicker. It cannot send, and handing over makes no event that would be heard of here.
    if (outcome && !outcome.ok) void this.#options.actorOf(actor.sessionId).poke();
  }

  async #send(machine: OnlineMachine, stored: StoredCall): Promise<void> {
    const { call, dispatch } = stored;
    if (machine.sent.has(call.id) || this.#refused.has(call.id) || !dispatch || call.workspace === undefined) return;
    machine.sent.add(call.id);
    this.#options.tails.open(call.id, call.sessionId);
    const command = {
      callId: call.id,
      sessionId: call.sessionId,
      workspace: call.workspace,
      tool: call.tool,
      input: call.input,
      inputHash: call.inputHash,
      timeoutMs: timeoutOf(call.input),
      grant: grantOf(stored, this.#options.now()),
    };
    try {
      const answer = await machine.connection.call(command, ANSWER_TIMEOUT_MS);
      if (answer.accepted) return;
      const input: Input = { type: 'call_finished', callId: call.id, instanceId: dispatch.instanceId, result: refusedBy(answer.error) };
      this.#refused.add(call.id);
      // Its answer took its time: somebody else may be the session's actor by now.
      await this.#options.actorOf(call.sessionId).commitSurely(input, { focus: { callId: call.id } });
      this.#refused.delete(call.id);
    } catch (error) {
      this.#options.log.warn({ err: error, callId: call.id, gatewayId: call.gatewayId }, 'a machine did not answer a dispatch');
      machine.connection.disconnect();
    }
  }

  #cancel(machine: OnlineMachine, stored: StoredCall): void {
    const { call } = stored;
    if (machine.cancelled.has(call.id)) return;
    machine.cancelled.add(call.id);
    machine.connection.cancel(call.id, ANSWER_TIMEOUT_MS).catch((error: unknown) => {
      this.#options.log.warn({ err: error, callId: call.id }, 'a machine did not answer a cancellation');
      machine.connection.disconnect();
    });
  }

  /** The machine is away: the call waits for it, but not for ever. */
  #awaitExpiry(actor: SessionActor, { call }: StoredCall): void {
    const key = `expiry ${call.id}`;
    if (this.#deadlines.has(key)) return;
    this.#deadlines.add(key);
    const since = Date.parse(call.decision?.at ?? call.createdAt);
    const waitMs = since + OFFLINE_DEADLINE_MS - this.#options.now().getTime();
    this.#options.later(Math.min(Math.max(RETURN_GRACE_MS, waitMs), OFFLINE_DEADLINE_MS), () => {
      this.#deadlines.delete(key);
      const current = this.#options.actorOf(actor.sessionId);
      if (this.#isReachable(call.gatewayId)) return void current.poke();
      void current.commitSurely({ type: 'call_expired', callId: call.id }, { focus: { callId: call.id } });
    });
  }

  /** The machine is away: it may come back and report in time, else no one can say what became of the call. */
  #awaitDeadline({ call, cancelRequestedAt, dispatch }: StoredCall): void {
    if (cancelRequestedAt === undefined || !dispatch || this.#deadlines.has(call.id)) return;
    this.#deadlines.add(call.id);
    // From now on and not since the stop: clocks of nodes differ, and who has just come up has yet to hear which node holds the machine.
    this.#giveUpIn(STOP_DEADLINE_MS, call, dispatch.instanceId);
  }

  #giveUpIn(ms: number, call: StoredCall['call'], instanceId: string): void {
    this.#options.later(ms, () => {
      // Another node sees to it, as long as it holds the machine.
      if (call.gatewayId !== undefined && this.#options.machines.isElsewhere(call.gatewayId)) return this.#giveUpIn(STOP_DEADLINE_MS, call, instanceId);
      this.#deadlines.delete(call.id);
      const current = this.#options.actorOf(call.sessionId);
      if (this.#isReachable(call.gatewayId)) return void current.poke();
      const reason = 'The machine could not be reached to stop this call. It may still be running there.';
      void current.commitSurely({ type: 'call_lost', callId: call.id, instanceId, reason }, { focus: { callId: call.id } });
    });
  }

  #isReachable(gatewayId: string | undefined): boolean {
    const { machines } = this.#options;
    return gatewayId !== undefined && (machines.online(gatewayId) !== undefined || machines.isElsewhere(gatewayId));
  }
}

/** A machine's words, cut to what a result may hold. */
function refusedBy({ code, message }: { readonly code: string; readonly message: string }): ToolResult {
  return failedResult(code.slice(0, 100), message.slice(0, 10_000).toWellFormed());
}

function grantOf(stored: StoredCall, now: Date): Grant {
  const decision = stored.call.decision;
  if (!decision || decision.by === 'policy')
    return { by: 'policy', ...(decision?.reason === undefined ? {} : { rule: decision.reason }), at: decision?.at ?? now.toISOString() };
  return { by: 'user', decidedBy: decision.by, at: decision.at };
}

export const LOST_JOURNAL = 'The machine has come back without its journal. Whether this call ran is not known.';

/** The end of a call that was cancelled before its machine had begun it. */
export const NEVER_STARTED: ToolResult = textResult('cancelled', 'Stopped before it had started.');
