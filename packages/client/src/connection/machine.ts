import { type Fault, HANDSHAKE_CODES } from '@tendon/protocol';
import { backoffMs } from '../backoff.ts';
import type { ConnectionState } from '../types.ts';

/**
 * What a client's connection does next. Pure: clock and chance come in with the inputs.
 *
 *              ┌── unauthorized, and the token can be renewed (once) ──┐
 *              ▼                                                       │
 *   start ► connecting ──connected──► online ──dropped──► waiting      │
 *              │  ▲                                        │  ▲        │
 *              │  └───────── time is up, woken, try now ───┘  │        │
 *              ├── refused for now, out of reach, too slow ───┘        │
 *              ├───────────────────────────────────────────────────────┘
 *              └── refused for good ──► failed ──try now──► connecting
 *
 *   any ──close──► closed
 */
export type Link =
  /** `isRenewed`: the token was fetched anew because of a refusal; a second refusal ends it. */
  | { readonly kind: 'connecting'; readonly attempt: number; readonly isRenewed: boolean }
  | { readonly kind: 'online'; readonly attempt: number; readonly since: number }
  /** Before `notBefore` only a person may try: the server asked for the pause. */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly retryAt: number; readonly notBefore: number; readonly reason: Fault }
  | { readonly kind: 'failed'; readonly reason: Fault }
  | { readonly kind: 'closed' };

export type LinkInput =
  | { readonly kind: 'connected'; readonly now: number }
  /** The handshake was refused, or there was none: unreachable, too slow, no token. `jitter` is uniform in [0, 1). */
  | {
      readonly kind: 'refused';
      readonly now: number;
      readonly jitter: number;
      readonly reason: Fault;
      readonly retryAfterMs: number;
      readonly canRenew: boolean;
    }
  | { readonly kind: 'dropped'; readonly now: number; readonly jitter: number; readonly reason: Fault }
  | { readonly kind: 'time_is_up' }
  /** The network is back, or the page is looked at again. */
  | { readonly kind: 'woken'; readonly now: number }
  | { readonly kind: 'try_now' }
  | { readonly kind: 'close' };

export type LinkAction =
  | { readonly kind: 'dial'; readonly renewToken: boolean }
  | { readonly kind: 'hang_up' }
  | { readonly kind: 'wait'; readonly delayMs: number }
  /** Ask the server anything: a connection that is dead without knowing it is found out by the missing answer. */
  | { readonly kind: 'probe' };

export interface LinkStep {
  readonly link: Link;
  readonly actions: readonly LinkAction[];
}

/** A connection that holds less long counts as another failure, so that a server which accepts and drops is not hammered. */
export const STABLE_AFTER_MS = 5_000;

export const firstStep: LinkStep = { link: { kind: 'connecting', attempt: 1, isRenewed: false }, actions: [{ kind: 'dial', renewToken: false }] };

type Of<Union, Kind> = Extract<Union, { kind: Kind }>;
type Row<Kind extends Link['kind']> = { [Input in LinkInput['kind']]: (link: Of<Link, Kind>, input: Of<LinkInput, Input>) => LinkStep };

const stay = (link: Link): LinkStep => ({ link, actions: [] });
const close = (): LinkStep => ({ link: { kind: 'closed' }, actions: [{ kind: 'hang_up' }] });
const probe = (link: Link): LinkStep => ({ link, actions: [{ kind: 'probe' }] });

function dial(attempt: number, renewToken: boolean): LinkStep {
  return { link: { kind: 'connecting', attempt, isRenewed: renewToken }, actions: [{ kind: 'dial', renewToken }] };
}

interface Pause {
  readonly now: number;
  readonly jitter: number;
  readonly reason: Fault;
  readonly retryAfterMs?: number;
}

function wait(attempt: number, pause: Pause): LinkStep {
  const delayMs = backoffMs(attempt, pause.jitter, pause.retryAfterMs);
  const notBefore = pause.now + (pause.retryAfterMs ?? 0);
  return {
    link: { kind: 'waiting', attempt, retryAt: pause.now + delayMs, notBefore, reason: pause.reason },
    actions: [{ kind: 'hang_up' }, { kind: 'wait', delayMs }],
  };
}

function isTerminal(code: string): boolean {
  return Object.hasOwn(HANDSHAKE_CODES, code) && !HANDSHAKE_CODES[code as keyof typeof HANDSHAKE_CODES].retry;
}

function refused(link: Of<Link, 'connecting'>, input: Of<LinkInput, 'refused'>): LinkStep {
  if (input.reason.code === 'unauthorized' && input.canRenew && !link.isRenewed) return dial(link.attempt, true);
  if (isTerminal(input.reason.code)) return { link: { kind: 'failed', reason: input.reason }, actions: [{ kind: 'hang_up' }] };
  return wait(link.attempt, input);
}

/** The whole table: every state, every input. The compiler holds it complete. */
const TABLE: { [Kind in Link['kind']]: Row<Kind> } = {
  connecting: {
    connected: (link, { now }) => stay({ kind: 'online', attempt: link.attempt, since: now }),
    refused,
    dropped: (link, input) => wait(link.attempt, input),
    time_is_up: stay,
    woken: stay,
    try_now: stay,
    close,
  },
  online: {
    connected: stay,
    refused: stay,
    dropped: (link, input) => wait(input.now - link.since >= STABLE_AFTER_MS ? 1 : link.attempt, input),
    time_is_up: stay,
    woken: probe,
    try_now: probe,
    close,
  },
  waiting: {
    connected: stay,
    refused: stay,
    dropped: stay,
    time_is_up: (link) => dial(link.attempt + 1, false),
    woken: (link, { now }) => (now >= link.notBefore ? dial(link.attempt + 1, false) : stay(link)),
    try_now: (link) => dial(link.attempt + 1, false),
    close,
  },
  failed: {
    connected: stay,
    refused: stay,
    dropped: stay,
    time_is_up: stay,
    woken: stay,
    try_now: (link) => dial(1, link.reason.code === 'unauthorized'),
    close,
  },
  closed: { connected: stay, refused: stay, dropped: stay, time_is_up: stay, woken: stay, try_now: stay, close: stay },
};

/** The next state and what must be done now, in order. An input that a state has no use for changes nothing. */
export function step(link: Link, input: LinkInput): LinkStep {
  const move = TABLE[link.kind][input.kind] as (link: Link, input: LinkInput) => LinkStep;
  return move(link, input);
}

/** What a page is shown. */
export function connectionState(link: Link): ConnectionState {
  switch (link.kind) {
    case 'connecting':
      return { kind: 'connecting', attempt: link.attempt };
    case 'online':
      return { kind: 'online' };
    case 'waiting':
      return { kind: 'waiting', attempt: link.attempt, retryAt: link.retryAt, reason: link.reason };
    case 'failed':
      return { kind: 'failed', reason: link.reason };
    case 'closed':
      return link;
  }
}
