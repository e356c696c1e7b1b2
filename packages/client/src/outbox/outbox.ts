import type { AgentData, AgentRequest, Result } from '@tendon/protocol';
import type { OutboxMessage, OutboxStorage, Timers } from '../types.ts';
import { type Outcome, outcomeOf } from './outcome.ts';

export interface OutboxOptions {
  readonly storage: OutboxStorage;
  readonly execute: (request: AgentRequest<'agent:execute'>) => Promise<Result<AgentData<'agent:execute'>>>;
  readonly random: () => number;
  readonly timers: Timers;
  readonly onChange: (sessionId: string) => void;
  /** The server has it, as event `seq`, which may not be here yet. */
  readonly onAcknowledged: (message: OutboxMessage, seq: number) => void;
  readonly onStorageError: (error: unknown) => void;
}

interface Lane {
  /** In the order they were written. */
  readonly messages: OutboxMessage[];
  attempt: number;
  inFlight: string | undefined;
  timer: unknown;
}

/**
 * Messages that the server has not acknowledged. Each session is a lane of its own, one message on its way at a time:
 *
 *   add ──► waiting ──online, first in its lane──► sending ──acknowledged──► gone from here
 *              ▲                                     │  │
 *              ├──── lost, try later (with a pause) ─┘  └─ refused for good ──► refused ──discard──► gone
 *              └──────────────────────────── retry ───────────────────────────────┘
 *
 * A message is stored before it is sent and sent again under the same id until there is an answer; the server adds an id once.
 * So neither a lost acknowledgement nor a second tab with the same storage makes two of it.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #lanes = new Map<string, Lane>();
  /** In the storage when last seen. One that is missing there later was finished or discarded by another tab. */
  readonly #stored = new Set<string>();
  #isOnline = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const stored = this.#guard(() => options.storage.list()) ?? [];
    for (const message of stored.toSorted((a, b) => (a.messageId < b.messageId ? -1 : 1))) {
      this.#stored.add(message.messageId);
      this.#lane(message.sessionId).messages.push(message.state === 'sending' ? { ...message, state: 'waiting' } : message);
    }
  }

  /** Messages of one session, oldest first. A new list whenever something changed. */
  of(sessionId: string): readonly OutboxMessage[] {
    return [...(this.#lanes.get(sessionId)?.messages ?? [])];
  }

  add(message: OutboxMessage): void {
    this.#put(message);
    this.#lane(message.sessionId).messages.push(message);
    this.#options.onChange(message.sessionId);
    this.#pump(message.sessionId);
  }

  retry(sessionId: string, messageId: string): void {
    const message = this.#find(sessionId, messageId);
    if (message?.state !== 'refused') return;
    const { error: _error, ...rest } = message;
    this.#replace({ ...rest, state: 'waiting' });
    this.#pump(sessionId);
  }

  /** Takes a message back that is not on its way. One that is may already be in the history: cancel it there. */
  discard(sessionId: string, messageId: string): void {
    if (this.#lanes.get(sessionId)?.inFlight !== messageId) this.#forget(sessionId, messageId);
  }

  /** The message was seen in the history: that acknowledges it as well as an answer does. */
  confirm(sessionId: string, messageId: string): void {
    if (!this.#find(sessionId, messageId)) return;
    this.#forget(sessionId, messageId);
    this.#pump(sessionId);
  }

  setOnline(isOnline: boolean): void {
    this.#isOnline = isOnline;
    for (const [sessionId, lane] of this.#lanes) {
      this.#stopTimer(lane);
      lane.attempt = 0;
      if (isOnline) this.#pump(sessionId);
    }
  }

  /** Nothing is sent any more; what is stored stays stored. */
  close(): void {
    this.setOnline(false);
  }

  #pump(sessionId: string): void {
    const lane = this.#lane(sessionId);
    if (!this.#isOnline || lane.inFlight !== undefined || lane.timer !== undefined) return;
    const next = lane.messages.find((message) => message.state === 'waiting');
    if (!next) return;
    if (this.#isGoneFromStorage(next.messageId)) {
      this.#forget(sessionId, next.messageId);
      this.#pump(sessionId);
      return;
    }
    lane.inFlight = next.messageId;
    this.#replace({ ...next, state: 'sending' });
    void this.#send(lane, next);
  }

  async #send(lane: Lane, message: OutboxMessage): Promise<void> {
    const { sessionId, messageId, text, attachments, mode } = message;
    const result = await this.#options.execute({ sessionId, messageId, text, mode, ...(attachments ? { attachments } : {}) });
    lane.inFlight = undefined;
    const current = this.#find(sessionId, messageId);
    // Without one the history has confirmed it meanwhile.
    if (current) this.#settle(lane, current, outcomeOf(result, lane.attempt + 1, this.#options.random()));
    this.#pump(sessionId);
  }

  #settle(lane: Lane, message: OutboxMessage, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'acknowledged':
        lane.attempt = 0;
        this.#options.onAcknowledged(message, outcome.seq);
        this.#forget(message.sessionId, message.messageId);
        return;
      case 'refused':
        lane.attempt = 0;
        this.#replace({ ...message, state: 'refused', error: outcome.error });
        return;
      case 'try_later':
        this.#replace({ ...message, state: 'waiting' });
        // Offline there is nothing to wait for but the connection.
        if (this.#isOnline) this.#pause(lane, message.sessionId, outcome.delayMs);
    }
  }

  #pause(lane: Lane, sessionId: string, delayMs: number): void {
    lane.attempt += 1;
    lane.timer = this.#options.timers.set(() => {
      lane.timer = undefined;
      this.#pump(sessionId);
    }, delayMs);
  }

  #stopTimer(lane: Lane): void {
    if (lane.timer !== undefined) this.#options.timers.clear(lane.timer);
    lane.timer = undefined;
  }

  #lane(sessionId: string): Lane {
    const lane = this.#lanes.get(sessionId) ?? { messages: [], attempt: 0, inFlight: undefined, timer: undefined };
    this.#lanes.set(sessionId, lane);
    return lane;
  }

  #find(sessionId: string, messageId: string): OutboxMessage | undefined {
    return this.#lanes.get(sessionId)?.messages.find((message) => message.messageId === messageId);
  }

  #replace(message: OutboxMessage): void {
    const { messages } = this.#lane(message.sessionId);
    const index = messages.findIndex((other) => other.messageId === message.messageId);
    if (index < 0) return;
    messages[index] = message;
    // That it is on its way is true of this process only, and another tab may have removed it: neither is written.
    if (message.state !== 'sending' && !this.#isGoneFromStorage(message.messageId)) this.#put(message);
    this.#options.onChange(message.sessionId);
  }

  #forget(sessionId: string, messageId: string): void {
    const lane = this.#lane(sessionId);
    const index = lane.messages.findIndex((message) => message.messageId === messageId);
    if (index < 0) return;
    lane.messages.splice(index, 1);
    this.#stored.delete(messageId);
    this.#guard(() => this.#options.storage.remove(messageId));
    this.#options.onChange(sessionId);
  }

  #put(message: OutboxMessage): void {
    const isPut = this.#guard(() => {
      this.#options.storage.put(message);
      return true;
    });
    if (isPut) this.#stored.add(message.messageId);
  }

  #isGoneFromStorage(messageId: string): boolean {
    if (!this.#stored.has(messageId)) return false;
    const stored = this.#guard(() => this.#options.storage.list());
    return stored !== undefined && !stored.some((message) => message.messageId === messageId);
  }

  /** A full or forbidden storage must not lose the message that is being written: it goes on in memory. */
  #guard<T>(use: () => T): T | undefined {
    try {
      return use();
    } catch (error) {
      this.#options.onStorageError(error);
      return undefined;
    }
  }
}
