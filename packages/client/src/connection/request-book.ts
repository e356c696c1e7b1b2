import { type ProtocolError, type Result, refusal } from '@tendon/protocol';
import type { Timers } from '../types.ts';

interface OpenRequest {
  readonly settle: (result: Result<unknown>) => void;
  readonly timer: unknown;
}

interface Ask {
  readonly timeoutMs: number;
  /** Puts the request on the wire; calls back with whatever came as acknowledgement. */
  readonly emit: (acknowledge: (answer: unknown) => void) => void;
  readonly onTimeout: () => void;
}

/** The requests that wait for their acknowledgement. Each is settled once: by its answer, by its time limit, or when the connection goes. */
export class RequestBook {
  readonly #timers: Timers;
  readonly #open = new Set<OpenRequest>();

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  ask(request: Ask): Promise<Result<unknown>> {
    return new Promise((resolve) => {
      const settle = (result: Result<unknown>) => {
        if (!this.#open.delete(entry)) return;
        this.#timers.clear(entry.timer);
        resolve(result);
      };
      const expire = () => {
        settle(refusal('unavailable', 'The server did not answer in time.'));
        request.onTimeout();
      };
      const entry: OpenRequest = { settle, timer: this.#timers.set(expire, request.timeoutMs) };
      this.#open.add(entry);
      request.emit((answer) => settle(readAcknowledgement(answer)));
    });
  }

  /** The connection is gone: whether the server has acted is not known, so all open requests answer `unavailable`. */
  settleAll(reason: string): void {
    for (const entry of [...this.#open]) entry.settle(refusal('unavailable', reason));
  }
}

/** An acknowledgement that is none is the server's fault, and never an exception here. */
function readAcknowledgement(answer: unknown): Result<unknown> {
  if (typeof answer === 'object' && answer !== null && 'ok' in answer) {
    if (answer.ok === true && 'data' in answer) return { ok: true, data: answer.data };
    if (answer.ok === false && 'error' in answer && isProtocolError(answer.error)) return { ok: false, error: answer.error };
  }
  return refusal('internal', 'The server answered in a shape that this client does not know.');
}

function isProtocolError(value: unknown): value is ProtocolError {
  return (
    typeof value === 'object' && value !== null && 'code' in value && typeof value.code === 'string' && 'message' in value && typeof value.message === 'string'
  );
}
