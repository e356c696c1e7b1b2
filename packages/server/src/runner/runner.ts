import type { Log } from '@tendon/protocol';
import { v7 } from 'uuid';
import { Neighbours, type NoticeChannel } from '../neighbours/index.ts';
import type { GatewayStore, Lease, SessionStore } from '../store/session-store.ts';
import { createAgentHandlers } from './agent-desk.ts';
import { BrowserWatches } from './browser-watches.ts';
import type { RunnerContext } from './context.ts';
import { Dispatcher } from './dispatcher.ts';
import { createGatewayDesk } from './gateway-desk.ts';
import { HistoryCache } from './history-cache.ts';
import { LeaseKeeper, type LeaseKeeperOptions } from './lease-keeper.ts';
import { Machines } from './machines.ts';
import type { ModelPort } from './model/model-port.ts';
import { NeighbourDesk } from './neighbour-desk.ts';
import { OutputTails } from './output-tails.ts';
import type { AgentHandlers, Fanout, GatewayDesk } from './ports.ts';
import { runRemoteTool } from './remote-tools.ts';
import type { RuleChange } from './rule-change.ts';
import { ServerCalls } from './server-calls.ts';
import { NO_SERVER_TOOLS, type ServerTools, tellChanges } from './server-tools.ts';
import { SessionActor } from './session-actor.ts';
import { Timers } from './timers.ts';

const POKE_LATER_MS = 1_000;

export interface RunnerOptions {
  readonly node: string;
  readonly store: SessionStore & GatewayStore;
  readonly models: ModelPort;
  readonly fanout: Fanout;
  /** The way to the other nodes on this database; left out when there can be none. */
  readonly channel?: NoticeChannel | undefined;
  /** The MCP servers that run on this node; none when left out. */
  readonly mcp?: ServerTools | undefined;
  /** Another node has made a credential void. */
  readonly onRevoked?: (credentialId: string) => void;
  /** A person has stored or revoked a rule. Their request is answered when this is done; it never rejects. */
  readonly onRuleChange?: ((change: RuleChange) => Promise<void>) | undefined;
  readonly log: Log;
  readonly now?: () => Date;
  readonly monotonicMs?: () => number;
  readonly newId?: () => string;
}

export interface Runner {
  readonly agent: AgentHandlers;
  readonly gateways: GatewayDesk;
  /** Tells the other nodes that a credential is void. */
  revoked(credentialId: string): void;
  /** Takes up the work that an earlier process left owed, and goes on looking for more. */
  start(): Promise<void>;
  /** Ends every turn here without deciding about it: it stays owed, for the next owner. */
  close(): Promise<void>;
}

export function createRunner(options: RunnerOptions): Runner {
  const { store, node, log, fanout } = options;
  const now = options.now ?? (() => new Date());
  const newId = options.newId ?? v7;
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const clock = new Timers();
  const neighbours = new Neighbours({ channel: options.channel, monotonicMs });
  const machines = new Machines({ store, fanout, neighbours, now, monotonicMs });
  const tails = new OutputTails();
  const actors = new Map<string, SessionActor>();
  const pokeLater = clock.oncePerKey(POKE_LATER_MS, (sessionId) => void actorOf(sessionId).poke());
  const watches = new BrowserWatches({ ...options, machines, neighbours, now, monotonicMs, later: (ms, work) => clock.later(ms, work) });
  const mcp = options.mcp ?? NO_SERVER_TOOLS;
  tellChanges(mcp, { clock, fanout });
  const serverCalls = new ServerCalls({ node, mcp, tails, fanout, neighbours, log, pokeLater, actorOf: (sessionId) => actorOf(sessionId) });
  const shared = { ...options, machines, tails, neighbours, mcp, history: new HistoryCache(store), now, newId, monotonicMs, pokeLater };
  const context: RunnerContext = {
    ...shared,
    runRemoteTool,
    serverCalls,
    dispatcher: new Dispatcher({ machines, tails, log, now, later: (ms, work) => clock.later(ms, work), actorOf: (sessionId) => actorOf(sessionId) }),
    lookAt: (sessionId) => void actorOf(sessionId).poke(),
    pause: (ms) => clock.pause(ms),
    machineOf: (session) => machines.machineOf(session),
    actorChanged: (actor) => {
      // Among several nodes it remembers what those who are attached here have been told.
      const isNeeded = !actor.isQuiet || (!neighbours.isAlone && fanout.hasAudience(actor.sessionId));
      if (isNeeded || actors.get(actor.sessionId) !== actor) return;
      actors.delete(actor.sessionId);
      actor.remote.forget();
    },
  };
  const actorOf = (sessionId: string): SessionActor => {
    const known = actors.get(sessionId);
    if (known) return known;
    const actor = new SessionActor(sessionId, context);
    if (clock.isClosed) void actor.close();
    actors.set(sessionId, actor);
    return actor;
  };
  const keeper = new LeaseKeeper({ node, store, log, monotonicMs, ...leasesOf(actors, actorOf) });
  const desk = { ...shared, watches, actors, actorOf, pause: context.pause, isClosing: () => clock.isClosed };
  const gateways = createGatewayDesk(desk);
  const sweep = (): void => void keeper.sweep();
  const neighbourDesk = new NeighbourDesk({ ...desk, sweep, review: context.actorChanged, onRevoked: options.onRevoked ?? (() => undefined) });
  return {
    agent: createAgentHandlers({ ...desk, onRuleChange: options.onRuleChange }),
    gateways,
    revoked: (credentialId) => neighbours.tell({ kind: 'revoked', credentialId }),
    start: async () => {
      neighbourDesk.start();
      keeper.start();
      await keeper.sweep();
    },
    close: async () => {
      watches.close();
      await serverCalls.close();
      await Promise.all([keeper.close(), neighbourDesk.close()]);
      clock.close();
      await Promise.all([...actors.values()].map((actor) => actor.close()));
      await gateways.settled();
      await Promise.allSettled(heldBy(actors).map((lease) => store.release(lease)));
      neighbours.tell({ kind: 'owed' });
      await neighbours.close();
    },
  };
}

function heldBy(actors: ReadonlyMap<string, SessionActor>): Lease[] {
  return [...actors.values()].flatMap((actor) => (actor.lease ? [actor.lease] : []));
}

/** What becomes of leases, told to the sessions they are for. */
function leasesOf(
  actors: ReadonlyMap<string, SessionActor>,
  actorOf: (sessionId: string) => SessionActor,
): Pick<LeaseKeeperOptions, 'held' | 'onLost' | 'onKept' | 'onClaimed'> {
  return {
    held: () => heldBy(actors),
    onLost: (lease) => actors.get(lease.sessionId)?.loseLease(lease),
    onKept: (lease, askedAtMs) => actors.get(lease.sessionId)?.keepLease(lease, askedAtMs),
    onClaimed: (lease, askedAtMs) => void actorOf(lease.sessionId).poke({ lease, askedAtMs }),
  };
}
