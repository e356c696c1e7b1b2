import { cleanText } from '@tendon/protocol/truncation';
import type { GatewaySocket } from './gateway-socket.ts';

/** One packet per so many milliseconds for all calls together: at most 33 of the 50 events a second that the server allows. */
const TICK_MS = 30;
/** A call that prints faster than this per turn loses the older part of its live output; the result has both ends. */
const PENDING_UNITS = 64 * 1024;

interface Pending {
  /** Place of `text` in the call's output, in UTF-16 units. */
  offset: number;
  text: string;
}

/** Live output, coalesced: calls take turns, and memory is bounded whatever they print. Best effort by nature. */
export class OutputPump {
  readonly #online: () => GatewaySocket | undefined;
  readonly #pending = new Map<string, Pending>();
  /** Where the next output of each running call begins. */
  readonly #ends = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(online: () => GatewaySocket | undefined) {
    this.#online = online;
  }

  add(callId: string, text: string): void {
    const end = this.#ends.get(callId) ?? 0;
    const pending = this.#pending.get(callId) ?? { offset: end, text: '' };
    pending.text += cleanText(text);
    this.#ends.set(callId, end + text.length);
    const excess = pending.text.length - PENDING_UNITS;
    if (excess > 0) {
      const cut = isLowSurrogate(pending.text.charCodeAt(excess)) ? excess + 1 : excess;
      pending.text = pending.text.slice(cut);
      pending.offset += cut;
    }
    this.#pending.set(callId, pending);
    this.#timer ??= setTimeout(() => this.#tick(), TICK_MS);
  }

  /** The call is over: its last piece goes out at once, before the result does. */
  finish(callId: string): void {
    this.#send(callId);
    this.#ends.delete(callId);
  }

  /** May be called twice. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.clear();
    this.#ends.clear();
  }

  #tick(): void {
    this.#timer = undefined;
    const [next] = this.#pending.keys();
    if (next === undefined) return;
    // A slow connection is waited for: meanwhile the pieces grow together, up to their bound.
    const socket = this.#online();
    if (!socket || socket.isWritable) this.#send(next);
    if (this.#pending.size > 0) this.#timer = setTimeout(() => this.#tick(), TICK_MS);
  }

  /** Taken out and, by the next `add`, put at the end of the map: so the calls take turns. */
  #send(callId: string): void {
    const pending = this.#pending.get(callId);
    this.#pending.delete(callId);
    if (pending && pending.text !== '') this.#online()?.hint('tool:output', { callId, offset: pending.offset, text: pending.text });
  }
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
