import {
  type AgentData,
  type AgentRequest,
  type BrowserStateName,
  browserFrameSchema,
  browserStateSchema,
  ERROR_CODES,
  type Result,
  tryParse,
} from '@tendon/protocol';
import { backoffMs, retryAfterMs } from '../backoff.ts';
import { createStore, type Notifier, type WritableStore } from '../store.ts';
import type { BrowserView, Store, Timers } from '../types.ts';

export interface BrowserWatchHost {
  readonly notifier: Notifier;
  readonly timers: Timers;
  readonly random: () => number;
  readonly request: (name: 'browser:watch', payload: AgentRequest<'browser:watch'>) => Promise<Result<AgentData<'browser:watch'>>>;
}

/*
 * What the agent's browser shows, for whoever of this client looks:
 *
 *   off ──the first looks──► offline ──connected──► starting ──► picture, or a reason why there is none
 *    ▲                          ▲└──connection lost───────┘│
 *    │                          │                          └──refused──► failed ──it may pass──► asked again
 *    └──the last looks away, the session is left───────────┘
 */
export class BrowserWatch {
  readonly view: Store<BrowserView>;
  readonly #sessionId: string;
  readonly #host: BrowserWatchHost;
  readonly #view: WritableStore<BrowserView>;
  #holders = 0;
  #isOnline = false;
  /** Raised with every question: an answer to an older one is late. */
  #generation = 0;
  #timer: unknown;

  constructor(sessionId: string, host: BrowserWatchHost) {
    this.#sessionId = sessionId;
    this.#host = host;
    this.#view = createStore<BrowserView>({ kind: 'off' }, host.notifier);
    this.view = { get: this.#view.get, subscribe: this.#view.subscribe };
  }

  /** Looks until the answer is called. */
  hold(): () => void {
    this.#holders += 1;
    if (this.#holders === 1) this.#begin();
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      this.#holders -= 1;
      if (this.#holders === 0) this.#end();
    };
  }

  setOnline(isOnline: boolean): void {
    if (this.#isOnline === isOnline) return;
    this.#isOnline = isOnline;
    if (this.#holders > 0) this.#begin();
  }

  /** A picture, or why there is none. What cannot be read is none, and the next one can. */
  receive(name: 'browser:frame' | 'browser:state', payload: unknown): void {
    if (this.#holders === 0) return;
    if (name === 'browser:frame') {
      const frame = tryParse(browserFrameSchema, payload);
      if (frame.success) this.#view.set({ kind: 'picture', frame: frame.data });
    } else {
      const told = tryParse(browserStateSchema, payload);
      if (told.success) this.#view.set(STATES[told.data.state]);
    }
  }

  /** The session is left. */
  close(): void {
    this.#isOnline = false;
    this.#generation += 1;
    this.#clearTimer();
    this.#view.set({ kind: this.#holders > 0 ? 'offline' : 'off' });
  }

  #begin(): void {
    this.#generation += 1;
    this.#clearTimer();
    this.#view.set(this.#isOnline ? STATES.starting : { kind: 'offline' });
    if (this.#isOnline) void this.#ask(1);
  }

  #end(): void {
    this.#generation += 1;
    this.#clearTimer();
    this.#view.set({ kind: 'off' });
    if (this.#isOnline) void this.#host.request('browser:watch', { sessionId: this.#sessionId, on: false });
  }

  async #ask(attempt: number): Promise<void> {
    const generation = this.#generation;
    const result = await this.#host.request('browser:watch', { sessionId: this.#sessionId, on: true });
    if (generation !== this.#generation || result.ok) return;
    const { code, message, details } = result.error;
    this.#view.set({ kind: 'failed', error: { code, message } });
    if (!Object.hasOwn(ERROR_CODES, code) || !ERROR_CODES[code].retry) return;
    const wait = backoffMs(attempt, this.#host.random(), retryAfterMs(details));
    this.#timer = this.#host.timers.set(() => void this.#ask(attempt + 1), wait);
  }

  #clearTimer(): void {
    if (this.#timer !== undefined) this.#host.timers.clear(this.#timer);
    this.#timer = undefined;
  }
}

const STATES: Readonly<Record<BrowserStateName, BrowserView>> = {
  starting: { kind: 'starting' },
  no_page: { kind: 'no_page' },
  refused: { kind: 'refused' },
  away: { kind: 'away' },
  silent: { kind: 'silent' },
};
