/**
 * A point that a fake part waits at until the test lets it go on. It takes the place of a sleep:
 *
 *   closed ──reach()──► someone waits (reached resolves) ──open()──► open, for good
 */
export interface Gate {
  /** Lets everyone through who waits now or comes later. May be called twice. */
  open(): void;
  /** Resolves when the first one arrives at the gate. */
  readonly reached: Promise<void>;
  /** For the part that is held: resolves once the gate is open. */
  pass(): Promise<void>;
}

export function createGate(): Gate {
  const opened = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  return {
    open: () => opened.resolve(),
    reached: reached.promise,
    pass: () => {
      reached.resolve();
      return opened.promise;
    },
  };
}
