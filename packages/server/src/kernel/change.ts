import type { Call, Message, ProtocolError, SessionEvent, SessionEventType } from '@tendon/protocol';
import type { Focus, Stamp } from './input.ts';
import { type NewRule, publicSession, type SessionState, type StoredCall, type StoredMessage } from './state.ts';

/** All that one input does to a session: written in one transaction, emitted after its commit. */
export interface Change {
  readonly state: SessionState;
  /** Numbered on from the state before, without a gap. Empty when the input changed nothing that clients see. */
  readonly events: readonly SessionEvent[];
  readonly messages: readonly StoredMessage[];
  readonly removedMessageIds: readonly string[];
  readonly calls: readonly StoredCall[];
  readonly rules: readonly NewRule[];
}

/** What the acknowledgement says. */
export type Answer =
  | { readonly type: 'done' }
  | { readonly type: 'accepted'; readonly messageId: string; readonly seq: number; readonly queued: boolean }
  | { readonly type: 'stopped'; readonly stopped: boolean }
  | { readonly type: 'calls'; readonly calls: readonly { readonly callId: string; readonly state: Call['state'] }[] }
  | { readonly type: 'call'; readonly callId: string; readonly state: Call['state']; readonly newCallId?: string | undefined };

export type Outcome = { readonly ok: true; readonly change: Change; readonly answer: Answer } | { readonly ok: false; readonly error: ProtocolError };

type EventData<Type extends SessionEventType> = Extract<SessionEvent, { type: Type }>['data'];

/** Collects the changes of one input. Lives only inside `transition`. */
export class Draft {
  readonly stamp: Stamp;
  readonly focus: Focus;
  state: SessionState;
  readonly #before: string;
  readonly #events: SessionEvent[] = [];
  readonly #messages = new Map<string, StoredMessage>();
  readonly #calls = new Map<string, StoredCall>();
  readonly #removed: string[] = [];
  readonly #rules: NewRule[] = [];

  constructor(state: SessionState, stamp: Stamp, focus: Focus) {
    this.state = state;
    this.stamp = stamp;
    this.focus = focus;
    this.#before = visible(state);
  }

  set(patch: Partial<SessionState>): void {
    this.state = { ...this.state, ...patch };
  }

  emit<Type extends SessionEventType>(type: Type, data: EventData<Type>): number {
    const seq = this.state.seq + 1;
    this.set({ seq });
    this.#events.push({ sessionId: this.state.id, seq, at: this.stamp.at, type, data } as SessionEvent);
    return seq;
  }

  /** Puts the message at the session's end, as the event that says so. */
  placeMessage(type: 'message.created' | 'message.completed', message: Omit<Message, 'seq'>): Message {
    const placed: Message = { ...message, seq: this.state.seq + 1 };
    this.emit(type, { message: placed });
    return placed;
  }

  writeMessage(stored: StoredMessage): void {
    this.#messages.set(stored.message.id, stored);
  }

  removeMessage(messageId: string): void {
    this.#messages.delete(messageId);
    this.#removed.push(messageId);
    this.emit('message.removed', { messageId });
  }

  /** Writes the call, and keeps it in the state for as long as it is open. */
  writeCall(stored: StoredCall, isOpen: boolean): void {
    this.#calls.set(stored.call.id, stored);
    const index = this.state.calls.findIndex((other) => other.call.id === stored.call.id);
    const calls = [...this.state.calls];
    if (index >= 0 && isOpen) calls[index] = stored;
    else if (index >= 0) calls.splice(index, 1);
    else if (isOpen) calls.push(stored);
    this.set({ calls });
  }

  addRule(rule: NewRule): void {
    this.#rules.push(rule);
  }

  finish(answer: Answer): Outcome {
    if (visible(this.state) !== this.#before) {
      const seq = this.state.seq + 1;
      this.set({ seq, updatedAt: this.stamp.at });
      this.#events.push({ sessionId: this.state.id, seq, at: this.stamp.at, type: 'session.updated', data: { session: publicSession(this.state) } });
    } else if (this.#events.length > 0) this.set({ updatedAt: this.stamp.at });
    return {
      ok: true,
      answer,
      change: {
        state: this.state,
        events: this.#events,
        messages: [...this.#messages.values()],
        removedMessageIds: this.#removed,
        calls: [...this.#calls.values()],
        rules: this.#rules,
      },
    };
  }
}

/** The part of the session that is news when it changes; every event moves `seq` and `updatedAt` anyway. */
function visible(state: SessionState): string {
  return JSON.stringify({ ...publicSession(state), seq: 0, updatedAt: '' });
}
