import { AsyncLocalStorage } from 'node:async_hooks';

/*
 * The world's time. Everything that happens outside a turn of JavaScript is a step at a moment: a timer, a packet, an answer of the
 * database, a sync of the disk. A step belongs to a process; the steps of a dead process never come, those of a stopped one come late.
 *
 *   after(ms) ──► waiting ──its moment──► owner alive ──► run, then every promise that is ready
 *                                     ├─► owner stopped ──► held, until it goes on
 *                                     └─► owner dead ──► dropped
 */

/** A process of the world: a server node, a gateway, a browser, a child of a gateway. */
export class SimulatedProcess {
  readonly name: string;
  isDead = false;
  /** Stopped by a signal: what is due meanwhile waits in here, in its order. */
  held: Step[] | undefined;
  /** How far this process's wall clock is off. Its monotonic clock is never. */
  clockSkewMs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

interface Step {
  at: number;
  readonly order: number;
  readonly owner: SimulatedProcess | null;
  readonly run: () => void;
  isCancelled: boolean;
}

const current = new AsyncLocalStorage<SimulatedProcess>();

const real = { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval, clearImmediate, Date, random: Math.random, performanceNow: performance.now };

/** 2026-11-22T12:00:00Z: every world begins at the same moment. */
const EPOCH_MS = 1_795_348_800_000;

export class VirtualTime {
  nowMs = 0;
  /** Moves with every step: two runs of one seed must end with the same number. */
  trace = 0;
  steps = 0;
  readonly #heap: Step[] = [];
  #orders = 0;

  /** The moment as a process reads it from its own clock. */
  wallClockMs(): number {
    return EPOCH_MS + this.nowMs + (current.getStore()?.clockSkewMs ?? 0);
  }

  /** Runs `run` in `ms`, as a step of `owner`, or of nobody (`null`). The answer calls it off. */
  after(ms: number, run: () => void, owner: SimulatedProcess | null = current.getStore() ?? null): () => void {
    const step: Step = { at: this.nowMs + Math.max(0, ms), order: this.#orders, owner, run, isCancelled: false };
    this.#orders += 1;
    this.#push(step);
    return () => {
      step.isCancelled = true;
    };
  }

  /** Resolves in `ms`, for the process that asked; never, when that dies before. */
  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** SIGSTOP. */
  stop(process: SimulatedProcess): void {
    process.held ??= [];
  }

  /** SIGCONT: what was due comes now, late and in order. */
  goOn(process: SimulatedProcess): void {
    const held = process.held ?? [];
    process.held = undefined;
    for (const step of held) {
      step.at = this.nowMs;
      this.#push(step);
    }
  }

  within<T>(owner: SimulatedProcess, work: () => T): T {
    return current.run(owner, work);
  }

  /** Goes on until a moment, or until `isDone` says so after a step. */
  async runUntil(untilMs: number, isDone: () => boolean = () => false): Promise<void> {
    for (let step = this.#heap[0]; step && step.at <= untilMs; step = this.#heap[0]) {
      this.#pop();
      if (step.isCancelled || step.owner?.isDead) continue;
      this.nowMs = Math.max(this.nowMs, step.at);
      if (step.owner?.held) {
        step.owner.held.push(step);
        continue;
      }
      this.steps += 1;
      this.trace = (Math.imul(this.trace, 31) + step.order + Math.floor(step.at * 1_000)) | 0;
      if (step.owner) current.run(step.owner, step.run);
      else step.run();
      await everyPromise(this.steps);
      if (isDone()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #push(step: Step): void {
    const heap = this.#heap;
    heap.push(step);
    for (let at = heap.length - 1; at > 0; ) {
      const parent = (at - 1) >> 1;
      if (!isBefore(step, heap[parent] as Step)) break;
      heap[at] = heap[parent] as Step;
      heap[parent] = step;
      at = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && isBefore(heap[child] as Step, heap[least] as Step)) least = child;
      if (least === at) return;
      heap[at] = heap[least] as Step;
      heap[least] = last;
      at = least;
    }
  }
}

function isBefore(a: Step, b: Step): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** What `setTimeout` answers with in the world: enough of Node's own for the code that is simulated. */
class SimulatedTimer {
  readonly cancel: () => void;

  constructor(cancel: () => void) {
    this.cancel = cancel;
  }

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  [Symbol.toPrimitive](): number {
    return 0;
  }
}

/** The real loop turns only now and then, for those who listen to this thread: a turn of it costs more than a step. */
const STEPS_PER_TURN = 256;

/** Settles when every promise that is ready has been followed: ticks run when no microtask is left. */
function everyPromise(step: number): Promise<unknown> {
  return new Promise((resolve) => (step % STEPS_PER_TURN === 0 ? real.setImmediate(resolve) : process.nextTick(resolve)));
}

type Task = (...args: unknown[]) => void;

/** Replaces the clocks, timers and dice of this thread by those of the world, until the answer is called. */
export function takeOverGlobals(time: VirtualTime, random: () => number): () => void {
  const clear = (timer: unknown): void => {
    if (timer instanceof SimulatedTimer) timer.cancel();
    else if (timer !== undefined) real.clearTimeout(timer as NodeJS.Timeout);
  };
  const set = (task: Task, ms = 0, ...args: unknown[]) => new SimulatedTimer(time.after(ms, () => task(...args)));
  const every = (task: Task, ms = 1, ...args: unknown[]) => {
    let cancel = (): void => undefined;
    const again = () => {
      cancel = time.after(ms, () => {
        again();
        task(...args);
      });
    };
    again();
    return new SimulatedTimer(() => cancel());
  };
  class SimulatedDate extends real.Date {
    constructor(moment: number | string | Date = time.wallClockMs()) {
      super(moment);
    }

    static override now(): number {
      return time.wallClockMs();
    }
  }
  Object.assign(globalThis, {
    setTimeout: set,
    clearTimeout: clear,
    setInterval: every,
    clearInterval: clear,
    setImmediate: (task: Task, ...args: unknown[]) => new SimulatedTimer(time.after(0, () => task(...args))),
    clearImmediate: clear,
    Date: SimulatedDate,
  });
  Math.random = random;
  performance.now = () => time.nowMs;
  return () => {
    const { random: realRandom, performanceNow, ...globals } = real;
    Object.assign(globalThis, globals);
    Math.random = realRandom;
    performance.now = performanceNow;
  };
}
