import { type Dialect, type StreamEvent, serverSentEvent } from './dialect.ts';

type Block = { readonly kind: 'text' | 'thinking' } | { readonly kind: 'tool_use'; readonly id: string };

/** Anthropic's messages: a stream of blocks, one open at a time. */
export const messagesDialect: Dialect = {
  name: 'messages',
  path: '/v1/messages',
  interleavesCalls: false,
  newStream: (model) => {
    const stream = new MessageStream(model);
    return (event) => stream.encode(event);
  },
  errorBody: (status, message) => ({ type: 'error', error: { type: errorType(status), message } }),
};

class MessageStream {
  readonly #model: string;
  #index = -1;
  #open: Block | undefined;

  constructor(model: string) {
    this.#model = model;
  }

  encode(event: StreamEvent): string {
    switch (event.type) {
      case 'start':
        return typed({ type: 'message_start', message: this.#emptyMessage() });
      case 'text':
        return this.#enter({ kind: 'text' }, { type: 'text', text: '' }) + this.#delta({ type: 'text_delta', text: event.text });
      case 'reasoning':
        return this.#enter({ kind: 'thinking' }, { type: 'thinking', thinking: '' }) + this.#delta({ type: 'thinking_delta', thinking: event.text });
      case 'call':
        return this.#enter({ kind: 'tool_use', id: event.id }, { type: 'tool_use', id: event.id, name: event.name, input: {} });
      case 'input':
        return this.#delta({ type: 'input_json_delta', partial_json: event.text });
      case 'finish':
        return (
          this.#leave() +
          typed({
            type: 'message_delta',
            delta: { stop_reason: event.hasCalls ? 'tool_use' : 'end_turn', stop_sequence: null },
            usage: { input_tokens: event.usage.inputTokens, output_tokens: event.usage.outputTokens },
          }) +
          typed({ type: 'message_stop' })
        );
      case 'error':
        return typed({ type: 'error', error: { type: 'overloaded_error', message: event.message } });
    }
  }

  #enter(block: Block, start: object): string {
    if (this.#open?.kind === block.kind && block.kind !== 'tool_use') return '';
    const left = this.#leave();
    this.#index += 1;
    this.#open = block;
    return left + typed({ type: 'content_block_start', index: this.#index, content_block: start });
  }

  #leave(): string {
    if (!this.#open) return '';
    const signature = this.#open.kind === 'thinking' ? this.#delta({ type: 'signature_delta', signature: 'scripted' }) : '';
    this.#open = undefined;
    return signature + typed({ type: 'content_block_stop', index: this.#index });
  }

  #delta(delta: object): string {
    return typed({ type: 'content_block_delta', index: this.#index, delta });
  }

  #emptyMessage(): object {
    const usage = { input_tokens: 0, output_tokens: 0 };
    return { id: 'msg_scripted', type: 'message', role: 'assistant', model: this.#model, content: [], stop_reason: null, stop_sequence: null, usage };
  }
}

function typed(event: { readonly type: string; readonly [field: string]: unknown }): string {
  return serverSentEvent(event, event.type);
}

function errorType(status: number): string {
  const known: Record<number, string> = {
    400: 'invalid_request_error',
    401: 'authentication_error',
    404: 'not_found_error',
    429: 'rate_limit_error',
    529: 'overloaded_error',
  };
  return known[status] ?? 'api_error';
}
