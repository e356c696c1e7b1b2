import type { AgentNoticeName, AgentNotices } from '@tendon/protocol';
import type { Socket } from 'socket.io';
import { unsentBytes } from './wire.ts';

const LOOK_AGAIN_MS = 50;

/**
 * Notices of which only the newest counts, to one connection: one leaves when its reader has taken all that was sent before. Until then it waits,
 * and a newer one of the same key takes its place, so that nothing piles up for whoever reads slowly, and the last one is never lost.
 */
export class NewestNotices {
  readonly #socket: Socket;
  readonly #waiting = new Map<string, () => void>();
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.once('disconnect', () => this.#end());
  }

  offer<Name extends AgentNoticeName>(key: string, name: Name, notice: AgentNotices[Name]): void {
    if (!this.#socket.connected) return;
    this.#waiting.set(key, () => void this.#socket.emit(name, notice));
    this.#sendSoon();
  }

  #sendSoon(): void {
    if (this.#timer !== undefined) return;
    for (const [key, send] of this.#waiting) {
      if (!this.#isFree) break;
      this.#waiting.delete(key);
      send();
    }
    if (this.#waiting.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sendSoon();
    }, LOOK_AGAIN_MS);
  }

  get #isFree(): boolean {
    const { conn } = this.#socket;
    // Engine.IO types hide both; a poll that nobody has asked for yet is not writable either.
    const { transport, writeBuffer } = conn as unknown as { transport: { writable: boolean }; writeBuffer: readonly unknown[] };
    return transport.writable && writeBuffer.length === 0 && unsentBytes(conn) === 0;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#waiting.clear();
  }
}
