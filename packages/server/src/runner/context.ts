import type { Call, Log, ToolResult } from '@tendon/protocol';
import type { Neighbours } from '../neighbours/index.ts';
import type { SessionStore } from '../store/session-store.ts';
import type { Dispatcher } from './dispatcher.ts';
import type { HistoryCache } from './history-cache.ts';
import type { ModelPort } from './model/model-port.ts';
import type { OutputTails } from './output-tails.ts';
import type { Fanout } from './ports.ts';
import type { ServerCalls } from './server-calls.ts';
import type { ServerTools } from './server-tools.ts';
import type { SessionActor } from './session-actor.ts';
import type { Machine } from './tool-check.ts';

/** What every session of this node shares. Made once, by `createRunner`. */
export interface RunnerContext {
  readonly node: string;
  readonly store: SessionStore;
  readonly models: ModelPort;
  readonly fanout: Fanout;
  readonly history: HistoryCache;
  readonly tails: Pick<OutputTails, 'open' | 'add' | 'close'>;
  readonly neighbours: Neighbours;
  readonly dispatcher: Pick<Dispatcher, 'carryOut'>;
  readonly serverCalls: Pick<ServerCalls, 'carryOut' | 'forsake' | 'review'>;
  readonly mcp: ServerTools;
  readonly log: Log;
  readonly now: () => Date;
  /** A clock that nobody sets, in milliseconds from some moment. */
  readonly monotonicMs: () => number;
  readonly newId: () => string;
  /** Resolves after `ms`, or at once when the runner closes. */
  readonly pause: (ms: number) => Promise<void>;
  readonly runRemoteTool: (call: Pick<Call, 'tool' | 'input'>) => Promise<ToolResult>;
  /** The machine and folder a session's local tools use. */
  readonly machineOf: (session: { ownerId: string; gatewayId?: string | undefined; workspace?: string | undefined }) => Promise<Machine | undefined>;
  /** Looks at the session now, through whoever is its actor: the one that began something may no longer be that. */
  readonly lookAt: (sessionId: string) => void;
  /** Looks at the session again, soon, when the database answers. */
  readonly pokeLater: (sessionId: string) => void;
  readonly actorChanged: (actor: SessionActor) => void;
}
