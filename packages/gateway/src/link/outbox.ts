import type { Log } from '@tendon/protocol';
import { failedResult, type ToolResult } from '@tendon/protocol';
import { acknowledged } from './acknowledgement.ts';
import { retryDelayMs } from './connection.ts';
import type { GatewaySocket } from './gateway-socket.ts';

/*
 * A result:
 *
 *   waiting ──online, and a place is free──► sent ──acknowledged──► gone (the call is forgotten)
 *      ▲                                      ├──silence: the connection is given up ──┐
 *      ├──────────connection lost─────────────┘                                        │
 *      ├──try later ──timer── delayed ◄───────── rate limited, unavailable             │
 *      └───────────────────────────────────────────────────────────────────────────────┘
 *   sent ──refused for good──► replaced once by a result that says so ──refused again──► gone
 */

interface Item {
  result: ToolResult;
  state: 'waiting' | 'sent' | 'delayed';
  failures: number;
  isReplaced: boolean;
}

export interface OutboxOptions {
  readonly online: () => GatewaySocket | undefined;
  readonly giveUp: (cause: string) => void;
  readonly acknowledged: (callId: string) => void;
  readonly log: Log;
  readonly random: () => number;
}

const IN_FLIGHT = 8;
const ACK_TIMEOUT_MS = 15_000;

/** Results that the server has not acknowledged yet. They are sent again after every reconnect, several at a time. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #items = new Map<string, Item>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #emptied = new Set<() => void>();
  /** Counts connections: an answer that belongs to an earlier one says nothing about what was sent on this one. */
  #epoch = 0;
  #isClosed = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#items.size;
  }

  /** Adds a result, or sends a known one once more. */
  add(callId: string, result: ToolResult): void {
    if (this.#isClosed) return;
    const known = this.#items.get(callId);
    if (!known) this.#items.set(callId, { result, state: 'waiting', failures: 0, isReplaced: false });
    this.pump();
  }

  remove(callId: string): void {
    this.#items.delete(callId);
    if (this.#items.size === 0) for (const wake of this.#emptied) wake();
  }

  /** The connection is a new one, or gone: whatever was under way has to be sent again. */
  restart(): void {
    this.#epoch += 1;
    for (const item of this.#items.values()) item.state = 'waiting';
    this.pump();
  }

  pump(): void {
    const socket = this.#options.online();
    if (!socket || this.#isClosed) return;
    let inFlight = [...this.#items.values()].filter((item) => item.state === 'sent').length;
    for (const [callId, item] of this.#items) {
      if (inFlight >= IN_FLIGHT) return;
      if (item.state !== 'waiting') continue;
      item.state = 'sent';
      inFlight += 1;
      void this.#send(socket, callId, item);
    }
  }

  /** Resolves when everything is acknowledged, or after `limitMs`. */
  async flushed(limitMs: number): Promise<void> {
    if (this.#items.size === 0 || !this.#options.online()) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#emptied.delete(done);
        resolve();
      };
      const timer = setTimeout(done, limitMs);
      this.#emptied.add(done);
    });
  }

  /** Stops sending. What is not acknowledged stays in the journal. May be called twice. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  async #send(socket: GatewaySocket, callId: string, item: Item): Promise<void> {
    const epoch = this.#epoch;
    const answer = await acknowledged('tool:result', socket.request('tool:result', { callId, result: item.result }, ACK_TIMEOUT_MS));
    if (this.#items.get(callId) !== item || this.#isClosed) return;
    if (answer.kind === 'ok') {
      this.remove(callId);
      this.#options.acknowledged(callId);
      return this.pump();
    }
    if (epoch !== this.#epoch) return;
    if (answer.kind === 'silent') {
      item.state = 'waiting';
      return this.#options.giveUp(`a result was not acknowledged: ${answer.cause}`);
    }
    // `conflict` means that the greeting did not hold; like a passing fault it is tried again.
    if (answer.isRetryable || answer.code === 'conflict') return this.#later(item, answer.retryAfterMs);
    this.#replace(callId, item, answer);
  }

  #later(item: Item, retryAfterMs: number | undefined): void {
    item.state = 'delayed';
    item.failures += 1;
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        if (item.state === 'delayed') item.state = 'waiting';
        this.pump();
      },
      retryDelayMs(item.failures, this.#options.random(), retryAfterMs),
    );
    this.#timers.add(timer);
  }

  /** The server will never take this result. One that says so ends the call; a server that does not take even that one has forgotten the call. */
  #replace(callId: string, item: Item, why: { code: string; message: string }): void {
    this.#options.log.error({ callId, code: why.code, reason: why.message }, 'the server does not take a result');
    if (item.isReplaced || why.code === 'not_found') {
      this.remove(callId);
      this.#options.acknowledged(callId);
    } else {
      item.result = failedResult('result_refused', `The call is over, but the server did not take its result (${why.code}: ${why.message.slice(0, 1_000)}).`);
      item.isReplaced = true;
      item.state = 'waiting';
    }
    this.pump();
  }
}
