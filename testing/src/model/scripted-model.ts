import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { chatDialect } from './chat-dialect.ts';
import type { Dialect } from './dialect.ts';
import { messagesDialect } from './messages-dialect.ts';
import { playReply } from './play-reply.ts';
import { type ModelRequest, offeredTools, RequestRecorder } from './recorded-request.ts';
import { responsesDialect } from './responses-dialect.ts';
import { epochMs, type Reply, type Step } from './script.ts';

const DIALECTS: readonly Dialect[] = [chatDialect, messagesDialect, responsesDialect];

/**
 * A model server on real HTTP whose answers a test writes beforehand. It speaks OpenAI's chat completions and responses and Anthropic's messages.
 *
 *   script(reply) ──► queue ──► the next request takes the first one; an empty queue asks `otherwise`; without that: status 500
 *
 * `url` is what a provider takes as its base address.
 */
export class ScriptedModel implements AsyncDisposable {
  readonly #server: Server;
  readonly #queue: Reply[] = [];
  readonly #recorder = new RequestRecorder();
  /** The names of its models, as it lists them. */
  models: readonly string[] = ['scripted'];
  #otherwise: ((request: ModelRequest) => Reply | readonly Step[]) | undefined;
  #closing: Promise<void> | undefined;

  private constructor(server: Server) {
    this.#server = server;
    server.on('request', (request, response) => void this.#serve(request, response).catch((error: unknown) => response.destroy(error as Error)));
  }

  static async start(): Promise<ScriptedModel> {
    const server = createServer();
    server.keepAliveTimeout = 0;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ScriptedModel(server);
  }

  /** `http://127.0.0.1:PORT/v1` */
  get url(): string {
    return `http://127.0.0.1:${this.port}/v1`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Every request so far, in order. */
  get requests(): readonly ModelRequest[] {
    return this.#recorder.all;
  }

  /** Puts answers into the queue, one per request. */
  script(...replies: (Reply | readonly Step[])[]): void {
    this.#queue.push(...replies.map(asReply));
  }

  /** Answers the requests for which nothing is in the queue. */
  otherwise(reply: (request: ModelRequest) => Reply | readonly Step[]): void {
    this.#otherwise = reply;
  }

  /** The next request that no earlier call was given; resolves as soon as it has been read, before it is answered. */
  nextRequest(): Promise<ModelRequest> {
    return this.#recorder.next();
  }

  close(): Promise<void> {
    this.#closing ??= new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', 'http://model').pathname;
    if (request.method === 'GET' && path === '/v1/models')
      return sendJson(response, 200, { object: 'list', data: this.models.map((id) => ({ id, object: 'model' })) });
    const dialect = DIALECTS.find((candidate) => candidate.path === path);
    if (!dialect || request.method !== 'POST') return sendJson(response, 404, { error: { message: `the scripted model has no ${request.method} ${path}` } });
    const left = new AbortController();
    const closed = once(response, 'close').then(() => {
      left.abort();
      return response.writableFinished ? ('answered' as const) : ('abandoned' as const);
    });
    const body = JSON.parse(await text(request)) as Record<string, unknown>;
    const recorded = this.#record({ dialect, request, body, closed });
    if (body.stream !== true) return sendJson(response, 400, dialect.errorBody(400, 'the scripted model only streams'));
    await playReply({ dialect, model: recorded.model, reply: this.#replyTo(recorded), response, left: left.signal });
  }

  #record(seen: { dialect: Dialect; request: IncomingMessage; body: Record<string, unknown>; closed: ModelRequest['closed'] }): ModelRequest {
    const { dialect, request, body, closed } = seen;
    const messages = body.messages ?? body.input;
    const recorded: ModelRequest = {
      number: this.#recorder.all.length + 1,
      api: dialect.name,
      model: String(body.model),
      headers: request.headers,
      body,
      messages: Array.isArray(messages) ? messages : [],
      tools: offeredTools(body),
      receivedAt: epochMs(),
      closed,
    };
    this.#recorder.add(recorded);
    return recorded;
  }

  #replyTo(request: ModelRequest): Reply {
    const scripted = this.#queue.shift() ?? this.#otherwise?.(request);
    return scripted ? asReply(scripted) : { status: 500, message: `request ${request.number} has no answer in the script` };
  }
}

function asReply(reply: Reply | readonly Step[]): Reply {
  return Array.isArray(reply) ? { steps: reply } : (reply as Reply);
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
