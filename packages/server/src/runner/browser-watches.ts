import type { Log } from '@tendon/protocol';
import { type AgentData, type BrowserState, type BrowserStateName, LIMITS, type Result, refusal, success } from '@tendon/protocol';
import type { Neighbours, NoticeOf } from '../neighbours/index.ts';
import type { SessionStore } from '../store/session-store.ts';
import { type BrowserView, MachineViews } from './machine-views.ts';
import type { Machines } from './machines.ts';
import type { AgentConnection, GatewayConnection } from './ports.ts';
import { NO_SESSION } from './session-reading.ts';

/*
 * People who watch the browser of a session at this node:
 *
 *   nobody ──the first watches──► watched ──the last stops, leaves the session or its connection ends──► nobody
 *                                   │ every TICK_MS the session's machine is asked again: here, or through the node that holds it
 *                                   └ what it says goes to all who watch; `away` while it is offline, `silent` when it says nothing
 *
 * Nothing of it is stored, and nothing of it depends on a notice that may be lost: the next tick asks again.
 */

/** Machine and owner are looked up again so often: a session may be moved, and machines come and go. */
const TICK_MS = 2_000;
const SILENT_AFTER_MS = 8_000;
/** However often somebody begins to watch, and stops, a machine is asked for its last picture once in so long. */
const ANEW_EVERY_MS = 1_000;
const LOOK_UP_FAILED = 'a session that is watched could not be looked up';
const TOO_MANY = `This page watches ${LIMITS.browserWatches} browsers already. Stop watching one of them.`;

interface Watched {
  readonly sessionId: string;
  readonly ownerId: string;
  readonly watchers: Set<AgentConnection>;
  /** Whose pictures are shown. */
  gatewayId: string | undefined;
  /** Since when somebody waits for something to see. */
  waitingSinceMs: number | undefined;
  state: BrowserStateName | 'shown';
  /** A database that is slow is not asked twice for one session. */
  isLookedUp: boolean;
  /** When somebody who began to watch had the machine asked last. */
  askedAnewAtMs: number;
  isToBeAsked: boolean;
}

export interface BrowserWatchesOptions {
  readonly node: string;
  readonly store: Pick<SessionStore, 'load'>;
  readonly machines: Machines;
  readonly neighbours: Neighbours;
  readonly log: Log;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
  readonly later: (ms: number, work: () => void) => void;
}

export class BrowserWatches {
  readonly #options: BrowserWatchesOptions;
  readonly #machineViews: MachineViews;
  readonly #watched = new Map<string, Watched>();
  /** What each connection wants to watch, also while it is looked up. */
  readonly #wishes = new Map<AgentConnection, Set<string>>();
  /** When a machine was last asked for sessions that nobody watches any more. */
  readonly #askedBefore = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: BrowserWatchesOptions) {
    this.#options = options;
    this.#machineViews = new MachineViews({ ...options, show: (gatewayId, view) => this.#show(gatewayId, view) });
  }

  async watch(connection: AgentConnection, sessionId: string): Promise<Result<AgentData<'browser:watch'>>> {
    const wishes = this.#wishesOf(connection);
    const isNew = !wishes.has(sessionId);
    if (isNew && wishes.size >= LIMITS.browserWatches) return refusal('conflict', TOO_MANY);
    wishes.add(sessionId);
    const state = await this.#options.store.load(sessionId, connection.userId).catch((error: unknown) => {
      // An earlier watch of the same connection stands, and so does one that has overtaken this one.
      if (isNew && !this.#watched.get(sessionId)?.watchers.has(connection)) wishes.delete(sessionId);
      throw error;
    });
    if (!state) {
      this.unwatch(connection, sessionId);
      return refusal('not_found', NO_SESSION);
    }
    // It may have been taken back, or the connection may have ended, while the session was looked up.
    if (!this.#wishes.get(connection)?.has(sessionId) || this.#isClosed) return success({});
    const watched = this.#watched.get(sessionId) ?? this.#begin(sessionId, state.ownerId);
    watched.watchers.add(connection);
    watched.waitingSinceMs = this.#options.monotonicMs();
    watched.state = 'starting';
    this.#tell(watched, 'starting', [connection]);
    await this.#askAnew(watched);
    return success({});
  }

  unwatch(connection: AgentConnection, sessionId: string): void {
    this.#wishes.get(connection)?.delete(sessionId);
    const watched = this.#watched.get(sessionId);
    if (watched?.watchers.delete(connection) && watched.watchers.size === 0) this.#end(watched);
  }

  /** The session is gone. */
  forget(sessionId: string): void {
    const watched = this.#watched.get(sessionId);
    for (const connection of watched?.watchers ?? []) this.#wishes.get(connection)?.delete(sessionId);
    if (watched) this.#end(watched);
  }

  /** A machine that is connected here says what its browser shows. */
  hearMachine(connection: GatewayConnection, view: BrowserView): void {
    this.#machineViews.hear(connection, view);
  }

  /** Somebody watches at another node, or nobody does any more. */
  hearWish({ node, sessionId, isWatched, ...wish }: NoticeOf<'browser_wish'>): void {
    if (isWatched) this.#machineViews.wish(node, { sessionId, ...wish });
    else this.#machineViews.unwish(node, sessionId);
  }

  /** A machine at another node. */
  hearView({ gatewayId, view }: NoticeOf<'browser_view'>): void {
    this.#show(gatewayId, view);
  }

  /** May be called twice. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    this.#watched.clear();
    this.#askedBefore.clear();
    this.#wishes.clear();
    this.#machineViews.close();
  }

  #wishesOf(connection: AgentConnection): Set<string> {
    const known = this.#wishes.get(connection);
    if (known) return known;
    const wishes = new Set<string>();
    this.#wishes.set(connection, wishes);
    connection.onEnd(() => {
      for (const sessionId of [...wishes, ...this.#watched.keys()]) this.unwatch(connection, sessionId);
      this.#wishes.delete(connection);
    });
    return wishes;
  }

  #begin(sessionId: string, ownerId: string): Watched {
    const watched: Watched = {
      ...{ sessionId, ownerId, watchers: new Set(), gatewayId: undefined, waitingSinceMs: undefined, state: 'starting', isLookedUp: false },
      ...{ askedAnewAtMs: this.#askedBefore.get(sessionId) ?? Number.NEGATIVE_INFINITY, isToBeAsked: false },
    };
    this.#watched.set(sessionId, watched);
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS);
    return watched;
  }

  #end(watched: Watched): void {
    this.#watched.delete(watched.sessionId);
    this.#release(watched);
    this.#askedBefore.set(watched.sessionId, watched.askedAnewAtMs);
    const since = this.#options.monotonicMs() - ANEW_EVERY_MS;
    for (const [sessionId, askedAtMs] of this.#askedBefore) if (askedAtMs <= since) this.#askedBefore.delete(sessionId);
    if (this.#watched.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #tick(): void {
    for (const watched of this.#watched.values()) {
      if (watched.isLookedUp) continue;
      watched.isLookedUp = true;
      this.#ask(watched)
        .catch((error: unknown) => this.#options.log.warn({ err: error }, LOOK_UP_FAILED))
        .finally(() => {
          watched.isLookedUp = false;
        });
    }
  }

  /** For somebody who has just begun to watch. */
  async #askAnew(watched: Watched): Promise<void> {
    const { later, log, monotonicMs } = this.#options;
    const wait = watched.askedAnewAtMs + ANEW_EVERY_MS - monotonicMs();
    if (wait <= 0) {
      watched.askedAnewAtMs = monotonicMs();
      return this.#ask(watched);
    }
    if (watched.isToBeAsked) return;
    watched.isToBeAsked = true;
    later(wait, () => {
      watched.isToBeAsked = false;
      // What came meanwhile, everybody has seen.
      if (this.#watched.get(watched.sessionId) !== watched || watched.waitingSinceMs === undefined) return;
      this.#askAnew(watched).catch((error: unknown) => log.warn({ err: error }, LOOK_UP_FAILED));
    });
  }

  async #ask(watched: Watched): Promise<void> {
    const { store, machines, node, neighbours, monotonicMs } = this.#options;
    const { sessionId, ownerId } = watched;
    const state = await store.load(sessionId, ownerId);
    const machine = state ? await machines.machineOf(state) : undefined;
    if (this.#watched.get(sessionId) !== watched) return;
    if (!state) return this.forget(sessionId);
    const gatewayId = machine?.gatewayId;
    if (watched.gatewayId !== gatewayId) this.#moved(watched, gatewayId);
    const isHere = gatewayId !== undefined && machines.online(gatewayId) !== undefined;
    if (gatewayId === undefined || (!isHere && !machines.isElsewhere(gatewayId))) {
      watched.waitingSinceMs = undefined;
      this.#say(watched, 'away');
      return;
    }
    if (watched.state === 'away') this.#say(watched, 'starting');
    watched.waitingSinceMs ??= watched.state === 'starting' ? monotonicMs() : undefined;
    const wish = { sessionId, ownerId, gatewayId, anew: watched.waitingSinceMs !== undefined };
    if (isHere) this.#machineViews.wish(node, wish);
    else neighbours.tell({ kind: 'browser_wish', node, isWatched: true, ...wish });
    if (watched.waitingSinceMs !== undefined && monotonicMs() - watched.waitingSinceMs > SILENT_AFTER_MS) this.#say(watched, 'silent');
  }

  /** To its first machine, or to another one, of which nothing is known yet. */
  #moved(watched: Watched, gatewayId: string | undefined): void {
    this.#release(watched);
    watched.gatewayId = gatewayId;
    watched.waitingSinceMs = this.#options.monotonicMs();
    this.#say(watched, 'starting');
  }

  #say(watched: Watched, state: BrowserStateName): void {
    if (watched.state === state) return;
    watched.state = state;
    this.#tell(watched, state);
  }

  #tell({ sessionId, watchers }: Watched, state: BrowserStateName, to: Iterable<AgentConnection> = watchers): void {
    const notice: BrowserState = { sessionId, at: this.#options.now().toISOString(), state };
    for (const connection of to) connection.showNewest(sessionId, 'browser:state', notice);
  }

  #show(gatewayId: string, view: BrowserView): void {
    const { sessionId } = view.notice;
    const watched = this.#watched.get(sessionId);
    if (watched?.gatewayId !== gatewayId) return;
    watched.waitingSinceMs = undefined;
    watched.state = view.name === 'browser:frame' ? 'shown' : view.notice.state;
    for (const connection of watched.watchers) connection.showNewest(sessionId, view.name, view.notice);
  }

  /** The machine that was asked is wanted no more: at this node, and at the one that holds it. */
  #release({ sessionId, ownerId, gatewayId }: Watched): void {
    if (gatewayId === undefined) return;
    const { node, neighbours } = this.#options;
    this.#machineViews.unwish(node, sessionId);
    neighbours.tell({ kind: 'browser_wish', node, sessionId, ownerId, gatewayId, anew: false, isWatched: false });
  }
}
