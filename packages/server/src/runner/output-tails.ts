/** How much live output is kept of a running call for those who attach later, in UTF-16 units. */
const TAIL_LENGTH = 256 * 1024;

interface Tail {
  readonly sessionId: string;
  offset: number;
  text: string;
}

/** Live output of the calls that run now. Lost with the process: the result carries what matters. */
export class OutputTails {
  readonly #tails = new Map<string, Tail>();

  open(callId: string, sessionId: string): void {
    if (!this.#tails.has(callId)) this.#tails.set(callId, { sessionId, offset: 0, text: '' });
  }

  close(callId: string): void {
    this.#tails.delete(callId);
  }

  /** The session is gone, and with it whoever would have told the end of its calls. */
  closeSession(sessionId: string): void {
    for (const [callId, tail] of this.#tails) if (tail.sessionId === sessionId) this.#tails.delete(callId);
  }

  sessionOf(callId: string): string | undefined {
    return this.#tails.get(callId)?.sessionId;
  }

  /** Takes output at its place. A hole (output lost on the way) moves the tail on; what is known already is dropped. Answers with what is new. */
  add(callId: string, offset: number, text: string): { offset: number; text: string } | undefined {
    const tail = this.#tails.get(callId);
    if (!tail) return undefined;
    const end = tail.offset + tail.text.length;
    const known = Math.max(0, end - offset);
    if (known >= text.length) return undefined;
    const added = text.slice(known);
    if (offset > end) Object.assign(tail, { offset, text: '' });
    tail.text += added;
    if (tail.text.length > 2 * TAIL_LENGTH) {
      tail.offset += tail.text.length - TAIL_LENGTH;
      tail.text = tail.text.slice(-TAIL_LENGTH);
    }
    return { offset: Math.max(offset, end), text: added };
  }

  ofSession(sessionId: string): { callId: string; offset: number; text: string }[] {
    return [...this.#tails]
      .filter(([, tail]) => tail.sessionId === sessionId && tail.text !== '')
      .map(([callId, { offset, text }]) => ({ callId, offset, text }));
  }
}
