import { type Dialect, type StreamEvent, serverSentEvent } from './dialect.ts';

/** OpenAI's chat completions, as every compatible server streams them. */
export const chatDialect: Dialect = {
  name: 'chat',
  path: '/v1/chat/completions',
  interleavesCalls: true,
  newStream(model) {
    const indexOf = new Map<string, number>();
    const chunk = (delta: unknown, finish: string | null = null): string =>
      serverSentEvent({ ...envelope(model), choices: [{ index: 0, delta, finish_reason: finish }] });
    return (event) => {
      if (event.type === 'call') indexOf.set(event.id, indexOf.size);
      return chunkOf(event, { chunk, model, index: (id) => indexOf.get(id) ?? 0 });
    };
  },
  errorBody: (status, message) => ({ error: { message, type: status === 429 ? 'rate_limit_error' : 'api_error', param: null, code: status } }),
};

interface ChunkTools {
  readonly chunk: (delta: unknown, finish?: string | null) => string;
  readonly model: string;
  readonly index: (callId: string) => number;
}

function chunkOf(event: StreamEvent, { chunk, model, index }: ChunkTools): string {
  switch (event.type) {
    case 'start':
      return chunk({ role: 'assistant', content: '' });
    case 'text':
      return chunk({ content: event.text });
    case 'reasoning':
      return chunk({ reasoning_content: event.text });
    case 'call':
      return chunk({ tool_calls: [{ index: index(event.id), id: event.id, type: 'function', function: { name: event.name, arguments: '' } }] });
    case 'input':
      return chunk({ tool_calls: [{ index: index(event.id), function: { arguments: event.text } }] });
    case 'finish': {
      const { inputTokens, outputTokens } = event.usage;
      const usage = { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
      return chunk({}, event.hasCalls ? 'tool_calls' : 'stop') + serverSentEvent({ ...envelope(model), choices: [], usage }) + serverSentEvent('[DONE]');
    }
    case 'error':
      return serverSentEvent({ error: { message: event.message, type: 'server_error', param: null, code: null } });
  }
}

function envelope(model: string): object {
  return { id: 'chatcmpl-scripted', object: 'chat.completion.chunk', created: 1_700_000_000, model };
}
