import {
  type AgentClient,
  type GuardedCard,
  guardedCard,
  localApprovalWarning,
  mayApprove,
  needsLocalApproval,
  type SessionClient,
  type SessionView,
  sandboxWarning,
} from '@tendon/client';
import { type Answers, type Call, type Gateway, isAlwaysAsked } from '@tendon/protocol';
import { oneLine } from '../output.ts';
import { approvalText } from './call-text.ts';
import { answerTo, approvalOf, type Pending, pendingOf } from './pending.ts';
import { TranscriptWriter } from './transcript-writer.ts';

/**
 * One session in the terminal. What a typed line means depends on what the session waits for:
 *
 *   nothing ──► a message     approval ──► y / a / n [reason]     question ──► its answer, one question after the other
 */
export interface ChatOutput {
  /** Adds text, which may hold anything: it is made safe for a terminal where it is written. */
  write(text: string): void;
  /** Milliseconds of a monotonic clock. */
  now(): number;
}

type Answer = { readonly ok: true } | { readonly ok: false; readonly error: { readonly message: string } };

export class ChatSession {
  readonly #session: SessionClient;
  readonly #gateways: AgentClient['gateways'];
  readonly #connection: AgentClient['connection'];
  readonly #writer: TranscriptWriter;
  readonly #own = new Set<string>();
  readonly #output: ChatOutput;
  readonly #unsubscribes: readonly (() => void)[];
  /** What is asked on the screen, and since when. */
  #card: GuardedCard | undefined;
  #answered = '';
  #isAway = false;
  /** Why the last turn failed, as it was said. */
  #failure = '';
  #answers: Answers['answers'] = [];

  constructor(client: AgentClient, sessionId: string, output: ChatOutput) {
    this.#session = client.open(sessionId);
    this.#gateways = client.gateways;
    this.#connection = client.connection;
    this.#output = output;
    this.#writer = new TranscriptWriter((messageId) => this.#own.has(messageId));
    this.#unsubscribes = [
      ...[this.#session.view, this.#gateways].map((store) => store.subscribe(() => this.#show())),
      this.#connection.subscribe(() => this.#sayConnection()),
    ];
    this.#show();
  }

  get view(): SessionView {
    return this.#session.view.get();
  }

  /** What waits for the person, less what they have just answered and the server has not shown yet. */
  get pending(): Pending {
    const pending = pendingOf(this.view);
    return pending.kind !== 'nothing' && pending.call.id === this.#answered ? { kind: 'nothing' } : pending;
  }

  /** Why there is nothing to chat in any more; undefined while there is. */
  get ending(): string | undefined {
    const { phase, error } = this.view;
    if (phase === 'gone') return 'is gone: it was deleted, or there never was one of yours. Leave the id out for a new session';
    return phase === 'failed' ? `cannot be shown: ${error?.message ?? 'the server refused it'}` : undefined;
  }

  get isBusy(): boolean {
    const { phase, session, outbox, messages } = this.view;
    if (phase === 'loading' || outbox.length > 0 || (session !== undefined && session.status !== 'idle')) return true;
    return messages.some((message) => message.state === 'queued') || !this.#lastIsHandled();
  }

  /** Whether the session has begun with what was typed last: the view learns of it a little later. */
  #lastIsHandled(): boolean {
    const last = [...this.#own].at(-1);
    if (last === undefined) return true;
    const { messages, session } = this.view;
    const index = messages.findIndex((message) => message.id === last);
    return index >= 0 && (messages.slice(index + 1).some((message) => message.role === 'assistant') || session?.lastError !== undefined);
  }

  /** Calls the listener after every change, with the text of it written. */
  subscribe(listener: () => void): () => void {
    return this.#session.view.subscribe(listener);
  }

  /** `begunAt`: when a person began to type it; left out for a script, whose lines are written for what comes. */
  async line(text: string, begunAt?: number): Promise<void> {
    // The view may be ahead of the screen: nothing is answered that does not stand there.
    this.#show();
    const { pending } = this;
    if (pending.kind === 'approval') return this.#decide(pending, text, begunAt);
    if (pending.kind === 'question') return this.#answer(pending, text);
    if (text.trim() !== '') this.#own.add(this.#session.send(text));
  }

  async stop(): Promise<void> {
    this.#tell(await this.#session.stop());
  }

  /** Shows what has changed and was not told yet. */
  close(): void {
    this.#show();
    for (const unsubscribe of this.#unsubscribes) unsubscribe();
    this.#session.release();
  }

  async #decide(pending: Extract<Pending, { kind: 'approval' }>, text: string, begunAt: number | undefined): Promise<void> {
    const decision = approvalOf(text);
    const whyNoRule = decision?.scope === 'always' ? noRuleFor(pending.call, this.#gatewayOf(pending.call)) : undefined;
    if (whyNoRule !== undefined)
      return this.#output.write(`This is decided each time: ${whyNoRule}. Type y (run it once), or n and a reason (do not run it).\n`);
    if (!decision) return this.#output.write('Type y (run it once), a (always run exactly this), or n and a reason (do not run it).\n');
    if (decision.decision === 'approve' && begunAt !== undefined && !this.#isRead(pending.call, begunAt))
      return this.#output.write('That was typed before the question could be read, and approves nothing. Read it, then type again.\n');
    await this.#settle(pending.call.id, () => this.#session.decide(pending.call, decision));
  }

  #isRead(call: Call, begunAt: number): boolean {
    return this.#card?.key === this.#keyOf(call) && mayApprove(this.#card, begunAt);
  }

  async #answer(pending: Extract<Pending, { kind: 'question' }>, text: string): Promise<void> {
    const question = pending.questions[this.#answers.length];
    if (question && text.trim() !== '') this.#answers.push(answerTo(question, text));
    if (this.#answers.length < pending.questions.length) return this.#ask(pending);
    const answers = this.#answers;
    this.#answers = [];
    await this.#settle(pending.call.id, () => this.#session.answer(pending.call, { answers }));
  }

  async #settle(callId: string, send: () => Promise<Answer>): Promise<void> {
    this.#answered = callId;
    const result = await send();
    if (!result.ok) this.#answered = '';
    this.#tell(result);
  }

  #show(): void {
    const { view } = this;
    this.#output.write(this.#writer.update(view));
    this.#noticeAnswered();
    this.#sayFailure();
    this.#giveUpRefused();
    const { pending } = this;
    const key = pending.kind === 'nothing' ? '' : this.#keyOf(pending.call);
    if (key === (this.#card?.key ?? '')) return;
    this.#card = guardedCard(this.#card, key, this.#output.now());
    this.#answers = [];
    if (pending.kind === 'approval') this.#askFor(pending.call);
    if (pending.kind === 'question') this.#ask(pending);
  }

  /** Once when the server goes away, and once when it is back. */
  #sayConnection(): void {
    const state = this.#connection.get();
    if (state.kind === 'waiting' && !this.#isAway) {
      this.#isAway = true;
      this.#output.write(`\n(${oneLine(state.reason.message)} It is tried again; what you write is sent when the server is back.)\n`);
    }
    if (state.kind === 'online' && this.#isAway) {
      this.#isAway = false;
      this.#output.write('(The server is back.)\n');
    }
  }

  /** Once for each turn that failed. */
  #sayFailure(): void {
    const failure = this.view.session?.lastError?.message ?? '';
    if (failure !== '' && failure !== this.#failure) this.#output.write(`\n(The turn failed: ${failure})\n`);
    this.#failure = failure;
  }

  /** A message that the server will never take is no longer waited for. */
  #giveUpRefused(): void {
    for (const { messageId, state, text, error } of this.view.outbox) {
      if (state !== 'refused') continue;
      this.#own.delete(messageId);
      this.#output.write(`\n(Not sent: ${error?.message ?? 'the server refused it'} It was: ${oneLine(text)})\n`);
      this.#session.discardOutbox(messageId);
    }
  }

  /** What was approved and lapsed waits for another answer. */
  #noticeAnswered(): void {
    const state = this.view.calls[this.#answered]?.state;
    if (state !== 'awaiting_approval' && state !== 'awaiting_answer') this.#answered = '';
  }

  #ask(pending: Extract<Pending, { kind: 'question' }>): void {
    const question = pending.questions[this.#answers.length];
    if (!question) return;
    const options = (question.options ?? []).map((option, index) => `  ${index + 1}. ${oneLine(option.label)}\n`);
    this.#output.write(`\n${question.question}\n${options.join('')}`);
  }

  #askFor(call: Call): void {
    const gateway = this.#gatewayOf(call);
    const lines = [
      `Run this on ${placeOf(call, gateway)}?`,
      `  ${oneLine(call.tool)}: ${approvalText(call).replaceAll('\n', '\n    ')}`,
      ...warningsOf(call, gateway).map(oneLine),
      `[y] once  ${noRuleFor(call, gateway) === undefined ? '[a] always  ' : ''}[n] no, with a reason if you like`,
    ];
    this.#output.write(`\n${lines.join('\n')}\n`);
  }

  #gatewayOf(call: Call): Gateway | undefined {
    return this.#gateways.get().find(({ id }) => id === call.gatewayId);
  }

  /** All that a decision binds to, and what its person should know of the place. */
  #keyOf(call: Call): string {
    return `${call.id}:${call.inputHash}:${warningsOf(call, this.#gatewayOf(call)).join(' ')}`;
  }

  #tell(result: Answer): void {
    if (!result.ok) this.#output.write(`(${result.error.message})\n`);
  }
}

/** The call's own place: its session may have another by now. */
function placeOf({ kind, workspace }: Call, gateway: Gateway | undefined): string {
  if (kind === 'remote') return 'the server';
  return oneLine(`${gateway?.name ?? 'your machine'}${workspace === undefined ? '' : `, in ${workspace}`}`);
}

/** Why no rule can allow this, if none can. */
function noRuleFor(call: Call, gateway: Gateway | undefined): string | undefined {
  if (isAlwaysAsked(call.tool)) return 'what it does depends on what runs';
  return needsLocalApproval(call, gateway) ? 'its machine counts no rule' : undefined;
}

function warningsOf(call: Call, gateway: Gateway | undefined): string[] {
  return [sandboxWarning(call, gateway), localApprovalWarning(call, gateway)].filter((said) => said !== undefined);
}
