import { type AgentData, ERROR_CODES, type Fault, type Result } from '@tendon/protocol';
import { backoffMs, retryAfterMs } from '../backoff.ts';

/** What becomes of a message after one try. */
export type Outcome =
  | { readonly kind: 'acknowledged'; readonly seq: number }
  | { readonly kind: 'refused'; readonly error: Fault }
  | { readonly kind: 'try_later'; readonly delayMs: number };

/** The table of error codes decides whether the same message may go through later. A code that is not in it is one that may not. */
export function outcomeOf(result: Result<AgentData<'agent:execute'>>, attempt: number, jitter: number): Outcome {
  if (result.ok) return { kind: 'acknowledged', seq: result.data.seq };
  const { code, message, details } = result.error;
  const mayRetry = Object.hasOwn(ERROR_CODES, code) && ERROR_CODES[code].retry;
  if (!mayRetry) return { kind: 'refused', error: { code, message } };
  return { kind: 'try_later', delayMs: backoffMs(attempt, jitter, retryAfterMs(details)) };
}
