import type { Delta, Live, Log } from '@tendon/protocol';
import type { Neighbours, Notice, NoticeOf } from '../neighbours/index.ts';
import type { SessionStore } from '../store/session-store.ts';
import type { BrowserWatches } from './browser-watches.ts';
import type { Machines } from './machines.ts';
import type { OutputTails } from './output-tails.ts';
import type { Fanout } from './ports.ts';
import type { SessionActor } from './session-actor.ts';

/** Nodes say so often what they hold and watch, and look for what they may have missed. */
const BEAT_MS = 2_000;
const ASK_AGAIN_MS = 500;
const MACHINES_AT_ONCE = 100;
/** Somebody's list after notices were lost: the newest sessions. */
const LIST_AGAIN = 100;

export interface NeighbourDeskOptions {
  readonly neighbours: Neighbours;
  readonly store: Pick<SessionStore, 'places' | 'list'>;
  readonly machines: Machines;
  readonly tails: OutputTails;
  readonly fanout: Fanout;
  readonly watches: Pick<BrowserWatches, 'hearWish' | 'hearView' | 'forget'>;
  readonly log: Log;
  readonly monotonicMs: () => number;
  readonly actors: ReadonlyMap<string, SessionActor>;
  readonly actorOf: (sessionId: string) => SessionActor;
  /** Looks whether this actor is still needed. */
  readonly review: (actor: SessionActor) => void;
  /** Looks for work that nobody owns. */
  readonly sweep: () => void;
  readonly onRevoked: (credentialId: string) => void;
}

/** What other nodes say, made into looks at sessions. What was lost on the way is found by looking every two seconds. */
export class NeighbourDesk {
  readonly #options: NeighbourDeskOptions;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> | undefined;
  /** How far sessions were that only machines here have to do with, when they were last looked at. */
  #places = new Map<string, number>();
  readonly #askedAt = new Map<string, number>();

  constructor(options: NeighbourDeskOptions) {
    this.#options = options;
  }

  start(): void {
    const { neighbours } = this.#options;
    if (neighbours.isAlone) return;
    neighbours.listen({
      heard: (notice) => this.#hear(notice),
      missed: () => void this.#beat({ isAfterLoss: true }),
    });
    this.#timer = setInterval(() => void this.#beat({ isAfterLoss: false }), BEAT_MS);
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#beating;
  }

  #hear(notice: Notice): void {
    const { machines, sweep, onRevoked } = this.#options;
    if (notice.kind === 'changed') this.#onChanged(notice);
    else if (notice.kind === 'deleted') this.#onDeleted(notice);
    else if (notice.kind === 'archived') machines.endSession(notice.ownerId, { sessionId: notice.sessionId, isDeleted: false });
    else if (notice.kind === 'delta') this.#onDelta(notice.delta);
    else if (notice.kind === 'live') this.#onLive(notice.live);
    else if (notice.kind === 'watch') for (const sessionId of notice.isNew ? notice.sessionIds : []) this.#show(sessionId);
    else if (notice.kind === 'browser_wish') this.#options.watches.hearWish(notice);
    else if (notice.kind === 'browser_view') this.#options.watches.hearView(notice);
    else if (notice.kind === 'who') this.#tellMachines();
    else if (notice.kind === 'machines') for (const greeting of notice.here) this.#quietly(machines.heardOf(greeting));
    else if (notice.kind === 'machine_mcp') this.#quietly(machines.heardOf(notice.greeting, notice.mcpServers));
    else if (notice.kind === 'machine_mcp_wish') machines.tellMcp(notice.gatewayId);
    else if (notice.kind === 'machine_left') this.#quietly(machines.heardGone(notice));
    else if (notice.kind === 'revoked') onRevoked(notice.credentialId);
    else sweep();
  }

  #onChanged({ ownerId, session, owes }: NoticeOf<'changed'>): void {
    const { fanout, machines, actors, actorOf } = this.#options;
    fanout.toUser(ownerId, 'session:summary', { session });
    if (actors.has(session.id) || fanout.hasAudience(session.id) || owes.some((gatewayId) => machines.online(gatewayId)))
      void actorOf(session.id).hear(session.seq);
  }

  #onDeleted({ ownerId, session }: NoticeOf<'deleted'>): void {
    const { fanout, tails, actors, machines, watches } = this.#options;
    tails.closeSession(session.id);
    machines.endSession(ownerId, { sessionId: session.id, isDeleted: true });
    watches.forget(session.id);
    void actors.get(session.id)?.poke();
    fanout.toUser(ownerId, 'session:summary', { session, deleted: true });
  }

  #onDelta(delta: Delta): void {
    const { fanout, actorOf } = this.#options;
    if (!fanout.hasAudience(delta.sessionId)) return;
    const { remote } = actorOf(delta.sessionId);
    if (delta.kind === 'tool_output') remote.hearOutput(delta);
    else if (!remote.hearDelta(delta)) this.#askAgain(delta.sessionId);
  }

  /** A piece is missing: the whole is asked for, and not again for every further piece until it comes. */
  #askAgain(sessionId: string): void {
    const { neighbours, monotonicMs } = this.#options;
    if ((this.#askedAt.get(sessionId) ?? Number.NEGATIVE_INFINITY) > monotonicMs() - ASK_AGAIN_MS) return;
    this.#askedAt.set(sessionId, monotonicMs());
    neighbours.watch([sessionId], { isNew: true });
  }

  #onLive(live: Live): void {
    const { fanout, actors, actorOf } = this.#options;
    const { sessionId } = live.message;
    // Somebody who is about to attach has an actor already.
    if (actors.has(sessionId) || fanout.hasAudience(sessionId)) actorOf(sessionId).remote.hearLive(live);
  }

  /** Shows another node what streams here, from its beginning. */
  #show(sessionId: string): void {
    const { actors, neighbours, tails } = this.#options;
    const live = actors.get(sessionId)?.streaming;
    if (live) neighbours.tell({ kind: 'live', live });
    for (const { callId, offset, text } of tails.ofSession(sessionId))
      neighbours.tell({ kind: 'delta', delta: { sessionId, messageId: callId, part: 0, kind: 'tool_output', offset, text } });
  }

  #beat({ isAfterLoss }: { isAfterLoss: boolean }): Promise<void> {
    const { neighbours, machines, fanout, actors, review, log, monotonicMs } = this.#options;
    neighbours.tidy();
    for (const [sessionId, at] of this.#askedAt) if (at < monotonicMs() - ASK_AGAIN_MS) this.#askedAt.delete(sessionId);
    const watched = [...actors.keys()].filter((sessionId) => fanout.hasAudience(sessionId));
    neighbours.watch(watched, { isNew: isAfterLoss });
    this.#tellMachines();
    for (const actor of [...actors.values()]) review(actor);
    if (isAfterLoss) {
      neighbours.tell({ kind: 'who' });
      this.#quietly(this.#listAgain());
    }
    this.#beating ??= Promise.all([machines.tidy(), this.#findMissed()])
      .then(
        () => undefined,
        (error: unknown) => log.warn({ err: error }, 'what other nodes have done could not be looked up'),
      )
      .finally(() => {
        this.#beating = undefined;
      });
    return this.#beating;
  }

  /** Also when there are none: a way that is cut without a word is found out by sending. */
  #tellMachines(): void {
    const { machines, neighbours } = this.#options;
    const here = machines.here();
    for (let from = 0; from === 0 || from < here.length; from += MACHINES_AT_ONCE)
      neighbours.tell({ kind: 'machines', here: here.slice(from, from + MACHINES_AT_ONCE) });
  }

  /** Sessions that this node has to do with, and that are further than it knows. */
  async #findMissed(): Promise<void> {
    const { store, machines, actors, actorOf } = this.#options;
    const gatewayIds = machines.here().map(({ gatewayId }) => gatewayId);
    const places = new Map<string, number>();
    for (const { sessionId, seq } of await store.places([...actors.keys()], gatewayIds)) {
      const actor = actors.get(sessionId);
      if (actor) void actor.hear(seq);
      else if (this.#places.get(sessionId) !== seq) void actorOf(sessionId).hear(seq);
      places.set(sessionId, seq);
    }
    this.#places = places;
  }

  async #listAgain(): Promise<void> {
    const { store, fanout } = this.#options;
    for (const userId of fanout.people()) {
      const { sessions } = await store.list(userId, { limit: LIST_AGAIN });
      for (const session of sessions) fanout.toUser(userId, 'session:summary', { session });
    }
  }

  #quietly(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.log.warn({ err: error }, 'what a notice is about could not be looked up'));
  }
}
