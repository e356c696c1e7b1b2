import type { LanguageModelV4StreamPart } from '@ai-sdk/provider';
import type { StepPart, StepSink } from './model-port.ts';

/** Pieces are kept apart and joined once at the end: per piece the cost is one append. */
type OpenPart =
  | { readonly type: 'text' | 'reasoning'; text: string }
  | { readonly type: 'tool_call'; readonly tool: string; inputText: string; metadata?: unknown };

/**
 * Makes the parts of the answer out of the provider's stream and tells the sink. A part begins with its first text, so none is empty;
 * a provider may use an id again after it has ended.
 */
export class PartCollector {
  readonly #sink: StepSink;
  readonly #ownName: (name: string) => string;
  readonly #parts: OpenPart[] = [];
  /** Part index by the provider's id of what is open. */
  readonly #open = new Map<string, number>();

  constructor(sink: StepSink, ownName: (name: string) => string) {
    this.#sink = sink;
    this.#ownName = ownName;
  }

  /** Takes what carries content; anything else changes nothing. */
  take(part: LanguageModelV4StreamPart): void {
    switch (part.type) {
      case 'text-delta':
        this.#text('text', part.id, part.delta);
        return;
      case 'reasoning-delta':
        this.#text('reasoning', part.id, part.delta);
        return;
      case 'text-end':
        this.#open.delete(`text ${part.id}`);
        return;
      case 'reasoning-end':
        this.#open.delete(`reasoning ${part.id}`);
        return;
      case 'tool-input-start':
        if (part.providerExecuted !== true) this.#call(part.id, part.toolName);
        return;
      case 'tool-input-delta':
        this.#input(part.id, part.delta);
        return;
      case 'tool-call':
        if (part.providerExecuted !== true) this.#completeCall(part);
        return;
      default:
        return;
    }
  }

  /** Whether anything has come that a person may have seen. */
  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  /** Whether there is text or a call: reasoning alone is no answer. */
  get hasAnswer(): boolean {
    return this.#parts.some((part) => part.type === 'tool_call' || (part.type === 'text' && part.text.trim() !== ''));
  }

  parts(): StepPart[] {
    return this.#parts.map((part) => ({ ...part }));
  }

  #text(type: 'text' | 'reasoning', id: string, delta: string): void {
    if (delta === '') return;
    const key = `${type} ${id}`;
    let index = this.#open.get(key);
    if (index === undefined) {
      index = this.#parts.push({ type, text: '' }) - 1;
      this.#open.set(key, index);
      this.#sink.partStarted(index, { type });
    }
    const part = this.#parts[index];
    if (part?.type !== type) return;
    part.text += delta;
    this.#sink.delta(index, delta);
  }

  #call(id: string, toolName: string): number {
    const tool = this.#ownName(toolName);
    const index = this.#parts.push({ type: 'tool_call', tool, inputText: '' }) - 1;
    this.#open.set(`call ${id}`, index);
    this.#sink.partStarted(index, { type: 'tool_call', tool });
    return index;
  }

  #input(id: string, delta: string): void {
    const index = this.#open.get(`call ${id}`);
    const part = index === undefined ? undefined : this.#parts[index];
    if (index === undefined || part?.type !== 'tool_call' || delta === '') return;
    part.inputText += delta;
    this.#sink.delta(index, delta);
  }

  #completeCall(call: Extract<LanguageModelV4StreamPart, { type: 'tool-call' }>): void {
    const index = this.#open.get(`call ${call.toolCallId}`) ?? this.#call(call.toolCallId, call.toolName);
    this.#open.delete(`call ${call.toolCallId}`);
    const part = this.#parts[index];
    if (part?.type !== 'tool_call') return;
    if (call.input.startsWith(part.inputText) && call.input.length > part.inputText.length) this.#sink.delta(index, call.input.slice(part.inputText.length));
    part.inputText = call.input;
    const metadata = signatures(call.providerMetadata);
    if (metadata) part.metadata = metadata;
  }
}

/**
 * Of a provider's metadata only thought signatures are given back to it with the call: the others name things that are kept at the
 * provider, which our requests do not rely on.
 */
function signatures(
  metadata: Readonly<Record<string, Readonly<Record<string, unknown>>>> | undefined,
): Record<string, { thoughtSignature: unknown }> | undefined {
  const signed = Object.entries(metadata ?? {}).flatMap(([provider, values]) => {
    const thoughtSignature = values.thoughtSignature;
    return thoughtSignature === undefined || thoughtSignature === null ? [] : [[provider, { thoughtSignature }] as const];
  });
  return signed.length === 0 ? undefined : Object.fromEntries(signed);
}
