/**
 * Ends one request to a model: by the person, or because it stays silent.
 *
 *   waiting ──first part──► streaming ──close()──► closed
 *      │                        │
 *      └── signal: 'aborted' ───┤
 *      └── silent:  'timeout' ──┘
 *
 * The end is told once, to every listener, in the moment it happens; `signal` aborts the HTTP request.
 */
export class StreamWatch {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #idleTimeoutMs: number;
  readonly #endings: (() => void)[] = [];
  readonly #onAbort = (): void => this.#end('aborted');
  #timer: NodeJS.Timeout;
  #state: 'waiting' | 'streaming' | 'closed' = 'waiting';
  #ended: 'aborted' | 'timeout' | undefined;

  constructor(outer: AbortSignal, timeouts: { readonly firstChunkTimeoutMs: number; readonly idleTimeoutMs: number }) {
    this.#outer = outer;
    this.#idleTimeoutMs = timeouts.idleTimeoutMs;
    this.#timer = setTimeout(() => this.#end('timeout'), timeouts.firstChunkTimeoutMs);
    if (outer.aborted) this.#end('aborted');
    else outer.addEventListener('abort', this.#onAbort, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why the request ended early, or undefined while it may go on. */
  get ended(): 'aborted' | 'timeout' | undefined {
    return this.#ended;
  }

  /** A part has come. */
  touch(): void {
    if (this.#state === 'streaming') {
      this.#timer.refresh();
    } else if (this.#state === 'waiting' && !this.#ended) {
      this.#state = 'streaming';
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#end('timeout'), this.#idleTimeoutMs);
    }
  }

  /** Called at an early end; at once when it has already come. */
  onEnd(listener: () => void): void {
    if (this.#ended) listener();
    else this.#endings.push(listener);
  }

  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#timer);
    this.#outer.removeEventListener('abort', this.#onAbort);
    this.#endings.length = 0;
  }

  #end(reason: 'aborted' | 'timeout'): void {
    if (this.#ended || this.#state === 'closed') return;
    this.#ended = reason;
    clearTimeout(this.#timer);
    this.#controller.abort();
    for (const listener of this.#endings.splice(0)) listener();
  }
}
