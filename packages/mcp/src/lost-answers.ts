import type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js';

/** A body is read to its end a moment before its last message is heard. */
const MOMENT_MS = 500;

/**
 * The SDK waits for ever for an answer over HTTP that cannot come any more: the body that was to hold it has ended without it, and does not say how to
 * go on (a stream whose events have ids is gone on with by the SDK), or the server takes nobody back to a stream that broke.
 */
export class LostAnswers {
  readonly #waiting = new Set<unknown>();
  readonly #onLost: (id: string | number) => void;
  readonly #onStuck: () => void;

  constructor(onLost: (id: string | number) => void, onStuck: () => void) {
    this.#onLost = onLost;
    this.#onStuck = onStuck;
  }

  /** Before the client is connected, which hears what is heard here. */
  hear(transport: Transport): void {
    transport.onmessage = (message) => {
      if ('id' in message && !('method' in message)) this.#waiting.delete(message.id);
    };
  }

  watched(inner: FetchLike): FetchLike {
    return async (address, init) => {
      const response = await inner(address, init);
      const id = requestId(init);
      if (id !== undefined && response.ok) return this.#watch(id, response);
      const isReturn = (init?.method ?? 'GET') === 'GET' && new Headers(init?.headers).has('last-event-id');
      // The SDK takes this one refusal for a server that has no such streams, and never asks again.
      if (isReturn && response.status === 405) this.#onStuck();
      return response;
    };
  }

  #watch(id: string | number, response: Response): Response {
    this.#waiting.add(id);
    const { status, statusText, headers, body } = response;
    if (body === null) {
      this.#ended(id);
      return response;
    }
    const hasIds = idFinder();
    let isResumable = false;
    const end = (): void => {
      if (isResumable) this.#waiting.delete(id);
      else this.#ended(id);
    };
    const watch = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        isResumable ||= hasIds(chunk);
        controller.enqueue(chunk);
      },
    });
    body.pipeTo(watch.writable).then(end, end);
    return new Response(watch.readable, { status, statusText, headers });
  }

  #ended(id: string | number): void {
    const timer = setTimeout(() => {
      if (this.#waiting.delete(id)) this.#onLost(id);
    }, MOMENT_MS);
    timer.unref();
  }
}

/** Of a message that wants an answer. */
function requestId(init: RequestInit | undefined): string | number | undefined {
  if (init?.method !== 'POST' || typeof init.body !== 'string') return undefined;
  const { id, method } = JSON.parse(init.body) as { id?: string | number; method?: string };
  return method === undefined ? undefined : id;
}

/** Whether a stream of events has said by what its place in it is known. */
function idFinder(): (chunk: Uint8Array) => boolean {
  let tail = '\n';
  return (chunk) => {
    const text = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength).toString('latin1');
    tail = text.slice(-3);
    return /[\r\n]id:/.test(text);
  };
}
