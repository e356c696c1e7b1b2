import type { Delta, Live, Message } from '@tendon/protocol';
import type { SessionState } from '../kernel/index.ts';
import type { RunnerContext } from './context.ts';
import { LiveMirror } from './live-mirror.ts';

/** Late text may come for so many turns back. */
const ENDED_TURNS = 8;

export interface RemoteStreamOptions {
  readonly sessionId: string;
  readonly context: Pick<RunnerContext, 'fanout' | 'tails' | 'pause'>;
  /** Runs `work` after everything of the session that was heard before. */
  readonly serially: (work: () => Promise<void>) => Promise<void>;
}

/**
 * What streams of a session at another node, for those who are attached at this one.
 *
 *   nothing ──first piece, or the whole──► following ──a piece is missing──► following, and the whole is asked for
 *                                              └──the turn is over──► nothing
 *
 * Nothing leaves before the event that begins its turn or call, and nothing after the one that ends it.
 */
export class RemoteStream {
  readonly #options: RemoteStreamOptions;
  readonly #heard = new EventTarget();
  readonly #ended: string[] = [];
  #turnId: string | undefined;
  #openCalls: ReadonlySet<string> = new Set();
  /** Calls whose output has come from another node. */
  readonly #outputs = new Set<string>();
  #mirror: LiveMirror | undefined;

  constructor(options: RemoteStreamOptions) {
    this.#options = options;
  }

  /** The session as those who are attached here are about to see it. */
  see(state: SessionState): void {
    const openCalls = new Set(state.calls.map(({ call }) => call.id));
    for (const callId of this.#openCalls) {
      if (openCalls.has(callId)) continue;
      this.#options.context.tails.close(callId);
      this.#outputs.delete(callId);
    }
    this.#openCalls = openCalls;
    const turnId = state.turn?.messageId;
    if (this.#turnId === turnId) return;
    if (this.#turnId !== undefined) this.#end(this.#turnId);
    this.#turnId = turnId;
  }

  has(messageId: string): boolean {
    return this.#mirror?.messageId === messageId;
  }

  /** Waits a moment for the node that streams the turn to show it. */
  async until(messageId: string, withinMs: number): Promise<void> {
    const isOver = this.#options.context.pause(withinMs);
    while (!this.has(messageId)) {
      const heard = new Promise<boolean>((resolve) => this.#heard.addEventListener('heard', () => resolve(true), { once: true }));
      if (!(await Promise.race([heard, isOver]))) return;
    }
  }

  /** The unfinished message as far as it is known here; who is attached already is told as much first. */
  live(message: Omit<Message, 'parts'>): Live | undefined {
    if (!this.#mirror || !this.has(message.id)) return undefined;
    this.#flush();
    return this.#mirror.live(message);
  }

  hearLive(live: Live): void {
    const { sessionId, id: messageId } = live.message;
    if (this.#ended.includes(messageId)) return;
    const mirror = this.#mirrorOf({ sessionId, messageId });
    mirror.replace(live);
    this.#flushSoon();
  }

  /** The next piece. False when something before it is missing here. */
  hearDelta(delta: Delta): boolean {
    if (this.#ended.includes(delta.messageId)) return true;
    if (!this.has(delta.messageId) && (delta.part > 0 || delta.offset > 0)) return false;
    if (!this.#mirrorOf(delta).add(delta)) return false;
    this.#flushSoon();
    return true;
  }

  /** Live output of a call whose machine another node holds. */
  hearOutput(delta: Delta): void {
    const { tails, fanout } = this.#options.context;
    void this.#options.serially(async () => {
      if (!this.#openCalls.has(delta.messageId)) return;
      tails.open(delta.messageId, delta.sessionId);
      this.#outputs.add(delta.messageId);
      const added = tails.add(delta.messageId, delta.offset, delta.text);
      if (added) fanout.toSession(delta.sessionId, 'session:delta', { ...delta, ...added });
    });
  }

  /** Nobody is attached here any more: what was kept for them goes, since nothing will tell its end. */
  forget(): void {
    for (const callId of this.#outputs) this.#options.context.tails.close(callId);
    this.#outputs.clear();
    this.#mirror = undefined;
  }

  #mirrorOf(place: Pick<Delta, 'sessionId' | 'messageId'>): LiveMirror {
    if (!this.#mirror || !this.has(place.messageId)) {
      this.#mirror = new LiveMirror(place);
      this.#heard.dispatchEvent(new Event('heard'));
    }
    return this.#mirror;
  }

  #end(messageId: string): void {
    this.#ended.push(messageId);
    if (this.#ended.length > ENDED_TURNS) this.#ended.shift();
    if (this.has(messageId)) this.#mirror = undefined;
  }

  #flushSoon(): void {
    void this.#options.serially(async () => this.#flush());
  }

  #flush(): void {
    const { sessionId, context } = this.#options;
    if (this.#turnId !== undefined && this.has(this.#turnId)) this.#mirror?.flush((delta) => context.fanout.toSession(sessionId, 'session:delta', delta));
  }
}
