import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { AgentData, AgentRequest, Call, CallState, Delta, Message, Session, SessionEvent, SessionStatus } from '@tendon/protocol';
import type { AgentSocket } from './agent-socket.ts';

type Attached = AgentData<'session:attach'>;
export type TurnFailed = Extract<SessionEvent, { type: 'turn.failed' }>;

/** One session as one socket sees it: what it was told at its attach, and every event and delta since. */
export class SessionView {
  readonly id: string;
  readonly socket: AgentSocket;
  readonly attached: Attached;
  /** Where in the socket's log this view begins. */
  readonly #from: number;

  private constructor(socket: AgentSocket, attached: Attached, from: number) {
    this.id = attached.session.id;
    this.socket = socket;
    this.attached = attached;
    this.#from = from;
  }

  /** A new session, seen from its first event on. */
  static async create(socket: AgentSocket, options: AgentRequest<'session:create'> = {}): Promise<SessionView> {
    const { session } = await socket.ask('session:create', options);
    return SessionView.attach(socket, session.id, 0);
  }

  static async attach(socket: AgentSocket, sessionId: string, afterSeq?: number): Promise<SessionView> {
    const from = socket.received.length;
    const attached = await socket.ask('session:attach', { sessionId, ...(afterSeq === undefined ? {} : { afterSeq }) });
    return new SessionView(socket, attached, from);
  }

  /** The same session as its events alone tell it, from the first on. */
  toldBy(events: readonly SessionEvent[]): SessionView {
    return new SessionView(this.socket, { ...this.attached, messages: [], calls: [], events: [...events] }, this.#from);
  }

  /** Durable events: those of the attach, then those that came. */
  get events(): SessionEvent[] {
    const came = this.socket.received
      .slice(this.#from)
      .flatMap((entry) => (entry.name === 'session:event' && entry.notice.sessionId === this.id ? [entry.notice] : []))
      // A socket that attaches again may have been told meanwhile what the answer holds too.
      .filter((event) => event.seq > this.attached.seq);
    return [...(this.attached.events ?? []), ...came];
  }

  get deltas(): Delta[] {
    return this.socket.received
      .slice(this.#from)
      .flatMap((entry) => (entry.name === 'session:delta' && entry.notice.sessionId === this.id ? [entry.notice] : []));
  }

  get session(): Session {
    return this.events.findLast((event) => event.type === 'session.updated')?.data.session ?? this.attached.session;
  }

  /** In the order of their places; a message that was put again stands where it is now. */
  get messages(): Message[] {
    const known = new Map(this.attached.messages.map((message) => [message.id, message]));
    for (const event of this.events) {
      if (event.type === 'message.created' || event.type === 'message.completed') known.set(event.data.message.id, event.data.message);
      if (event.type === 'message.removed') known.delete(event.data.messageId);
    }
    return [...known.values()].toSorted((a, b) => a.seq - b.seq);
  }

  get calls(): Call[] {
    const known = new Map(this.attached.calls.map((call) => [call.id, call]));
    for (const event of this.events) if (event.type === 'call.requested' || event.type === 'call.updated') known.set(event.data.call.id, event.data.call);
    return [...known.values()];
  }

  get failures(): TurnFailed[] {
    return this.events.filter((event) => event.type === 'turn.failed');
  }

  /** The text of the newest message of the agent. */
  get answer(): string {
    const last = this.messages.findLast((message) => message.role === 'assistant');
    return last ? textOf(last) : '';
  }

  say(text: string, options: { mode?: 'queue' | 'interrupt'; messageId?: string } = {}): Promise<AgentData<'agent:execute'>> {
    const { mode, messageId } = options;
    return this.socket.ask('agent:execute', { sessionId: this.id, messageId: messageId ?? randomUUID(), text, ...(mode === undefined ? {} : { mode }) });
  }

  decide(call: Call, decision: 'approve' | 'deny', more: { scope?: 'once' | 'session' | 'always'; reason?: string } = {}): Promise<AgentData<'tool:decide'>> {
    return this.socket.ask('tool:decide', { sessionId: this.id, callId: call.id, inputHash: call.inputHash, decision, ...more });
  }

  /** Resolves when the newest known status is this one. After the acknowledgement of a request its events are here already. */
  async untilStatus(status: SessionStatus, deadlineMs?: number): Promise<Session> {
    const what = (): string =>
      `session ${this.id} to be ${status}; it is ${this.session.status}, calls: ${this.calls.map((call) => `${call.tool} ${call.state}`).join(', ')}`;
    try {
      return await this.socket.until(`the status ${status}`, () => this.session.status === status && this.session, deadlineMs);
    } catch (cause) {
      throw new Error(`waited for ${what()}`, { cause });
    }
  }

  /** For a socket that did not make the change: resolves when it has been told everything up to this event. */
  untilSeq(seq: number): Promise<true> {
    return this.socket.until(`event ${seq}`, () => (this.events.at(-1)?.seq ?? 0) >= seq);
  }

  untilCall(state: CallState, tool?: string): Promise<Call> {
    return this.socket.until(`a call that is ${state}`, () => this.calls.find((call) => call.state === state && (tool === undefined || call.tool === tool)));
  }

  untilCallIs(callId: string, state: CallState, deadlineMs?: number): Promise<Call> {
    return this.socket.until(`call ${callId} to be ${state}`, () => this.calls.find((call) => call.id === callId && call.state === state), deadlineMs);
  }

  /** Resolves when the deltas of a kind hold this text. */
  untilDelta(kind: Delta['kind'], text: string): Promise<string> {
    return this.socket.until(`a ${kind} delta with ${text}`, () => {
      const together = this.deltas
        .filter((delta) => delta.kind === kind)
        .map((delta) => delta.text)
        .join('');
      return together.includes(text) && together;
    });
  }

  /** The text of one part, put together from its deltas. Throws at a gap or an overlap. */
  streamed(messageId: string, part: number, from = 0): string {
    let text = '';
    for (const delta of this.deltas.filter((candidate) => candidate.messageId === messageId && candidate.part === part)) {
      assert.equal(delta.offset, from + text.length, `the deltas of part ${part} continue where the last one ended`);
      text += delta.text;
    }
    return text;
  }

  /** The events known here are numbered without a gap. */
  assertGapFree(first = 1): void {
    const seqs = this.events.map((event) => event.seq);
    assert.deepEqual(
      seqs,
      seqs.map((_, index) => first + index),
      'seq is gap-free',
    );
  }
}

export function textOf(message: Message): string {
  return message.parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

export function resultText(call: Call): string {
  return (call.result?.content ?? []).map((item) => (item.type === 'text' ? item.text : '')).join('');
}
