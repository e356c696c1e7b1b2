import { type AgentData, type AgentRequest, type AgentRequestName, type Answers, type Call, type Fault, LIMITS, type Result, refusal } from '@tendon/protocol';
import { v7 as uuidV7 } from 'uuid';
import type { Outbox } from '../outbox/outbox.ts';
import { createStore, type Notifier, type WritableStore } from '../store.ts';
import type { BrowserView, CallDecision, OutboxMessage, SendOptions, SessionView, Store, Timers } from '../types.ts';
import { BrowserWatch } from './browser-watch.ts';
import { type EventLog, type LogInput, stepLog } from './event-log.ts';
import { readAttachAnswer, type SessionPacket } from './inbound.ts';
import { applyPage, emptyTranscript, oldestSeq } from './transcript.ts';

/** What a session needs of the client it belongs to. */
export interface SessionHost {
  readonly notifier: Notifier;
  readonly outbox: Outbox;
  readonly timers: Timers;
  readonly now: () => number;
  readonly random: () => number;
  readonly ask: (name: AgentRequestName, payload: unknown) => Promise<Result<unknown>>;
  readonly request: <Name extends AgentRequestName>(name: Name, payload: AgentRequest<Name>) => Promise<Result<AgentData<Name>>>;
  readonly notice: (notice: Fault) => void;
  readonly onReleased: (sessionId: string) => void;
}

/**
 * One session as this client sees it. How it follows the server is drawn in event-log.ts; this class carries its questions out
 * and puts log, outbox and paging together into one view. `AgentClient.open` makes it, and `release` gives it back.
 */
export class SessionClient {
  readonly id: string;
  readonly view: Store<SessionView>;
  /** What the agent's browser shows, for as long as `watchBrowser` is held. */
  readonly browser: Store<BrowserView>;
  readonly #view: WritableStore<SessionView>;
  readonly #host: SessionHost;
  readonly #browser: BrowserWatch;
  #log: EventLog = { follow: { kind: 'offline' }, transcript: emptyTranscript, mends: 0 };
  /** Raised with every attach: an answer to an older one is late. */
  #generation = 0;
  #timer: unknown;
  #loadingOlder = false;
  /** Acknowledged, and shown until their event (of this number) is here. */
  readonly #acknowledged = new Map<string, { message: OutboxMessage; seq: number }>();

  constructor(id: string, host: SessionHost) {
    this.id = id;
    this.#host = host;
    this.#browser = new BrowserWatch(id, host);
    this.browser = this.#browser.view;
    this.#view = createStore<SessionView>(this.#compose([]), host.notifier);
    this.view = { get: this.#view.get, subscribe: this.#view.subscribe };
    this.outboxChanged();
  }

  /** Puts a message in the outbox and answers with its id. It is kept while offline and reaches the session exactly once. */
  send(text: string, options: SendOptions = {}): string {
    const { outbox, now } = this.#host;
    const messageId = uuidV7();
    outbox.add({
      sessionId: this.id,
      messageId,
      text,
      ...(options.attachments ? { attachments: options.attachments } : {}),
      mode: options.mode ?? 'queue',
      createdAt: new Date(now()).toISOString(),
      state: 'waiting',
    });
    return messageId;
  }

  stop(): Promise<Result<AgentData<'agent:stop'>>> {
    return this.#host.request('agent:stop', { sessionId: this.id });
  }

  /** Lets a held queue go on, or tries a failed turn again. */
  continue(): Promise<Result<AgentData<'agent:continue'>>> {
    return this.#host.request('agent:continue', { sessionId: this.id });
  }

  /** Takes a message out of the server's queue. */
  cancelMessage(messageId: string): Promise<Result<AgentData<'message:cancel'>>> {
    return this.#host.request('message:cancel', { sessionId: this.id, messageId });
  }

  /** Decides on exactly what `call` shows: on other arguments the server answers `conflict`. */
  decide(call: Call, decision: CallDecision): Promise<Result<AgentData<'tool:decide'>>> {
    return this.#host.request('tool:decide', { sessionId: this.id, callId: call.id, inputHash: call.inputHash, ...decision });
  }

  answer(call: Call, answers: Answers): Promise<Result<AgentData<'tool:result'>>> {
    return this.#host.request('tool:result', { sessionId: this.id, callId: call.id, result: answers });
  }

  /** Says what became of a call whose outcome is unknown, or has it run again as a new call that waits for approval. */
  resolve(call: Call, resolution: { outcome: 'done' | 'failed' | 'again'; note?: string }): Promise<Result<AgentData<'tool:resolve'>>> {
    return this.#host.request('tool:resolve', { sessionId: this.id, callId: call.id, ...resolution });
  }

  /** Sends a refused message again, under the same id. */
  retryOutbox(messageId: string): void {
    this.#host.outbox.retry(this.id, messageId);
  }

  /** Gives a waiting or refused message up. One on its way is not touched: cancel it once it is in the queue. */
  discardOutbox(messageId: string): void {
    this.#host.outbox.discard(this.id, messageId);
  }

  /** Loads one page of older messages. Does nothing when there are none or one is on its way; when it fails, `hasMore` stays. */
  async loadOlder(): Promise<void> {
    const { transcript } = this.#log;
    const before = oldestSeq(transcript);
    if (this.#loadingOlder || !transcript.hasMore || before === undefined) return;
    this.#loadingOlder = true;
    this.#publish();
    const result = await this.#host.request('session:history', { sessionId: this.id, before, limit: LIMITS.attachPage });
    this.#loadingOlder = false;
    if (result.ok) this.#log = { ...this.#log, transcript: applyPage(this.#log.transcript, result.data, before) };
    this.#publish();
  }

  /** Has what the browser shows sent here, until the answer is called. */
  watchBrowser(): () => void {
    return this.#browser.hold();
  }

  /** Undoes one `open()`. */
  release(): void {
    this.#host.onReleased(this.id);
  }

  /** @internal */
  setOnline(isOnline: boolean): void {
    this.#input({ kind: isOnline ? 'online' : 'offline' });
    this.#browser.setOnline(isOnline);
  }

  /** @internal */
  receiveBrowser(name: 'browser:frame' | 'browser:state', payload: unknown): void {
    this.#browser.receive(name, payload);
  }

  /** @internal */
  receive(packet: SessionPacket): void {
    if (packet.kind === 'bad')
      this.#host.notice({ code: 'invalid_event', message: `The server sent something unreadable (${packet.reason}). The session is loaded again.` });
    this.#input({ kind: 'packet', packet, jitter: this.#host.random() });
  }

  /** @internal */
  deleted(): void {
    this.#input({ kind: 'deleted' });
  }

  /** @internal */
  acknowledged(message: OutboxMessage, seq: number): void {
    this.#acknowledged.set(message.messageId, { message: { ...message, state: 'sending' }, seq });
  }

  /** @internal */
  outboxChanged(): void {
    this.#publish();
  }

  /** @internal Stops following; open questions are not waited for. */
  close(): void {
    this.#generation += 1;
    this.#browser.close();
    this.#input({ kind: 'offline' });
  }

  #input(input: LogInput): void {
    const previous = this.#log;
    const { log, action } = stepLog(previous, input);
    this.#log = log;
    if (log.follow.kind !== 'waiting' || action) this.#clearTimer();
    if (action?.kind === 'wait') this.#timer = this.#host.timers.set(() => this.#input({ kind: 'time_is_up' }), action.delayMs);
    if (action?.kind === 'attach') void this.#attach(action.afterSeq);
    if (log.transcript !== previous.transcript) this.#publish();
  }

  async #attach(afterSeq: number | undefined): Promise<void> {
    this.#generation += 1;
    const generation = this.#generation;
    const result = await this.#host.ask('session:attach', { sessionId: this.id, ...(afterSeq === undefined ? {} : { afterSeq }) });
    if (generation !== this.#generation) return;
    const jitter = this.#host.random();
    if (!result.ok) return this.#input({ kind: 'refused', error: result.error, jitter });
    const answer = readAttachAnswer(result.data);
    if (answer) return this.#input({ kind: 'answered', answer, jitter });
    const { error } = refusal('internal', 'The server answered in a shape that this client does not know.');
    this.#host.notice({ code: 'invalid_event', message: error.message });
    this.#input({ kind: 'refused', error, jitter });
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#host.timers.clear(this.#timer);
    this.#timer = undefined;
  }

  #publish(): void {
    const unsent = this.#host.outbox.of(this.id);
    const { messages, seq } = this.#log.transcript;
    if (unsent.length === 0 && this.#acknowledged.size === 0) {
      this.#view.set(this.#compose([]));
      return;
    }
    const here = new Set(messages.map((message) => message.id));
    for (const [messageId, entry] of this.#acknowledged) {
      if (here.has(messageId) || seq >= entry.seq) this.#acknowledged.delete(messageId);
    }
    const acknowledged = [...this.#acknowledged.values()].map((entry) => entry.message);
    const waiting = unsent.filter((message) => !this.#acknowledged.has(message.messageId) && !here.has(message.messageId));
    this.#view.set(this.#compose([...acknowledged, ...waiting]));
    // Each of these comes back here once, with one message less in the outbox.
    const seen = unsent.find((message) => here.has(message.messageId));
    if (seen) this.#host.outbox.confirm(this.id, seen.messageId);
  }

  #compose(outbox: readonly OutboxMessage[]): SessionView {
    const { liveEnds: _liveEnds, outputEnds: _outputEnds, ...transcript } = this.#log.transcript;
    const known = this.#view?.get().outbox ?? outbox;
    const isSame = known.length === outbox.length && known.every((message, index) => message === outbox[index]);
    return { ...transcript, outbox: isSame ? known : outbox, loadingOlder: this.#loadingOlder };
  }
}
