import type { Scheduler, Timers } from './types.ts';

/** A hidden page draws no frames; its title and badges must still follow. */
const HIDDEN_PAGE_MS = 250;

export const systemTimers: Timers = {
  set: (task, delayMs) => setTimeout(task, delayMs),
  clear: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/** One flush per animation frame in a browser (or a quarter of a second while hidden), one per turn of the event loop elsewhere. */
export const systemScheduler: Scheduler = (flush) => {
  if (typeof requestAnimationFrame === 'function') return frame(flush);
  const handle = setImmediate(flush);
  return () => clearImmediate(handle);
};

function frame(flush: () => void): () => void {
  const cancel = () => {
    cancelAnimationFrame(drawn);
    clearTimeout(late);
  };
  const run = () => {
    cancel();
    flush();
  };
  const drawn = requestAnimationFrame(run);
  const late = setTimeout(run, HIDDEN_PAGE_MS);
  return cancel;
}
