import type { Attachment, BrowserFrame, Call, Fault, Gateway, Message, Session } from '@tendon/protocol';

/** Where the connection stands, for a dot, a bar with a countdown, or a sign-in page. */
export type ConnectionState =
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'online' }
  /** `retryAt` in epoch milliseconds. */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly retryAt: number; readonly reason: Fault }
  /** Terminal: `unauthorized`, `forbidden_origin`, `unsupported_protocol`. Only `connectNow()` leaves it. */
  | { readonly kind: 'failed'; readonly reason: Fault }
  | { readonly kind: 'closed' };

/**
 * A value that changes, in the shape of `useSyncExternalStore`. `get()` answers the same object until the value changes.
 * Listeners are told at most once per frame (browser) or turn of the event loop (elsewhere), however often it changed.
 */
export interface Store<T> {
  get(): T;
  subscribe(listener: () => void): () => void;
}

export interface OutboxMessage {
  readonly sessionId: string;
  readonly messageId: string;
  readonly text: string;
  readonly attachments?: Attachment[];
  readonly mode: 'queue' | 'interrupt';
  readonly createdAt: string;
  /** `waiting`: offline or behind another one. `sending`: on its way, or acknowledged and its event not here yet. `refused`: never goes by itself. */
  readonly state: 'waiting' | 'sending' | 'refused';
  readonly error?: Fault;
}

/**
 * Keeps messages that the server has not acknowledged, one entry each (not one blob: two tabs sharing a storage must not
 * overwrite each other). May throw: the message then lives in memory only and a notice says so.
 */
export interface OutboxStorage {
  list(): OutboxMessage[];
  /** Adds it, or replaces the one with the same `messageId`. */
  put(message: OutboxMessage): void;
  remove(messageId: string): void;
}

/** `setTimeout` and `clearTimeout`, replaceable in tests. */
export interface Timers {
  set(task: () => void, delayMs: number): unknown;
  clear(handle: unknown): void;
}

/** Runs `flush` once, soon; the answer cancels it. The default is an animation frame in a browser, `setImmediate` elsewhere. */
export type Scheduler = (flush: () => void) => () => void;

export interface AgentClientOptions {
  /** The server's origin, e.g. `location.origin`. */
  readonly url: string;
  readonly client: { readonly name: string; readonly version: string };
  /**
   * Absent: the session cookie. A function is called once and its answer is cached; it is called again only after a handshake
   * was refused as `unauthorized`, at most once per refusal. Its rejection counts as a lost connection and is tried again; undefined
   * leaves the decision to the session cookie.
   */
  readonly token?: string | (() => Promise<string | undefined>);
  /** Default: memory. A page passes `webStorageOutbox(localStorage)`. */
  readonly storage?: OutboxStorage;
  /** How long a request may take before it answers `unavailable`; 10,000 ms when left out. */
  readonly requestTimeoutMs?: number;
  readonly now?: () => number;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
  readonly timers?: Timers;
  readonly scheduler?: Scheduler;
}

export interface SessionListView {
  /** Newest updated first. */
  readonly items: readonly Session[];
  readonly status: 'loading' | 'ready' | 'failed';
  readonly error?: Fault;
  readonly hasMore: boolean;
}

/** What the server or the client itself has to say: `server:notice`, or `invalid_event`, `storage_failed`. */
export interface Notice {
  readonly code: string;
  readonly message: string;
}

export interface SessionView {
  /** `gone`: deleted, or another's. `failed`: refused for good, see `error`. */
  readonly phase: 'loading' | 'ready' | 'gone' | 'failed';
  /** Why it is not up to date; with `ready` the last good state is shown and it is tried again. */
  readonly error?: Fault;
  /** `session.lastError` says why the last turn failed. */
  readonly session?: Session;
  /** In order of `seq`, queued ones last. The live one is not in here. An unchanged message keeps its identity. */
  readonly messages: readonly Message[];
  /**
   * The unfinished assistant message, growing. A tool call that is being written appears as `{ type: 'tool_call', callId }`
   * with `callId` empty until the server names it, and its input so far in `liveInputs[partIndex]`.
   */
  readonly live?: Message;
  readonly liveInputs: Readonly<Record<number, string>>;
  readonly calls: Readonly<Record<string, Call>>;
  /** Live output of running calls by call id: the last 256 Ki characters or a little more, and about how much went before it. */
  readonly outputs: Readonly<Record<string, LiveOutput>>;
  /** Messages of this session that are not in `messages` yet. */
  readonly outbox: readonly OutboxMessage[];
  /** There are older messages than `messages[0]`. */
  readonly hasMore: boolean;
  readonly loadingOlder: boolean;
  /** The last durable event that is applied. */
  readonly seq: number;
}

export interface LiveOutput {
  readonly text: string;
  readonly droppedBytes: number;
}

/** What the agent's browser shows, while somebody of this client looks. */
export type BrowserView =
  /** Nobody looks. */
  | { readonly kind: 'off' }
  /** There is no connection; it goes on by itself. */
  | { readonly kind: 'offline' }
  | { readonly kind: 'picture'; readonly frame: BrowserFrame }
  | { readonly kind: 'starting' | 'no_page' }
  /** The policy of the machine forbids it. */
  | { readonly kind: 'refused' }
  /** The machine is offline, or is there and says nothing. */
  | { readonly kind: 'away' | 'silent' }
  /** The server did not take the question. */
  | { readonly kind: 'failed'; readonly error: Fault };

export interface SendOptions {
  readonly mode?: 'queue' | 'interrupt';
  readonly attachments?: Attachment[];
}

export interface CallDecision {
  readonly decision: 'approve' | 'deny';
  readonly scope?: 'once' | 'session' | 'always';
  readonly reason?: string;
}

export type GatewayList = readonly Gateway[];
