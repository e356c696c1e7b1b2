import type { Log, LogFields } from '@tendon/protocol';

/*
 * Lines about what a stranger can make happen as often as they like, of which the log has few (rule H36):
 *
 *   quiet ── happens: a line at once, count 1 ──► counting ── so long is over ──┬── it happened again: a line with how often ──► counting
 *                                                                               └── it did not ──► quiet
 */

export interface BoundedLine {
  /** What counts as the same. */
  readonly key: string;
  /** Of lines that say how often, those of the last time. */
  readonly fields: LogFields;
  readonly message: string;
}

export interface BoundedLinesOptions {
  readonly log: Log;
  readonly level: 'info' | 'warn';
  /** Calls `work` after so long, unless what it gives back is called first. */
  readonly later?: ((ms: number, work: () => void) => () => void) | undefined;
}

interface Kind {
  line: BoundedLine;
  /** How often since the last line. */
  untold: number;
  readonly stop: () => void;
}

/** How long after a line the next one of its kind may come. */
export const LINE_EVERY_MS = 10_000;
/** So many kinds are told apart at once; what is of others has one line together. */
export const MOST_KINDS = 100;
const OTHERS = '';

/** The counts of all lines of a kind are how often it happened, once `close` was called. */
export class BoundedLines {
  readonly #options: BoundedLinesOptions;
  readonly #kinds = new Map<string, Kind>();

  constructor(options: BoundedLinesOptions) {
    this.#options = options;
  }

  add(line: BoundedLine): void {
    const isKnown = this.#kinds.has(line.key);
    if (isKnown || this.#kinds.size < MOST_KINDS) this.#count(line);
    else this.#count({ key: OTHERS, fields: { event: line.fields.event }, message: 'the same of many others' });
  }

  /** Tells what was counted and not told yet. May be called again. */
  close(): void {
    for (const { line, untold, stop } of this.#kinds.values()) {
      stop();
      if (untold > 0) this.#write(line, untold);
    }
    this.#kinds.clear();
  }

  #count(line: BoundedLine): void {
    const known = this.#kinds.get(line.key);
    if (!known) {
      this.#begin(line);
      this.#write(line, 1);
      return;
    }
    known.line = line;
    known.untold += 1;
  }

  #begin(line: BoundedLine): void {
    const later = this.#options.later ?? laterByTimer;
    this.#kinds.set(line.key, { line, untold: 0, stop: later(LINE_EVERY_MS, () => this.#look(line.key)) });
  }

  #look(key: string): void {
    const kind = this.#kinds.get(key);
    this.#kinds.delete(key);
    if (!kind || kind.untold === 0) return;
    this.#begin(kind.line);
    this.#write(kind.line, kind.untold);
  }

  #write({ fields, message }: BoundedLine, count: number): void {
    this.#options.log[this.#options.level]({ ...fields, count }, message);
  }
}

function laterByTimer(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms).unref();
  return () => clearTimeout(timer);
}
