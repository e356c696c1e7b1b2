import { syncBuiltinESMExports } from 'node:module';
import timers from 'node:timers/promises';
import { within } from './until.ts';

export interface HeldPauses extends Disposable {
  /** Lets the oldest of those that stand still go on, as soon as there is one. */
  pass(): Promise<void>;
}

/**
 * The clock of the pauses of `node:timers/promises` in this process: those that `isHeld` names stand still until they are passed, however busy the
 * machine is. Those that are held at its end go on.
 */
export function heldPauses(isHeld: (ms: number) => boolean): HeldPauses {
  const real = timers.setTimeout;
  const waiting: (() => void)[] = [];
  let wake: () => void = () => undefined;
  const held = <T>(ms: number | undefined, value: T, options: { signal?: AbortSignal } = {}): Promise<T> => {
    if (ms === undefined || !isHeld(ms)) return real(ms, value, options);
    return new Promise((resolve, reject) => {
      waiting.push(() => resolve(value));
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason), { once: true });
      wake();
    });
  };
  const use = (setTimeout: typeof timers.setTimeout): void => {
    timers.setTimeout = setTimeout;
    syncBuiltinESMExports();
  };
  use(held as typeof timers.setTimeout);
  return {
    async pass() {
      const begun = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (waiting.length === 0) await within('a pause to begin', begun);
      waiting.shift()?.();
    },
    [Symbol.dispose]: () => {
      use(real);
      for (const go of waiting) go();
    },
  };
}
