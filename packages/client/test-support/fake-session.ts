import { randomUUID } from 'node:crypto';
import type { AgentData, AgentRequest, Call, Delta, Live, Message, Part, Result, Session, SessionEvent } from '@tendon/protocol';
import { refusal, success } from '@tendon/protocol';
import { sampleMessage, sampleSession } from './samples.ts';

type Data<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>['data'];

export interface FakeSessionWires {
  readonly event: (event: SessionEvent) => void;
  readonly delta: (delta: Delta) => void;
  readonly summary: (session: Session) => void;
}

/** A session in memory that keeps the protocol's promises: numbered events, a message once per id, a live message with offsets. */
export class FakeSession {
  readonly events: SessionEvent[] = [];
  readonly messages = new Map<string, Message>();
  readonly calls = new Map<string, Call>();
  readonly #texts = new Map<string, string>();
  readonly #wires: FakeSessionWires;
  readonly #inputs = new Map<number, string>();
  readonly #outputs = new Map<string, string>();
  session: Session;
  live: Message | undefined;
  /** Events up to this number are no longer kept: an attach after an older one gets a snapshot. */
  forgottenUpTo = 0;
  pageSize = 50;

  constructor(wires: FakeSessionWires) {
    this.session = sampleSession();
    this.#wires = wires;
    this.update({});
  }

  get id(): string {
    return this.session.id;
  }

  get seq(): number {
    return this.session.seq;
  }

  emit<Type extends SessionEvent['type']>(type: Type, data: Data<Type>): SessionEvent {
    const seq = this.seq + 1;
    const at = new Date(Date.parse(this.session.createdAt) + seq * 1_000).toISOString();
    this.session = { ...this.session, seq, updatedAt: at };
    const body = type === 'session.updated' ? { session: this.session } : data;
    const event = { sessionId: this.id, seq, at, type, data: body } as SessionEvent;
    this.events.push(event);
    this.#wires.event(event);
    return event;
  }

  update(change: Partial<Session>): void {
    this.session = { ...this.session, ...change };
    this.emit('session.updated', { session: this.session });
    this.#wires.summary(this.session);
  }

  place(type: 'message.created' | 'message.completed', message: Message): Message {
    const placed = { ...message, seq: this.seq + 1 };
    this.messages.set(placed.id, placed);
    this.emit(type, { message: placed });
    return placed;
  }

  removeMessage(messageId: string): void {
    this.messages.delete(messageId);
    this.emit('message.removed', { messageId });
  }

  putCall(type: 'call.requested' | 'call.updated', call: Call): void {
    this.calls.set(call.id, call);
    if (call.finishedAt) this.#outputs.delete(call.id);
    this.emit(type, { call });
  }

  execute(request: AgentRequest<'agent:execute'>): Result<AgentData<'agent:execute'>> {
    const { messageId, text } = request;
    const known = this.messages.get(messageId);
    if (known && this.#texts.get(messageId) !== text) return refusal('conflict');
    if (known) return success({ messageId, seq: known.seq, queued: known.state === 'queued' });
    this.#texts.set(messageId, text);
    const queued = this.session.status === 'running' && request.mode !== 'interrupt';
    const message = sampleMessage({ id: messageId, sessionId: this.id, parts: [{ type: 'text', text }], state: queued ? 'queued' : 'complete' });
    const placed = this.place('message.created', message);
    return success({ messageId, seq: placed.seq, queued });
  }

  /** Begins a turn: the session runs, and an empty assistant message is live. */
  begin(): Message {
    this.update({ status: 'running' });
    this.live = sampleMessage({
      sessionId: this.id,
      seq: this.seq + 1,
      role: 'assistant',
      parts: [],
      model: this.session.model,
      createdAt: this.session.updatedAt,
    });
    this.#inputs.clear();
    return this.live;
  }

  /** Streams a piece of text at the end of a part; the answer is the delta. */
  stream(part: number, kind: 'text' | 'reasoning' | 'tool_input', text: string): Delta {
    const live = this.live ?? this.begin();
    const known = live.parts[part];
    const soFar = kind === 'tool_input' ? (this.#inputs.get(part) ?? '') : known && 'text' in known ? known.text : '';
    const grown: Part = kind === 'tool_input' ? (known ?? { type: 'tool_call', callId: randomUUID() }) : { type: kind, text: soFar + text };
    if (kind === 'tool_input') this.#inputs.set(part, soFar + text);
    this.live = { ...live, parts: known ? live.parts.with(part, grown) : [...live.parts, grown] };
    const delta: Delta = { sessionId: this.id, messageId: live.id, part, kind, offset: soFar.length, text };
    this.#wires.delta(delta);
    return delta;
  }

  output(callId: string, text: string): void {
    const soFar = this.#outputs.get(callId) ?? '';
    this.#outputs.set(callId, soFar + text);
    this.#wires.delta({ sessionId: this.id, messageId: callId, part: 0, kind: 'tool_output', offset: soFar.length, text });
  }

  /** Ends the turn: what was streamed becomes a message, and the session is idle. */
  finish(): void {
    const live = this.live;
    this.live = undefined;
    if (live && live.parts.length > 0) this.place('message.completed', live);
    this.update({ status: 'idle' });
  }

  attach(afterSeq: number | undefined): AgentData<'session:attach'> {
    const canCatchUp = afterSeq !== undefined && afterSeq <= this.seq && afterSeq >= this.forgottenUpTo;
    const page = this.page(Number.MAX_SAFE_INTEGER);
    const outputs = [...this.#outputs].map(([callId, text]) => ({ callId, offset: 0, text }));
    const live = this.#liveAnswer();
    return {
      session: this.session,
      messages: canCatchUp ? [] : page.messages,
      calls: canCatchUp ? [] : page.calls,
      seq: this.seq,
      ...(canCatchUp ? { events: this.events.filter((event) => event.seq > afterSeq) } : {}),
      ...(live ? { live } : {}),
      ...(outputs.length > 0 ? { outputs } : {}),
      hasMore: canCatchUp ? false : page.hasMore,
    };
  }

  page(before: number): AgentData<'session:history'> {
    const all = [...this.messages.values()].filter((message) => message.seq < before).sort((a, b) => a.seq - b.seq);
    const messages = all.slice(-this.pageSize);
    return { messages, calls: [...this.calls.values()], hasMore: messages.length < all.length };
  }

  #liveAnswer(): Live | undefined {
    if (!this.live) return undefined;
    const offsets = this.live.parts.map((part, index) => ('text' in part ? part.text.length : (this.#inputs.get(index)?.length ?? 0)));
    return { message: this.live, offsets };
  }
}
