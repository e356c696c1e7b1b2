import type { Log } from '@tendon/protocol';
import { askedTimeoutMs, failedResult, GATEWAY_COMMANDS, type GatewayAnswer, type ToolResult, textResult, validate } from '@tendon/protocol';
import { fitResult } from '@tendon/protocol/truncation';
import type { BrowserHost } from '../browser/browser-host.ts';
import type { Journal } from '../journal/journal.ts';
import { OUTCOME_UNKNOWN } from '../journal/leftovers.ts';
import type { CommandNetworks } from '../sandbox/command-networks.ts';
import type { Background } from '../tools/background.ts';
import { type EndReason, endedEarly, endReason, type ToolContext } from '../tools/tool.ts';
import { CallBook } from './call-book.ts';
import { type CheckOptions, checkContent, checkPolicy, checkShape, fileRulesOf, type Refusal, type RunnableCall } from './check-call.ts';
import type { MachineRefusals } from './machine-refusals.ts';

export interface CallDeskOptions extends CheckOptions {
  readonly journal: Pick<Journal, 'append' | 'entries' | 'entry' | 'isForgotten'>;
  readonly background: Background;
  readonly browser: Pick<BrowserHost, 'open' | 'find' | 'artifacts'>;
  readonly networks: Pick<CommandNetworks, 'join'>;
  readonly snapshots: ToolContext['snapshots'];
  readonly refusals: Pick<MachineRefusals, 'note'>;
  readonly log: Log;
  readonly now: () => Date;
  /** Goes on while the process is stopped, and is never set. */
  readonly monotonicMs: () => number;
  /** Where reports go; all best effort but `finished`, which the outbox repeats until it is acknowledged. */
  readonly reports: {
    started(callId: string): void;
    output(callId: string, text: string): void;
    finished(callId: string, result: ToolResult): void;
  };
}

type Answer = GatewayAnswer<'tool:call'>;

const ACCEPTED: Answer = { accepted: true };
const MAX_ACTIVE = 100;
const MAX_REFUSED = 1_000;
/** A call that only reads is over before its start would be worth a packet, unless it takes this long. */
const READ_STARTED_AFTER_MS = 100;
/** The server gives a dispatch up that is not answered for so long, and a stop waits only little longer: what this process slept through is not begun. */
const BEGIN_WITHIN_MS = 10_000;

/** Takes dispatches, runs each call at most once, and knows the state of every one. Its states are drawn in call-book.ts. */
export class CallDesk {
  readonly book = new CallBook();
  readonly #options: CallDeskOptions;
  readonly #runs = new Set<Promise<void>>();
  /** A server that was told no has ended the call, or is about to: another of its nodes, which does not know yet, must hear no as well. */
  readonly #refused = new Map<string, Answer>();
  #isClosing = false;

  constructor(options: CallDeskOptions) {
    this.#options = options;
    // An entry without a result had started under a dead predecessor, and a disk that fails kept that from being noted: it must not start again.
    for (const { callId, result } of options.journal.entries())
      this.book.set(callId, { kind: 'finished', result: result ?? textResult('unknown', OUTCOME_UNKNOWN) });
  }

  /** Answers every dispatch: accepted (or known already), or refused with a reason. Never rejects. */
  async dispatch(payload: unknown): Promise<Answer> {
    const shape = checkShape(payload);
    if (!shape.ok) return this.#refuse(undefined, shape.refusal);
    const { callId } = shape.value;
    const known = this.book.get(callId);
    if (known?.kind === 'finished') this.#options.reports.finished(callId, known.result);
    if (known) return ACCEPTED;
    if (this.#isOver(callId))
      return this.#refuse(callId, { code: 'already_over', message: 'This call is over and its result was acknowledged. It is not run again.' });
    const refused = this.#refused.get(callId);
    if (refused) return refused;
    if (this.#isClosing) return this.#refuse(callId, { code: 'shutting_down', message: 'The gateway on this machine is stopping. Try again when it is back.' });
    if (this.book.activeCount() >= MAX_ACTIVE)
      return this.#refuse(callId, { code: 'busy', message: `This machine already runs ${MAX_ACTIVE} calls. Wait for one to end.` });
    const content = checkContent(this.#options, shape.value);
    if (!content.ok) return this.#refuse(callId, content.refusal);
    return this.#begin(content.value);
  }

  /** Ends a call, or makes sure that it never starts. Safe to repeat. */
  cancel(payload: unknown): void {
    const checked = validate(GATEWAY_COMMANDS['tool:cancel'].payload, payload);
    if (!checked.ok) {
      this.#options.refusals.note({ code: checked.error.code, reason: `A cancellation has a wrong shape: ${checked.error.message}.` });
      return;
    }
    const { callId } = checked.data;
    const known = this.book.get(callId);
    if (this.book.abort(callId, { kind: 'cancelled' }) || (!known && this.#isOver(callId))) return;
    const result = known?.kind === 'finished' ? known.result : textResult('cancelled', 'Stopped before it had started.');
    this.book.set(callId, { kind: 'finished', result });
    this.#options.reports.finished(callId, result);
  }

  /** The server has the result for good. */
  async forget(callId: string): Promise<void> {
    if (this.book.get(callId)?.kind !== 'finished') return;
    this.book.delete(callId);
    if (this.#options.journal.entry(callId)) await this.#options.journal.append({ kind: 'forgotten', callId });
  }

  /** Of one that the book has no more. It may stand in the journal still: to be forgotten takes the disk a moment, and a full one for as long as it is. */
  #isOver(callId: string): boolean {
    const { journal } = this.#options;
    return journal.isForgotten(callId) || journal.entry(callId) !== undefined;
  }

  /** Takes no more calls and ends the running ones with their output so far. May be called twice. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.book.abortAll({ kind: 'closing' });
    await Promise.all(this.#runs);
  }

  async #begin(call: RunnableCall): Promise<Answer> {
    const { callId } = call.command;
    const takenAtMs = this.#options.monotonicMs();
    const abort = new AbortController();
    // In the book before the first await, so that a repeat that comes meanwhile finds it.
    this.book.set(callId, { kind: 'starting', abort });
    const refusal = (await this.#checkPolicySurely(call)) ?? (await this.#journalStart(call));
    if (refusal) {
      this.book.delete(callId);
      return this.#refuse(callId, refusal);
    }
    if (this.#options.monotonicMs() - takenAtMs > BEGIN_WITHIN_MS) abort.abort({ kind: 'late' } satisfies EndReason);
    this.book.set(callId, { kind: 'running', abort });
    const run = this.#run(call, abort).finally(() => this.#runs.delete(run));
    this.#runs.add(run);
    return ACCEPTED;
  }

  async #checkPolicySurely(call: RunnableCall): Promise<Refusal | undefined> {
    try {
      return await checkPolicy(this.#options, call);
    } catch (error) {
      this.#options.log.error({ err: error, callId: call.command.callId }, 'the policy could not be asked');
      return { code: 'denied_by_machine', message: "This machine's policy could not be asked, so the call is refused. Its log has the reason." };
    }
  }

  /** STARTED is on the disk before anything happens. What only reads leaves nothing behind and is not journaled. */
  async #journalStart(call: RunnableCall): Promise<Refusal | undefined> {
    if (call.prepared.effect === 'read') return undefined;
    const { callId, tool, inputHash } = call.command;
    const appended = await this.#options.journal.append({ kind: 'started', callId, tool, inputHash, at: this.#options.now().toISOString() });
    if (appended.ok) return undefined;
    return {
      code: 'journal_unavailable',
      message: `Nothing was run, because this machine could not note it down first: ${appended.reason}. Free some disk space, then try again.`,
    };
  }

  async #run(call: RunnableCall, abort: AbortController): Promise<void> {
    const { callId, tool } = call.command;
    const startedAt = performance.now();
    const isRead = call.prepared.effect === 'read';
    const sayStarted = setTimeout(() => this.#options.reports.started(callId), isRead ? READ_STARTED_AFTER_MS : 0);
    const limitMs = timeLimitOf(call);
    const timer = setTimeout(() => abort.abort({ kind: 'timeout', limitMs } satisfies EndReason), limitMs);
    const result = fitResult(await this.#runSurely(call, abort.signal));
    clearTimeout(timer);
    clearTimeout(sayStarted);
    if (!isRead) {
      const appended = await this.#options.journal.append({ kind: 'done', callId, result });
      if (!appended.ok)
        this.#options.log.error({ callId, reason: appended.reason }, 'a result could not be journaled: it is sent, but would be unknown after a crash');
    }
    this.book.set(callId, { kind: 'finished', result });
    this.#options.log.info(
      { callId, tool, status: result.status, error: result.error?.code, durationMs: Math.round(performance.now() - startedAt) },
      'a call is over',
    );
    this.#options.reports.finished(callId, result);
  }

  async #runSurely(call: RunnableCall, signal: AbortSignal): Promise<ToolResult> {
    if (signal.aborted) return endedEarly(endReason(signal), '');
    try {
      const fileRules = await fileRulesOf(this.#options, call);
      return await call.prepared.run(this.#contextOf(fileRules ? { ...call, workspace: { ...call.workspace, fileRules } } : call, signal));
    } catch (error) {
      this.#options.log.error({ err: error, callId: call.command.callId, tool: call.command.tool }, 'a tool failed in a way it should not');
      const cause = error instanceof Error ? error.message : String(error);
      return failedResult('tool_broken', `The tool itself failed: ${cause.slice(0, 1_000)}. Try another way; the gateway's log has the details.`);
    }
  }

  #contextOf(call: RunnableCall, signal: AbortSignal): ToolContext {
    const { callId, sessionId } = call.command;
    return {
      callId,
      sessionId,
      workspace: call.workspace,
      signal,
      background: this.#options.background,
      browser: this.#options.browser,
      networks: this.#options.networks,
      snapshots: this.#options.snapshots,
      policy: this.#options.policy,
      onOutput: (text) => this.#options.reports.output(callId, text),
      // Not waited for: the marker in the environment finds the processes as well, should this line be missing.
      onSpawned: (leader) => void this.#options.journal.append({ kind: 'running', callId, leader }),
    };
  }

  #refuse(callId: string | undefined, refusal: Refusal): Answer {
    this.#options.refusals.note({ ...refusal, reason: refusal.message, callId });
    const answer: Answer = { accepted: false, error: { code: refusal.code, message: refusal.message } };
    if (callId === undefined) return answer;
    this.#refused.set(callId, answer);
    const oldest = this.#refused.keys().next();
    if (this.#refused.size > MAX_REFUSED && !oldest.done) this.#refused.delete(oldest.value);
    return answer;
  }
}

/** Node's timers hold no more than 31 bits of milliseconds. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The smaller of what the server gives and what the call itself asks for. */
function timeLimitOf(call: RunnableCall): number {
  const { input, timeoutMs } = call.command;
  return Math.min(timeoutMs, askedTimeoutMs(input) ?? timeoutMs, MAX_TIMER_MS);
}
