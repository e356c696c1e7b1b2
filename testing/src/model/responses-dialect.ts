import { type Dialect, type StreamEvent, serverSentEvent } from './dialect.ts';

type Item = { readonly type: 'message' | 'reasoning' | 'function_call'; readonly id: string; readonly callId?: string; readonly name?: string };

/** OpenAI's responses: a stream of output items, one open at a time. */
export const responsesDialect: Dialect = {
  name: 'responses',
  path: '/v1/responses',
  interleavesCalls: false,
  newStream: (model) => {
    const stream = new ResponseStream(model);
    return (event) => stream.encode(event);
  },
  errorBody: (status, message) => ({ error: { message, type: status === 429 ? 'rate_limit_error' : 'api_error', param: null, code: String(status) } }),
};

class ResponseStream {
  readonly #model: string;
  #sequence = 0;
  #index = -1;
  #open: Item | undefined;
  #arguments = '';

  constructor(model: string) {
    this.#model = model;
  }

  encode(event: StreamEvent): string {
    switch (event.type) {
      case 'start':
        return this.#send('response.created', { response: this.#response() });
      case 'text':
        return this.#enter({ type: 'message', id: `msg_${this.#index + 1}` }) + this.#delta('response.output_text.delta', event.text);
      case 'reasoning':
        return (
          this.#enter({ type: 'reasoning', id: `rs_${this.#index + 1}` }) +
          this.#delta('response.reasoning_summary_text.delta', event.text, { summary_index: 0 })
        );
      case 'call':
        return this.#leave() + this.#enter({ type: 'function_call', id: `fc_${event.id}`, callId: event.id, name: event.name });
      case 'input':
        this.#arguments += event.text;
        return this.#delta('response.function_call_arguments.delta', event.text);
      case 'finish':
        return this.#leave() + this.#send('response.completed', { response: { ...this.#response(), usage: usageOf(event.usage) } });
      case 'error':
        return this.#send('error', { error: { type: 'server_error', code: 'server_error', message: event.message, param: null } });
    }
  }

  #enter(item: Item): string {
    if (this.#open?.type === item.type) return '';
    const left = this.#leave();
    this.#index += 1;
    this.#open = item;
    this.#arguments = '';
    return left + this.#send('response.output_item.added', { item: this.#wire('in_progress') });
  }

  #leave(): string {
    if (!this.#open) return '';
    const isCall = this.#open.type === 'function_call';
    const done = isCall ? this.#send('response.function_call_arguments.done', { item_id: this.#open.id, arguments: this.#arguments }) : '';
    const item = this.#send('response.output_item.done', { item: this.#wire('completed') });
    this.#open = undefined;
    return done + item;
  }

  #wire(status: string): object {
    const { type, id, callId, name } = this.#open ?? { type: 'message', id: '' };
    if (type === 'function_call') return { type, id, call_id: callId, name, arguments: this.#arguments, status };
    return type === 'reasoning' ? { type, id, summary: [] } : { type, id, role: 'assistant', status, content: [] };
  }

  #delta(type: string, delta: string, more: object = {}): string {
    return this.#send(type, { item_id: this.#open?.id, content_index: 0, delta, ...more });
  }

  #send(type: string, fields: object): string {
    const event = { type, sequence_number: this.#sequence, output_index: Math.max(0, this.#index), ...fields };
    this.#sequence += 1;
    return serverSentEvent(event, type);
  }

  #response(): object {
    return { id: 'resp_scripted', object: 'response', created_at: 1_700_000_000, model: this.#model, status: 'in_progress', output: [] };
  }
}

function usageOf(usage: { readonly inputTokens: number; readonly outputTokens: number }): object {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: usage.inputTokens + usage.outputTokens,
  };
}
