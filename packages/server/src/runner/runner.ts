import type { Logger } from 'pino';
import { v7 } from 'uuid';
import type { GatewayStore, SessionStore } from '../store/session-store.ts';
import { createAgentHandlers } from './agent-desk.ts';
import type { RunnerContext } from './context.ts';
import { Dispatcher } from './dispatcher.ts';
import { createGatewayDesk } from './gateway-desk.ts';
import { HistoryCache } from './history-cache.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { Machines } from './machines.ts';
import type { ModelPort } from './model/model-port.ts';
import { OutputTails } from './output-tails.ts';
import type { AgentHandlers, Fanout, GatewayDesk } from './ports.ts';
import { runRemoteTool } from './remote-tools.ts';
import { SessionActor } from './session-actor.ts';

const POKE_LATER_MS = 1_000;

export interface RunnerOptions {
  readonly node: string;
  readonly store: SessionStore & GatewayStore;
  readonly models: ModelPort;
  readonly fanout: Fanout;
  readonly log: Logger;
  readonly now?: () => Date;
  readonly monotonicMs?: () => number;
  readonly newId?: () => string;
}

export interface Runner {
  readonly agent: AgentHandlers;
  readonly gateways: GatewayDesk;
  /** Takes up the work that an earlier process left owed, and goes on looking for more. */
  start(): Promise<void>;
  /** Ends every turn here without deciding about it: it stays owed, for the next owner. */
  close(): Promise<void>;
}

export function createRunner(options: RunnerOptions): Runner {
  const { store, models, fanout, log, node } = options;
  const now = options.now ?? (() => new Date());
  const newId = options.newId ?? v7;
  const monotonicMs = options.monotonicMs ?? (() => performance.now());
  const clock = new Timers();
  const actors = new Map<string, SessionActor>();
  const machines = new Machines({ store, fanout, now });
  const tails = new OutputTails();
  const history = new HistoryCache(store);
  const pokeLater = oncePerSession(clock, (sessionId) => void actorOf(sessionId).poke());
  const context: RunnerContext = {
    node,
    store,
    models,
    fanout,
    history,
    tails,
    log,
    now,
    monotonicMs,
    newId,
    pokeLater,
    runRemoteTool,
    dispatcher: new Dispatcher({ machines, tails, log, now, later: (ms, work) => clock.later(ms, work), actorOf: (sessionId) => actorOf(sessionId) }),
    pause: (ms) => clock.pause(ms),
    machineOf: (session) => machines.machineOf(session),
    actorChanged: (actor) => {
      if (actor.isQuiet && actors.get(actor.sessionId) === actor) actors.delete(actor.sessionId);
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
  const keeper = new LeaseKeeper({
    node,
    store,
    log,
    held: () => [...actors.values()].flatMap((actor) => (actor.lease ? [actor.lease] : [])),
    onLost: (lease) => actors.get(lease.sessionId)?.loseLease(lease),
    monotonicMs,
    onKept: (lease, askedAtMs) => actors.get(lease.sessionId)?.keepLease(lease, askedAtMs),
    onClaimed: (lease, askedAtMs) => void actorOf(lease.sessionId).poke({ lease, askedAtMs }),
  });
  const desk = { store, machines, tails, history, fanout, now, newId, actorOf, pokeLater, pause: context.pause, isClosing: () => clock.isClosed, log, models };
  const gateways = createGatewayDesk(desk);
  return {
    agent: createAgentHandlers(desk),
    gateways,
    start: async () => {
      keeper.start();
      await keeper.sweep();
    },
    close: async () => {
      await keeper.close();
      clock.close();
      await Promise.all([...actors.values()].map((actor) => actor.close()));
      await gateways.settled();
      const leases = [...actors.values()].flatMap((actor) => (actor.lease ? [actor.lease] : []));
      await Promise.allSettled(leases.map((lease) => store.release(lease)));
    },
  };
}

/** However many ask for a session meanwhile, it is looked at once. */
function oncePerSession(clock: Timers, work: (sessionId: string) => void): (sessionId: string) => void {
  const toCome = new Set<string>();
  return (sessionId) => {
    if (toCome.has(sessionId)) return;
    toCome.add(sessionId);
    clock.later(POKE_LATER_MS, () => {
      toCome.delete(sessionId);
      work(sessionId);
    });
  };
}

/** Timers that all end together. */
class Timers {
  readonly #open = new Map<NodeJS.Timeout, () => void>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  later(ms: number, work: () => void): void {
    if (this.#isClosed) return;
    const timer = setTimeout(() => {
      this.#open.delete(timer);
      work();
    }, ms);
    this.#open.set(timer, () => undefined);
  }

  pause(ms: number): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#open.delete(timer);
        resolve();
      }, ms);
      this.#open.set(timer, resolve);
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const [timer, settle] of this.#open) {
      clearTimeout(timer);
      settle();
    }
    this.#open.clear();
  }
}
