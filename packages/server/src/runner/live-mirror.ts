import type { Delta, Live, Message, Part } from '@tendon/protocol';

interface MirroredPart {
  readonly kind: Delta['kind'];
  readonly callId: string | undefined;
  /** Where `text` begins; above 0 for the input of a call whose beginning was never shown here. */
  readonly from: number;
  text: string;
  /** Up to where those who are attached here have been told; -1 before they know of the part. */
  told: number;
}

/** The unfinished message of a turn that another node runs, as far as it has been heard here. */
export class LiveMirror {
  readonly sessionId: string;
  readonly messageId: string;
  #parts: MirroredPart[] = [];

  constructor({ sessionId, messageId }: Pick<Delta, 'sessionId' | 'messageId'>) {
    this.sessionId = sessionId;
    this.messageId = messageId;
  }

  /** Takes the next piece. False when something before it is missing; a repeat changes nothing. */
  add({ part: index, kind, offset, text, callId }: Delta): boolean {
    const part = this.#parts[index];
    if (!part) {
      if (index > this.#parts.length || offset > 0) return false;
      this.#parts.push({ kind, callId, from: 0, text, told: -1 });
      return true;
    }
    const end = part.from + part.text.length;
    if (offset > end) return false;
    part.text += text.slice(end - offset);
    return true;
  }

  /** Takes the whole message. What was told here of it stays told. */
  replace({ message, offsets }: Live): void {
    this.#parts = message.parts.map((part, index): MirroredPart => {
      const known = this.#parts[index];
      const end = offsets[index] ?? 0;
      if (part.type === 'text' || part.type === 'reasoning')
        return { kind: part.type, callId: undefined, from: 0, text: part.text, told: Math.min(end, known?.told ?? -1) };
      // The input so far is not shown: those who follow it go on where it is now.
      const callId = part.type === 'tool_call' ? part.callId : undefined;
      return { kind: 'tool_input', callId, from: end, text: '', told: known === undefined ? -1 : end };
    });
  }

  /** Tells what those who are attached have not been told. */
  flush(emit: (delta: Delta) => void): void {
    this.#parts.forEach((part, index) => {
      const end = part.from + part.text.length;
      if (part.told === end) return;
      const offset = Math.max(part.from, part.told);
      const { sessionId, messageId } = this;
      const call = part.callId === undefined ? {} : { callId: part.callId };
      const text = part.text.slice(offset - part.from);
      part.told = end;
      emit({ sessionId, messageId, part: index, kind: part.kind, offset, text, ...call });
    });
  }

  /** A snapshot for somebody who attaches now. */
  live(message: Omit<Message, 'parts'>): Live {
    const parts = this.#parts.map((part): Part => {
      if (part.kind === 'tool_input') return { type: 'tool_call', callId: part.callId ?? '' };
      return { type: part.kind === 'reasoning' ? 'reasoning' : 'text', text: part.text };
    });
    return { message: { ...message, parts }, offsets: this.#parts.map((part) => part.from + part.text.length) };
  }
}
