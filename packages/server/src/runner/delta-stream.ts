import type { Delta, Live, Message, Part } from '@tendon/protocol';

interface OpenPart {
  readonly kind: Delta['kind'];
  /** Made when the model begins a call, so that its streaming input already has the id it will keep. */
  readonly callId?: string;
  text: string;
  /** How much of `text` clients have been sent, in UTF-16 units; -1 before they know of the part. */
  sent: number;
}

export interface DeltaStreamOptions {
  readonly sessionId: string;
  readonly messageId: string;
  readonly emit: (delta: Delta) => void;
  readonly newId: () => string;
  /** Asked before anything leaves; what is held back leaves with the next flush that may. */
  readonly mayEmit: () => boolean;
}

/**
 * The unfinished message of one turn: what has streamed so far, and how much of it clients have seen.
 *
 *   open ──freeze──► frozen ──thaw──► open
 *     └────close────► closed
 *
 * Tokens that arrive within one turn of the event loop leave as one delta; no commit stands between a token and its delta.
 */
export class DeltaStream {
  readonly #options: DeltaStreamOptions;
  readonly #parts: OpenPart[] = [];
  #mode: 'open' | 'frozen' | 'closed' = 'open';
  #isScheduled = false;
  /** Raised by every token, so that a saver knows whether there is something new. */
  version = 0;

  constructor(options: DeltaStreamOptions) {
    this.#options = options;
  }

  partStarted(index: number, part: { type: 'text' | 'reasoning' } | { type: 'tool_call'; tool: string }): void {
    this.#parts[index] =
      part.type === 'tool_call' ? { kind: 'tool_input', callId: this.#options.newId(), text: '', sent: -1 } : { kind: part.type, text: '', sent: -1 };
    this.#schedule();
  }

  append(index: number, text: string): void {
    const part = this.#parts[index];
    if (!part || this.#mode === 'closed') return;
    part.text += text;
    this.version += 1;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || this.#mode !== 'open') return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.flush();
    });
  }

  get mayShow(): boolean {
    return this.#mode === 'open' && this.#options.mayEmit();
  }

  /** Sends what clients have not seen. */
  flush(): void {
    if (!this.mayShow) return;
    this.#parts.forEach((part, index) => {
      if (part.sent === part.text.length) return;
      const { sessionId, messageId } = this.#options;
      const offset = Math.max(0, part.sent);
      const call = part.callId === undefined ? {} : { callId: part.callId };
      const delta: Delta = { sessionId, messageId, part: index, kind: part.kind, offset, text: part.text.slice(offset), ...call };
      part.sent = part.text.length;
      this.#options.emit(delta);
    });
  }

  /** Holds back everything from now on: a stop is being committed, and no token may follow it. */
  freeze(): void {
    if (this.#mode === 'open') this.#mode = 'frozen';
  }

  /** The stop did not commit: go on. */
  thaw(): void {
    if (this.#mode !== 'frozen') return;
    this.#mode = 'open';
    this.flush();
  }

  close(): void {
    this.#mode = 'closed';
  }

  callId(index: number): string {
    return this.#parts[index]?.callId ?? this.#options.newId();
  }

  /** Text and reasoning so far; calls that are still being written are not part of a message yet. */
  keptParts(): Part[] {
    return this.#parts.flatMap((part): Part[] => {
      if (part.kind === 'text') return [{ type: 'text', text: part.text }];
      return part.kind === 'reasoning' ? [{ type: 'reasoning', text: part.text }] : [];
    });
  }

  /** A snapshot for someone who attaches now; what clients have not been sent yet leaves first. */
  live(message: Omit<Message, 'parts'>): Live {
    this.flush();
    const parts = this.#parts.map((part): Part => {
      if (part.kind === 'tool_input') return { type: 'tool_call', callId: part.callId ?? '' };
      return { type: part.kind === 'reasoning' ? 'reasoning' : 'text', text: part.text };
    });
    return { message: { ...message, parts }, offsets: this.#parts.map((part) => part.text.length) };
  }
}
