import type { Random } from './random.ts';
import type { SimulatedProcess, VirtualTime } from './virtual-time.ts';

/** What the world's network is like at the moment. Changed by faults, put right when they end. */
export interface Weather {
  /** The longest a packet takes, in milliseconds. */
  latencyMs: number;
  /** How likely what a node tells another one is lost without a word. */
  lostNotices: number;
  /** Connections that are half-open and not yet found out. */
  halfOpen: number;
}

export interface EndEvents {
  /** Called once, unless this end closed the connection itself. */
  closed(cause: string): void;
}

type Side = 'dialler' | 'listener';

/** Longer than any engine needs to notice that its peer has fallen silent. */
const SILENCE_NOTICED_MS = 9_000;

/**
 * One connection between two processes. Packets of one direction arrive in order, and none arrives twice: what a lost connection does
 * to requests is the business of those who use it.
 *
 *   open ──close, or the peer dies──► closed (the other end hears of it a little later, or only after a silence)
 */
export class Connection {
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #weather: Weather;
  readonly #processes: Record<Side, SimulatedProcess>;
  readonly #events: Partial<Record<Side, EndEvents>> = {};
  readonly #waiting = new Set<{ side: Side; tell: () => void }>();
  readonly #lastArrival: Record<Side, number> = { dialler: 0, listener: 0 };
  #isOpen = true;
  /** Cut without a word: nothing arrives any more, and both ends find out only by the silence. */
  #isSilent = false;

  constructor(world: { time: VirtualTime; random: Random; weather: Weather }, processes: Record<Side, SimulatedProcess>) {
    this.#time = world.time;
    this.#random = world.random;
    this.#weather = world.weather;
    this.#processes = processes;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  listen(side: Side, events: EndEvents): void {
    this.#events[side] = events;
  }

  /** Runs `deliver` at the other end, when the packet gets there. */
  send(to: Side, deliver: () => void): void {
    if (!this.#isOpen || this.#isSilent) return;
    const at = Math.max(this.#lastArrival[to], this.#time.nowMs + this.#random.between(0.1, this.#weather.latencyMs));
    this.#lastArrival[to] = at;
    const arrive = () => {
      if (this.#isOpen && !this.#isSilent) deliver();
    };
    this.#time.after(at - this.#time.nowMs, arrive, this.#processes[to]);
  }

  /** Asks the other end, whose answer may be late, lost with the connection, or too late. */
  request<T>(to: Side, { timeoutMs, handle }: { timeoutMs: number; handle: (answer: (data: T) => void) => void }): Promise<T> {
    const from: Side = to === 'listener' ? 'dialler' : 'listener';
    return new Promise((resolve, reject) => {
      if (!this.#isOpen) return reject(new Error('the connection has ended'));
      const waiting = { side: from, tell: () => settle(() => reject(new Error('the connection has ended'))) };
      const settle = (how: () => void) => {
        cancel();
        this.#waiting.delete(waiting);
        how();
      };
      const cancel = this.#time.after(timeoutMs, () => settle(() => reject(new Error('no answer came in time'))), this.#processes[from]);
      this.#waiting.add(waiting);
      this.send(to, () => handle((data) => this.send(from, () => settle(() => resolve(data)))));
    });
  }

  /** Ends it from one side. The other hears of it after a while. */
  close(from: Side, cause: string): void {
    if (!this.#isOpen) return;
    const to: Side = from === 'listener' ? 'dialler' : 'listener';
    this.#isOpen = false;
    // What is dead hears nothing, and must not go on because of it.
    if (!this.#processes[from].isDead) this.#tellWaiting(from);
    if (this.#isSilent) this.#endAfterSilence(to, cause);
    else this.#time.after(this.#random.between(0.1, this.#weather.latencyMs), () => this.#end(to, cause), this.#processes[to]);
  }

  /** The network lets go of it: both ends hear of it, each at a moment of its own. */
  cut(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const side of ['dialler', 'listener'] as const) {
      const delay = this.#random.between(0.1, 50);
      this.#time.after(delay, () => this.#end(side, 'transport close'), this.#processes[side]);
    }
  }

  /** Half-open: nothing gets through, and nobody is told until the silence is long enough. */
  stall(): void {
    if (!this.#isOpen || this.#isSilent) return;
    this.#isSilent = true;
    this.#weather.halfOpen += 1;
    const noticed = () => {
      this.#weather.halfOpen -= 1;
      this.cut();
    };
    this.#time.after(this.#random.between(1_000, SILENCE_NOTICED_MS), noticed, null);
  }

  /** A process has died, and its machine says so to the peer. */
  processDied(side: Side): void {
    this.close(side, 'transport close');
  }

  /** The last word did not get through either: only the silence tells. */
  #endAfterSilence(side: Side, cause: string): void {
    this.#weather.halfOpen += 1;
    const noticed = () => {
      this.#weather.halfOpen -= 1;
      this.#time.after(0, () => this.#end(side, cause), this.#processes[side]);
    };
    this.#time.after(SILENCE_NOTICED_MS, noticed, null);
  }

  #end(side: Side, cause: string): void {
    this.#tellWaiting(side);
    this.#events[side]?.closed(cause);
  }

  #tellWaiting(side: Side): void {
    for (const waiting of [...this.#waiting]) if (waiting.side === side) waiting.tell();
  }
}
