import { note } from './output.ts';

const DRAIN_LIMIT_MS = 9_000;

/**
 * The parts of a long-running command, ended last first, until SIGTERM or SIGINT: exit code 0 within 10 s. A second signal exits at once.
 *
 *   starting ── fails ──► undone, the failure goes on
 *      └──► running ── signal ──► draining ── done, or 9 s ──► exit 0
 *                                    └── second signal ──► exit 130
 */
export class RunningParts {
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #onStopping: () => void;
  #isStopping = false;

  /** `ignoreInterrupt`: for a child that shares its parent's terminal; Ctrl+C is the parent's to handle. */
  constructor(onStopping: () => void = () => undefined, options: { readonly ignoreInterrupt?: boolean } = {}) {
    this.#onStopping = onStopping;
    const onSignal = () => (this.#isStopping ? process.exit(130) : this.exit(0));
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', options.ignoreInterrupt ? () => undefined : onSignal);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  /** Registers how to end a part that has just started. One that comes up while stopping is ended at once. */
  add(close: () => Promise<void>): void {
    if (this.#isStopping) void close().catch(reportUnclean);
    else this.#closers.push(close);
  }

  /** Runs the start; when it fails, ends what had started, and throws the failure on. */
  async orUndo(start: () => Promise<void>): Promise<void> {
    try {
      await start();
    } catch (error) {
      if (this.#isStopping) return;
      this.#isStopping = true;
      await this.#closeAll();
      throw error;
    }
  }

  /** Ends everything with code 1 when something is lost that the command cannot go on without. */
  endWith(lost: Promise<void>, message: string): void {
    void lost.then(() => {
      if (this.#isStopping) return;
      note(message);
      this.exit(1);
    });
  }

  /** Ends everything and the process. */
  exit(code: number): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#onStopping();
    setTimeout(() => process.exit(code), DRAIN_LIMIT_MS).unref();
    void this.#closeAll().finally(() => process.exit(code));
  }

  async #closeAll(): Promise<void> {
    for (let close = this.#closers.pop(); close; close = this.#closers.pop()) await close().catch(reportUnclean);
  }
}

function reportUnclean(error: unknown): void {
  note(`stopping was not clean: ${error instanceof Error ? error.message : String(error)}`);
}
