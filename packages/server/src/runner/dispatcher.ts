import { failedResult, type Grant, textResult, type ToolResult } from '@tendon/protocol';
import type { Logger } from 'pino';
import type { Effect, Input, SessionState, StoredCall } from '../kernel/index.ts';
import type { Machines, OnlineMachine } from './machines.ts';
import type { OutputTails } from './output-tails.ts';
import type { SessionActor } from './session-actor.ts';

/** A machine answers a dispatch at once, before it runs anything. One that does not is hung: it is cut and reconciled when it is back. */
const ANSWER_TIMEOUT_MS = 10_000;
/** A stop does not wait longer than this for a machine that is away: the call is then unknown, and says so. */
const STOP_DEADLINE_MS = 15_000;
const DEFAULT_TIMEOUT_MS = 120_000;

type GatewayEffect = Exclude<Effect, { type: 'run_turn' | 'run_remote' }>;

export interface DispatcherOptions {
  readonly machines: Machines;
  readonly tails: OutputTails;
  readonly log: Logger;
  readonly now: () => Date;
  /** Runs `work` after `ms`, unless the runner closes before. */
  readonly later: (ms: number, work: () => void) => void;
  readonly actorOf: (sessionId: string) => SessionActor;
}

/** Carries calls to their machines. Everything it does may be done twice: the machine's journal and the session's rows tell repeats. */
export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #deadlines = new Set<string>();

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Called with the actor's turn held: what it starts here commits later, through the actor. */
  carryOut(actor: SessionActor, state: SessionState, effect: GatewayEffect): void {
    const stored = state.calls.find((candidate) => candidate.call.id === effect.callId);
    if (!stored) return;
    const machine = this.#options.machines.online(effect.gatewayId);
    if (effect.type === 'cancel') {
      if (machine) this.#cancel(machine, stored);
      else this.#awaitDeadline(actor, stored);
    } else if (machine && effect.type === 'dispatch') this.#dispatch(actor, machine, stored);
    else if (machine && stored.dispatch?.instanceId === machine.stored.instanceId) void this.#send(actor, machine, stored);
  }

  #dispatch(actor: SessionActor, machine: OnlineMachine, stored: StoredCall): void {
    const input: Input = { type: 'dispatch', callId: stored.call.id, instanceId: machine.stored.instanceId };
    void actor.commitSurely(input, { focus: { callId: stored.call.id } });
  }

  async #send(actor: SessionActor, machine: OnlineMachine, stored: StoredCall): Promise<void> {
    const { call, dispatch } = stored;
    if (machine.sent.has(call.id) || !dispatch || call.workspace === undefined) return;
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
      await this.#finish(actor, stored, dispatch.instanceId, failedResult(answer.error.code, answer.error.message));
    } catch (error) {
      this.#options.log.warn({ err: error, callId: call.id, gatewayId: call.gatewayId }, 'a machine did not answer a dispatch');
      machine.connection.disconnect();
    }
  }

  async #finish(actor: SessionActor, stored: StoredCall, instanceId: string, result: ToolResult): Promise<void> {
    const callId = stored.call.id;
    this.#options.tails.close(callId);
    await actor.commitSurely({ type: 'call_finished', callId, instanceId, result }, { focus: { callId } });
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

  /** The machine is away: it may come back and report in time, else no one can say what became of the call. */
  #awaitDeadline(actor: SessionActor, stored: StoredCall): void {
    const { call, cancelRequestedAt, dispatch } = stored;
    if (cancelRequestedAt === undefined || !dispatch || this.#deadlines.has(call.id)) return;
    this.#deadlines.add(call.id);
    const waitMs = Math.max(0, Date.parse(cancelRequestedAt) + STOP_DEADLINE_MS - this.#options.now().getTime());
    this.#options.later(waitMs, () => {
      this.#deadlines.delete(call.id);
      const machine = call.gatewayId === undefined ? undefined : this.#options.machines.online(call.gatewayId);
      const current = this.#options.actorOf(actor.sessionId);
      if (machine) return void current.poke();
      const reason = 'The machine could not be reached to stop this call. It may still be running there.';
      void current.commitSurely({ type: 'call_lost', callId: call.id, instanceId: dispatch.instanceId, reason }, { focus: { callId: call.id } });
    });
  }
}

function timeoutOf(input: unknown): number {
  const asked = typeof input === 'object' && input !== null && 'timeoutMs' in input ? input.timeoutMs : undefined;
  return typeof asked === 'number' ? asked : DEFAULT_TIMEOUT_MS;
}

function grantOf(stored: StoredCall, now: Date): Grant {
  const decision = stored.call.decision;
  if (!decision || decision.by === 'policy') return { by: 'policy', ...(decision?.reason === undefined ? {} : { rule: decision.reason }), at: decision?.at ?? now.toISOString() };
  return { by: 'user', decidedBy: decision.by, at: decision.at };
}

/** The end of a call that was cancelled before its machine had begun it. */
export const NEVER_STARTED: ToolResult = textResult('cancelled', 'Stopped before it had started.');
