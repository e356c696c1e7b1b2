import type { IncomingHttpHeaders } from 'node:http';
import type { Dialect } from './dialect.ts';

/** A request that the model got. */
export interface ModelRequest {
  /** 1 for the first request of this model server. */
  readonly number: number;
  readonly api: Dialect['name'];
  readonly model: string;
  readonly headers: IncomingHttpHeaders;
  /** The JSON body as it came. */
  readonly body: Readonly<Record<string, unknown>>;
  /** `body.messages` (chat, messages) or `body.input` (responses). */
  readonly messages: readonly Readonly<Record<string, unknown>>[];
  /** Names of the tools that were offered. */
  readonly tools: readonly string[];
  /** When the request had been read, in milliseconds since 1970 with their fraction. */
  readonly receivedAt: number;
  /** Resolves when the exchange is over: `answered`, or `abandoned` when the client left first. */
  readonly closed: Promise<'answered' | 'abandoned'>;
}

/** The text of the newest message when a person wrote it, in the shape of either API; empty when it is a tool's result. */
export function askedText({ messages }: ModelRequest): string {
  const last = messages.at(-1);
  const content = last?.['role'] === 'user' ? last['content'] : '';
  return Array.isArray(content) ? content.map((part: { readonly text?: string }) => part.text ?? '').join('') : String(content);
}

/** Requests in the order of their coming, each handed out once. */
export class RequestRecorder {
  readonly all: ModelRequest[] = [];
  #handedOut = 0;
  readonly #waiters: ((request: ModelRequest) => void)[] = [];

  add(request: ModelRequest): void {
    this.all.push(request);
    const waiter = this.#waiters.shift();
    if (!waiter) return;
    this.#handedOut += 1;
    waiter(request);
  }

  /** The first request that no earlier call was given; waits for it when it has not come yet. */
  next(): Promise<ModelRequest> {
    const waiting = this.all[this.#handedOut];
    if (!waiting) return new Promise((resolve) => this.#waiters.push(resolve));
    this.#handedOut += 1;
    return Promise.resolve(waiting);
  }
}

/** The names of the tools in a request body of any of the three APIs. */
export function offeredTools(body: Readonly<Record<string, unknown>>): string[] {
  if (!Array.isArray(body.tools)) return [];
  return body.tools.flatMap((tool: { name?: string; function?: { name?: string } }) => tool.function?.name ?? tool.name ?? []);
}
