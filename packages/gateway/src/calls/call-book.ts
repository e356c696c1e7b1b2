import { type JournaledCall, type ToolResult, utf8Bytes } from '@tendon/protocol';
import type { EndReason } from '../tools/tool.ts';

/*
 * A call on this machine:
 *
 *   tool:call ──checks──► starting ──journaled──► running ──result (journaled)──► finished ──acknowledged──► forgotten
 *      └──refused: answered, and again the same      cancel, time limit, close ──► the run ends early, with its output so far
 *   tool:cancel for a call never seen ──► finished (cancelled), so that a late dispatch does not start it
 */
export type CallState =
  | { readonly kind: 'starting'; readonly abort: AbortController }
  | { readonly kind: 'running'; readonly abort: AbortController }
  | { readonly kind: 'finished'; readonly result: ToolResult };

/** How many results a hello carries in full. The others are sent one by one right after it. */
const HELLO_RESULT_BYTES = 2 * 1024 * 1024;

/** Every call this process knows about, whether it is journaled or only read. */
export class CallBook {
  readonly #calls = new Map<string, CallState>();

  get(callId: string): CallState | undefined {
    return this.#calls.get(callId);
  }

  set(callId: string, state: CallState): void {
    this.#calls.set(callId, state);
  }

  delete(callId: string): void {
    this.#calls.delete(callId);
  }

  activeCount(): number {
    return [...this.#calls.values()].filter((state) => state.kind !== 'finished').length;
  }

  /** Tells a running call to end. Answers false when there is nothing to end. */
  abort(callId: string, reason: EndReason): boolean {
    const state = this.#calls.get(callId);
    if (!state || state.kind === 'finished') return false;
    state.abort.abort(reason);
    return true;
  }

  abortAll(reason: EndReason): void {
    for (const callId of this.#calls.keys()) this.abort(callId, reason);
  }

  /**
   * What a hello says about each call. A result that no longer fits in the packet is told as `running`: it is on its way, and
   * `finished` without a result would be taken for an unknown outcome.
   */
  report(): JournaledCall[] {
    let bytes = 0;
    return [...this.#calls].map(([callId, state]): JournaledCall => {
      if (state.kind !== 'finished') return { callId, state: 'running' };
      const { result } = state;
      bytes += utf8Bytes(JSON.stringify(result));
      if (bytes > HELLO_RESULT_BYTES) return { callId, state: 'running' };
      return { callId, state: result.status === 'unknown' ? 'unknown' : 'finished', result };
    });
  }
}
