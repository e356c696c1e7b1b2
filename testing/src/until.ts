import type { EventEmitter } from 'node:events';

const DEFAULT_DEADLINE_MS = 30_000;

export interface Condition<T> {
  /** What is waited for, in words: it is the message when it does not come. */
  readonly what: string;
  /** The value waited for, or undefined while it is not there. A thrown error ends the wait, and so does a promise, which would be there at once. */
  readonly check: () => T | undefined | false;
  /** Calls the listener whenever `check` may have changed its mind; may answer with a function that ends it. */
  readonly on?: (listener: () => void) => (() => void) | undefined;
  /** Only for what tells nobody that it changed, such as a process of somebody else. */
  readonly pollMs?: number;
  readonly deadlineMs?: number;
}

/** Resolves with the first answer of `check` that is neither undefined nor false; rejects at the deadline and names what did not come. */
export function until<T>(condition: Condition<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const look = (): void => {
    try {
      const found = condition.check();
      if (found instanceof Promise) throw new TypeError(`what is waited for is there or not: the check for ${condition.what} answers with a promise`);
      if (found !== undefined && found !== false) resolve(found);
    } catch (error) {
      reject(error);
    }
  };
  const end = condition.on?.(look);
  const poll = condition.pollMs === undefined ? undefined : setInterval(look, condition.pollMs);
  look();
  return within(condition.what, promise, condition.deadlineMs).finally(() => {
    clearInterval(poll);
    end?.();
  });
}

/** The same promise with a deadline in milliseconds, whose error names what did not come. */
export function within<T>(what: string, promise: Promise<T>, deadlineMs: number = DEFAULT_DEADLINE_MS): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms for ${what}, and it did not come`)), deadlineMs);
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** For `until({ on })`: listens to events of a Node emitter or of a Socket.IO socket. */
export function emits(emitter: Pick<EventEmitter, 'on' | 'off'>, ...names: string[]): (listener: () => void) => () => void {
  return (listener) => {
    for (const name of names) emitter.on(name, listener);
    return () => {
      for (const name of names) emitter.off(name, listener);
    };
  };
}
