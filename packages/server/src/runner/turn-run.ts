import { isFinalCallState, type Live, type Message, type Part } from '@tendon/protocol';
import type { Input, RequestedCall, SessionState } from '../kernel/index.ts';
import type { Lease } from '../store/session-store.ts';
import type { RunnerContext } from './context.ts';
import { DeltaStream } from './delta-stream.ts';
import { instructionsFor } from './instructions.ts';
import { keptFolder } from './kept-folder.ts';
import type { StepOutcome, StepPart } from './model/model-port.ts';
import type { SessionActor } from './session-actor.ts';
import { type Machine, offeredTools, requestedCall } from './tool-check.ts';

/** What has streamed is stored this often, never per token: a crash loses at most so much of it. */
const SAVE_PARTIAL_MS = 1_000;

export interface TurnRunOptions {
  readonly actor: SessionActor;
  readonly context: RunnerContext;
  readonly state: SessionState;
  readonly messageId: string;
  readonly lease: Lease;
}

/**
 * One model call, from the history to the committed message. It owns nothing but its stream: what it finds out becomes
 * an input to the session, under the lease it started with.
 */
export class TurnRun {
  readonly messageId: string;
  /** Settles when the run has left nothing behind, whatever became of it. Never rejects. */
  readonly ended: Promise<void>;
  readonly #options: TurnRunOptions;
  readonly #abort = new AbortController();
  readonly #stream: DeltaStream;
  #savedVersion = 0;

  constructor(options: TurnRunOptions) {
    this.#options = options;
    this.messageId = options.messageId;
    const { context, state } = options;
    this.#stream = new DeltaStream({
      sessionId: state.id,
      messageId: options.messageId,
      newId: context.newId,
      mayEmit: () => options.actor.mayStream,
      emit: (delta) => {
        context.fanout.toSession(state.id, 'session:delta', delta);
        if (context.neighbours.isWatched(state.id)) context.neighbours.tell({ kind: 'delta', delta });
      },
    });
    this.ended = this.#run();
  }

  abort(): void {
    this.#stream.close();
    this.#abort.abort();
  }

  freeze(): void {
    this.#stream.freeze();
  }

  thaw(): void {
    this.#stream.thaw();
  }

  /** The lease is sure again: what was held back leaves. */
  goOn(): void {
    this.#stream.flush();
  }

  keptParts(): Part[] {
    return this.#stream.keptParts();
  }

  live(message: Omit<Message, 'parts'>): Live {
    return this.#stream.live(message);
  }

  /** The same for another node; undefined while nothing may leave. */
  get streaming(): Live | undefined {
    const { id: sessionId, seq, model, turn } = this.#options.state;
    if (!turn || !this.#stream.mayShow) return undefined;
    return this.live({ id: this.messageId, sessionId, seq: seq + 1, role: 'assistant', state: 'complete', model, createdAt: turn.startedAt });
  }

  async #run(): Promise<void> {
    const stopSaving = this.#saveEverySecond();
    try {
      await this.#step();
    } catch (error) {
      const { context, state } = this.#options;
      context.log.error({ err: error, sessionId: state.id }, 'a turn broke');
      await this.#commit(this.#failure({ code: 'internal', message: 'The turn broke in the server. Its log has the details; try again.' }));
    } finally {
      stopSaving();
      this.#stream.close();
    }
  }

  /** The first save comes at a random moment of the first second, so that turns which begin together do not save together for ever. */
  #saveEverySecond(): () => void {
    const save = () => {
      timer = setTimeout(save, SAVE_PARTIAL_MS);
      void this.savePartial();
    };
    let timer = setTimeout(save, Math.random() * SAVE_PARTIAL_MS);
    return () => clearTimeout(timer);
  }

  async #step(): Promise<void> {
    const { context, state } = this.#options;
    const [history, machine] = await Promise.all([context.history.load(state.id), context.machineOf(state)]);
    if (this.#abort.signal.aborted) return;
    // Calls are over before a turn begins: whoever finds open ones has slept through the end of this turn.
    if (history.some(({ calls }) => calls.some((call) => !isFinalCallState(call.state)))) return context.lookAt(state.id);
    const outcome = await context.models.step(
      {
        model: state.model,
        instructions: instructionsFor({ machine, hasServerTools: context.mcp.announced.length > 0, now: context.now().toISOString() }),
        history,
        tools: offeredTools({ machine, mcp: context.mcp }),
        signal: this.#abort.signal,
      },
      {
        partStarted: (index, part) => this.#stream.partStarted(index, part),
        delta: (index, text) => this.#stream.append(index, text),
      },
    );
    if (this.#abort.signal.aborted || outcome.kind === 'aborted') return;
    this.#stream.flush();
    await this.#commit(await this.#inputOf(outcome, machine, machine && keptFolder(history, machine)));
  }

  async #inputOf(outcome: Exclude<StepOutcome, { kind: 'aborted' }>, machine: Machine | undefined, folder: string | undefined): Promise<Input> {
    const { context, state } = this.#options;
    if (outcome.kind === 'failed') {
      const { error, retryable, usage } = outcome;
      return { ...this.#failure(error), parts: this.keptParts(), retryable, usage };
    }
    const rules = outcome.parts.some((part) => part.type === 'tool_call') ? await context.store.rules(state.ownerId) : [];
    const calls: RequestedCall[] = [];
    const parts = outcome.parts.map((part, index): Part => {
      if (part.type !== 'tool_call') return part;
      const call = requestedCall(this.#stream.callId(index), part satisfies StepPart, { sessionId: state.id, machine, mcp: context.mcp, rules, folder });
      calls.push(call);
      return { type: 'tool_call', callId: call.id };
    });
    for (const { verdict } of calls) if (verdict.kind === 'allow') void this.#touchRule(verdict.rule, rules);
    return { type: 'turn_completed', messageId: this.messageId, parts, calls, model: state.model, usage: outcome.usage };
  }

  async #touchRule(ruleId: string, rules: readonly { id: string }[]): Promise<void> {
    const { context } = this.#options;
    if (!rules.some((rule) => rule.id === ruleId)) return;
    await context.store
      .touchRule(ruleId, context.now().toISOString())
      .catch((error: unknown) => context.log.warn({ err: error }, 'a rule could not be marked as used'));
  }

  #failure(error: { code: string; message: string }): Extract<Input, { type: 'turn_failed' }> {
    const { messageId } = this;
    return { type: 'turn_failed', messageId, parts: this.keptParts(), error, retryable: true, model: this.#options.state.model };
  }

  async #commit(input: Input): Promise<void> {
    const { actor, lease } = this.#options;
    await actor.commitSurely(input, { fence: lease });
  }

  /** Stores what has streamed since the last time. Failing costs at most that second of text, in a crash. */
  async savePartial(): Promise<void> {
    const { context, lease } = this.#options;
    if (this.#abort.signal.aborted || this.#savedVersion === this.#stream.version) return;
    this.#savedVersion = this.#stream.version;
    try {
      // Another node has ended the turn, or has taken it: the session is looked at before more leaves.
      if (!(await context.store.savePartial(lease, this.messageId, this.keptParts()))) context.lookAt(lease.sessionId);
    } catch (error) {
      context.log.warn({ err: error, sessionId: lease.sessionId }, 'the text so far could not be stored');
    }
  }
}
