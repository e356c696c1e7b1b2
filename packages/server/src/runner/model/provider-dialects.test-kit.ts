import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ModelConfig } from './model-port.ts';

/** One request that the scripted provider got. `closed` settles when its connection ends. */
export interface SeenRequest {
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Record<string, unknown>;
  readonly closed: Promise<void>;
}

export type Reply = (response: ServerResponse, request: SeenRequest) => void | Promise<void>;

/** A provider on real HTTP whose replies are scripted, one per request; the last one stays. */
export class ScriptedProvider {
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  #replies: Reply[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<ScriptedProvider> {
    const server = createServer();
    const provider = new ScriptedProvider(server);
    server.on('request', (request, response) => void provider.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return provider;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  script(...replies: Reply[]): void {
    this.#replies = replies;
    this.requests.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const closed = new Promise<void>((resolve) => response.on('close', () => resolve()));
    const text = Buffer.concat(chunks).toString('utf8');
    const seen = { url: request.url ?? '', headers: request.headers, body: text === '' ? {} : JSON.parse(text), closed };
    this.requests.push(seen);
    const reply = this.#replies.length > 1 ? this.#replies.shift() : this.#replies[0];
    await reply?.(response, seen);
  }
}

/** How a provider puts the same answer on the wire. */
export interface Dialect {
  readonly name: string;
  readonly model: string;
  readonly key: string;
  config(url: string): ModelConfig;
  begin(response: ServerResponse): void;
  text(response: ServerResponse, text: string): void;
  reasoning(response: ServerResponse, text: string): void;
  /** All of a call, its input in pieces. `index` counts the calls of the answer. */
  call(response: ServerResponse, call: { index: number; tool: string; pieces: readonly string[] }): void;
  error(response: ServerResponse): void;
  finish(response: ServerResponse, reason: 'stop' | 'length' | 'tool' | 'filter'): void;
  /** The HTTP body of a refused request. */
  refusal(message: string): string;
}

function head(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

function chat(response: ServerResponse, delta: unknown, more: Record<string, unknown> = {}): void {
  response.write(`data: ${JSON.stringify({ id: 'x', created: 1, model: 'm', choices: [{ index: 0, delta, ...more }] })}\n\n`);
}

export const COMPATIBLE: Dialect = {
  name: 'compatible',
  model: 'compatible/org/small',
  key: 'secret-compatible-key',
  config: (url) => ({ compatibleUrl: `${url}/v1/`, compatibleKey: 'secret-compatible-key' }),
  begin: head,
  text: (response, text) => chat(response, { content: text }),
  reasoning: (response, text) => chat(response, { reasoning_content: text }),
  call(response, { index, tool, pieces }) {
    chat(response, { tool_calls: [{ index, id: `call_${index}`, type: 'function', function: { name: tool, arguments: '' } }] });
    for (const piece of pieces) chat(response, { tool_calls: [{ index, function: { arguments: piece } }] });
  },
  error: (response) => void response.write(`data: ${JSON.stringify({ error: { message: 'the engine broke', type: 'server_error' } })}\n\n`),
  finish(response, reason) {
    const reasons = { stop: 'stop', length: 'length', tool: 'tool_calls', filter: 'content_filter' };
    chat(response, {}, { finish_reason: reasons[reason] });
    response.write(`data: ${JSON.stringify({ id: 'x', choices: [], usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } })}\n\n`);
    response.end('data: [DONE]\n\n');
  },
  refusal: (message) => JSON.stringify({ error: { message, type: 'invalid_request_error' } }),
};

const blocks = new WeakMap<ServerResponse, { index: number; open?: string | undefined }>();

function event(response: ServerResponse, data: { type: string } & Record<string, unknown>): void {
  response.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`);
}

/** Anthropic's blocks are opened and closed by number; the open one goes on while the kind stays the same. */
function block(response: ServerResponse, kind: string, content: Record<string, unknown>): number {
  const state = blocks.get(response) ?? { index: -1 };
  blocks.set(response, state);
  if (state.open === kind) return state.index;
  endBlock(response);
  state.index += 1;
  state.open = kind;
  event(response, { type: 'content_block_start', index: state.index, content_block: content });
  return state.index;
}

function endBlock(response: ServerResponse): void {
  const state = blocks.get(response);
  if (state?.open === undefined) return;
  event(response, { type: 'content_block_stop', index: state.index });
  state.open = undefined;
}

export const ANTHROPIC: Dialect = {
  name: 'anthropic',
  model: 'anthropic/claude-test',
  key: 'secret-anthropic-key',
  config: (url) => ({ anthropicKey: 'secret-anthropic-key', baseUrls: { anthropic: `${url}/v1` } }),
  begin(response) {
    head(response);
    event(response, {
      type: 'message_start',
      message: {
        id: 'm',
        type: 'message',
        role: 'assistant',
        model: 'claude-test',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 11, output_tokens: 1 },
      },
    });
  },
  text(response, text) {
    event(response, { type: 'content_block_delta', index: block(response, 'text', { type: 'text', text: '' }), delta: { type: 'text_delta', text } });
  },
  reasoning(response, text) {
    const index = block(response, 'thinking', { type: 'thinking', thinking: '' });
    event(response, { type: 'content_block_delta', index, delta: { type: 'thinking_delta', thinking: text } });
  },
  call(response, { index, tool, pieces }) {
    const at = block(response, `call ${index}`, { type: 'tool_use', id: `toolu_${index}`, name: tool, input: {} });
    for (const piece of pieces) event(response, { type: 'content_block_delta', index: at, delta: { type: 'input_json_delta', partial_json: piece } });
  },
  error: (response) => event(response, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } }),
  finish(response, reason) {
    endBlock(response);
    const reasons = { stop: 'end_turn', length: 'max_tokens', tool: 'tool_use', filter: 'refusal' };
    event(response, { type: 'message_delta', delta: { stop_reason: reasons[reason], stop_sequence: null }, usage: { output_tokens: 7 } });
    event(response, { type: 'message_stop' });
    response.end();
  },
  refusal: (message) => JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message } }),
};
