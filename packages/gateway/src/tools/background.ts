import type { OutputPipe } from './output-pipe.ts';
import { type CallProcesses, killCallProcesses } from './process-tree.ts';

/** Where a finished command leaves what still runs. */
export interface Background {
  adopt(call: CallProcesses, pipe: OutputPipe): void;
}

/** What finished commands have left running, such as a development server. It lives as long as the gateway and ends with it. */
export class BackgroundProcesses implements Background {
  readonly #left = new Map<string, { call: CallProcesses; pipe: OutputPipe }>();

  adopt(call: CallProcesses, pipe: OutputPipe): void {
    this.#left.set(call.callId, { call, pipe });
  }

  /** Ends all of them. May be called twice. */
  async close(): Promise<void> {
    const left = [...this.#left.values()];
    this.#left.clear();
    await Promise.all(
      left.map(async ({ call, pipe }) => {
        await killCallProcesses(call);
        pipe.close();
      }),
    );
  }
}
