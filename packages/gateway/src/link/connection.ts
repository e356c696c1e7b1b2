import type { ErrorCode, HandshakeCode } from '@tendon/protocol';

/*
 *            start                 connected
 *   idle ───────────► connecting ───────────► online
 *    ▲ ▲              │  │  ▲                 │   │
 *    │ │         lost │  │  │ elapsed    lost │   │ refused (the server says that trying again is no use)
 *    │ │              ▼  │  │                 │   │
 *    │ └─── stop ── waiting ◄─────────────────┘   │
 *    │                   │                        │
 *    │                   └──refused──► failed ◄───┘
 *    └──────────── stop ─────────────────┘
 *
 * `stop` leads from every state to idle. Each try has a number; what an earlier try still says is ignored.
 * Whoever drives this has at most one socket, exactly in connecting and online, and one timer, exactly in waiting.
 */

export interface LinkRefusal {
  readonly code: HandshakeCode | ErrorCode;
  readonly message: string;
}

export type LinkState =
  | { readonly kind: 'idle' }
  /** `failures`: tries in a row that ended without a stable connection. */
  | { readonly kind: 'connecting'; readonly attempt: number; readonly failures: number }
  | { readonly kind: 'online'; readonly attempt: number; readonly failures: number; readonly sinceMs: number }
  | {
      readonly kind: 'waiting';
      readonly attempt: number;
      readonly failures: number;
      readonly delayMs: number;
      readonly nextTryAtMs: number;
      readonly cause: string;
    }
  | { readonly kind: 'failed'; readonly attempt: number; readonly reason: LinkRefusal };

export type LinkInput =
  | { readonly type: 'start' }
  | { readonly type: 'connected'; readonly attempt: number }
  | { readonly type: 'lost'; readonly attempt: number; readonly cause: string; readonly retryAfterMs?: number | undefined }
  | { readonly type: 'refused'; readonly attempt: number; readonly reason: LinkRefusal }
  | { readonly type: 'elapsed'; readonly attempt: number }
  | { readonly type: 'stop' };

export interface Surroundings {
  /** Monotonic milliseconds. */
  readonly nowMs: number;
  /** In [0, 1). */
  readonly random: number;
}

export const BACKOFF = { baseMs: 500, capMs: 30_000, stableMs: 60_000, retryAfterCapMs: 300_000 } as const;

/** Pure. Answers the same state for an input that means nothing in it. */
export function nextLinkState(state: LinkState, input: LinkInput, around: Surroundings): LinkState {
  if (input.type === 'stop') return state.kind === 'idle' ? state : { kind: 'idle' };
  if (input.type === 'start') return state.kind === 'idle' ? { kind: 'connecting', attempt: 1, failures: 0 } : state;
  if (state.kind === 'idle' || state.kind === 'failed' || state.attempt !== input.attempt) return state;
  if (input.type === 'elapsed') {
    return state.kind === 'waiting' ? { kind: 'connecting', attempt: state.attempt + 1, failures: state.failures } : state;
  }
  if (state.kind === 'waiting') return state;
  if (input.type === 'refused') return { kind: 'failed', attempt: state.attempt, reason: input.reason };
  if (input.type === 'lost') return waitingAfter(state, input, around);
  return state.kind === 'connecting' ? { kind: 'online', attempt: state.attempt, failures: state.failures, sinceMs: around.nowMs } : state;
}

function waitingAfter(
  state: Extract<LinkState, { kind: 'connecting' | 'online' }>,
  input: Extract<LinkInput, { type: 'lost' }>,
  around: Surroundings,
): LinkState {
  const wasStable = state.kind === 'online' && around.nowMs - state.sinceMs >= BACKOFF.stableMs;
  const failures = (wasStable ? 0 : state.failures) + 1;
  const delayMs = retryDelayMs(failures, around.random, input.retryAfterMs);
  return { kind: 'waiting', attempt: state.attempt, failures, delayMs, nextTryAtMs: around.nowMs + delayMs, cause: input.cause };
}

/**
 * Full jitter: anywhere between nothing and a bound that doubles from 0.5 s to 30 s, so that a thousand gateways do not come back in step.
 * What the server asks to wait is waited in full, and the jitter on top. Source: AWS Architecture Blog, "Exponential Backoff And Jitter".
 */
export function retryDelayMs(failures: number, random: number, retryAfterMs = 0): number {
  const bound = Math.min(BACKOFF.capMs, BACKOFF.baseMs * 2 ** Math.min(failures - 1, 30));
  return Math.round(Math.min(Math.max(retryAfterMs, 0), BACKOFF.retryAfterCapMs) + random * bound);
}
