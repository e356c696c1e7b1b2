import { isFinalCallState, type Live, type Part, type SessionEvent } from '@tendon/protocol';
import { type Effect, type Input, owed, publicSession, type SessionState, transition } from '../kernel/index.ts';
import type { CommitOutcome, CommitRequest, Lease } from '../store/session-store.ts';
import type { RunnerContext } from './context.ts';
import { RemoteStream } from './remote-stream.ts';
import type { ServerEffect } from './server-calls.ts';
import { TurnRun } from './turn-run.ts';

/** Another node may have committed more by the time that events are read again. */
const SPARE_EVENTS = 1_000;

/** A lease lasts 10 s. When it could not be renewed for so long another node may soon have it, and no text of its turn leaves any more. */
const LEASE_SURE_MS = 7_000;

/** A lease, and the last moment at which it certainly had its full length before it. */
interface Claim {
  readonly lease: Lease;
  readonly askedAtMs: number;
}

export interface CommitOptions {
  readonly ownerId?: string | undefined;
  readonly focus?: CommitRequest['focus'];
  readonly fence?: Lease | undefined;
}

/**
 * The one place of this process where a session changes: commits follow each other, their events leave in the same order,
 * and what is owed afterwards is started here.
 *
 *   input ─► commit (one transaction) ─► emit events ─► do what is owed ─► its outcome comes back as an input
 */
export class SessionActor {
  readonly sessionId: string;
  /** What streams of this session at other nodes. */
  readonly remote: RemoteStream;
  readonly #context: RunnerContext;
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #run: TurnRun | undefined;
  #lease: Lease | undefined;
  #leaseAskedAtMs = Number.NEGATIVE_INFINITY;
  /** Last event that left from here; undefined until something was decided here. */
  #emittedSeq: number | undefined;
  /** A commit failed, and whether it was written is not known: the database holds perhaps events and a lease that we have not heard of. */
  #isUncertain = false;
  /** What waits outside of the queue, as a commit between two tries: meanwhile nobody else may become this session's actor. */
  #holders = 0;
  readonly #remoteRuns = new Set<string>();
  /** How far the session was when what it owes was last done here. */
  #actedSeq = 0;
  #isClosed = false;

  constructor(sessionId: string, context: RunnerContext) {
    this.sessionId = sessionId;
    this.#context = context;
    this.remote = new RemoteStream({ sessionId, context, serially: (work) => this.serially(work) });
  }

  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** Nothing in flight: the actor may be dropped. */
  get isQuiet(): boolean {
    return this.#waiting + this.#holders === 0 && !this.#run && this.#remoteRuns.size === 0 && !this.#lease && !this.#isUncertain;
  }

  /** Runs `work` after everything that came before it, so that it sees no half-told state. */
  serially<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const result = this.#tail.then(work);
    this.#tail = result
      .catch(() => undefined)
      .then(() => {
        this.#waiting -= 1;
        this.#context.actorChanged(this);
      });
    return result;
  }

  commit(input: Input, options: CommitOptions = {}): Promise<CommitOutcome> {
    return this.serially(() => this.#commitNow(input, options));
  }

  /** For stop and interrupt: no token may leave once the commit is on its way, and what had left is what is kept. */
  commitEndingTurn(makeInput: (partial: readonly Part[] | undefined) => Input, options: CommitOptions): Promise<CommitOutcome> {
    return this.serially(async () => {
      const run = this.#run;
      run?.freeze();
      try {
        return await this.#commitNow(makeInput(run?.keptParts()), options);
      } finally {
        if (run && this.#run === run) run.thaw();
      }
    });
  }

  /** Tries until the database has taken or refused it: what a model or machine has done must not be lost to a passing fault. */
  commitSurely(input: Input, options: CommitOptions): Promise<CommitOutcome | undefined> {
    return this.whileHeld(async () => {
      for (let attempt = 0; !this.#isClosed; attempt += 1) {
        try {
          return await this.commit(input, options);
        } catch (error) {
          this.#context.log.error({ err: error, sessionId: this.sessionId, type: input.type, attempt }, 'a commit failed and is tried again');
          await this.#context.pause(Math.min(5_000, 200 * 2 ** attempt));
        }
      }
      return undefined;
    });
  }

  /** Stays the session's actor until `work` is done, though nothing may be in its queue. */
  async whileHeld<T>(work: () => Promise<T>): Promise<T> {
    this.#holders += 1;
    try {
      return await work();
    } finally {
      this.#holders -= 1;
      this.#context.actorChanged(this);
    }
  }

  /** Loads the state and does what is owed: after a start, a takeover, a machine's return, a passed deadline. Never rejects: it is tried again. */
  poke(claimed?: Claim): Promise<void> {
    return this.#lookSurely(() => this.#look(claimed));
  }

  /** The session is at `seq`: what another node wrote is told here too, and what is owed is done. It may be what is written here just now. */
  async hear(seq: number): Promise<void> {
    if (seq > this.#actedSeq) await this.#lookSurely(async () => (seq > this.#actedSeq ? this.#look(undefined) : undefined));
  }

  async #lookSurely(look: () => Promise<void>): Promise<void> {
    try {
      await this.serially(look);
    } catch (error) {
      this.#context.log.error({ err: error, sessionId: this.sessionId }, 'a session could not be looked at');
      this.#context.pokeLater(this.sessionId);
    }
  }

  async #look(claimed: Claim | undefined): Promise<void> {
    if (this.#isClosed) return;
    if (claimed) [this.#lease, this.#leaseAskedAtMs] = [claimed.lease, claimed.askedAtMs];
    // An input without a change: it answers with the state, what is owed, and the lease that the commit in doubt may have taken.
    if (this.#isUncertain) {
      this.#isUncertain = false;
      const outcome = await this.#commitNow({ type: 'update' }, {});
      if (!outcome.ok) return this.#forget();
    }
    const state = await this.#context.store.load(this.sessionId);
    if (!state) return this.#forget();
    await this.catchUp(state);
    const lease = this.#lease;
    if (lease && state.turn && state.turn.epoch !== lease.epoch) await this.#commitNow({ type: 'turn_lost' }, { fence: lease });
    else this.#act(state, owed(state));
  }

  live(state: SessionState): Live | undefined {
    if (!state.turn) return undefined;
    const message = {
      id: state.turn.messageId,
      sessionId: state.id,
      seq: state.seq + 1,
      role: 'assistant' as const,
      state: 'complete' as const,
      model: state.model,
      createdAt: state.turn.startedAt,
    };
    if (this.#run?.messageId === state.turn.messageId) return this.#run.live(message);
    const remote = this.remote.live(message);
    if (remote) return remote;
    return { message: { ...message, parts: [...state.turn.partial] }, offsets: state.turn.partial.map((part) => ('text' in part ? part.text.length : 0)) };
  }

  /** The unfinished message, when it streams from here. */
  get streaming(): Live | undefined {
    return this.#run?.streaming;
  }

  /** Whether this node can show what streams of that turn. */
  hasLive(messageId: string): boolean {
    return this.#run?.messageId === messageId || this.remote.has(messageId);
  }

  /** The lease is gone: another node may write now, so nothing of ours may leave any more. Late news of an older lease changes nothing. */
  loseLease(lost: Lease): void {
    if (this.#lease && this.#lease.epoch > lost.epoch) return;
    this.#lease = undefined;
    this.#endRun();
    this.#context.serverCalls.forsake(this.sessionId);
    this.#context.actorChanged(this);
  }

  /** Text of a turn may leave only while no other node can have the session: a node that was paused finds out here, before it hears of it. */
  get mayStream(): boolean {
    return this.#lease !== undefined && this.#context.monotonicMs() - this.#leaseAskedAtMs < LEASE_SURE_MS;
  }

  keepLease(kept: Lease, askedAtMs: number): void {
    if (this.#lease?.epoch !== kept.epoch) return;
    this.#leaseAskedAtMs = Math.max(this.#leaseAskedAtMs, askedAtMs);
    this.#run?.goOn();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const run = this.#run;
    await run?.savePartial();
    this.#endRun();
    await run?.ended;
    await this.#tail;
  }

  async #commitNow(input: Input, options: CommitOptions): Promise<CommitOutcome> {
    const { store, node, monotonicMs } = this.#context;
    const askedAtMs = monotonicMs();
    let outcome: CommitOutcome;
    try {
      outcome = await store.commit({ sessionId: this.sessionId, node, input, ...options }, (state, ...rest) => {
        this.#emittedSeq ??= state.seq;
        return transition(state, ...rest);
      });
    } catch (error) {
      this.#isUncertain = true;
      this.#context.pokeLater(this.sessionId);
      throw error;
    }
    if (!outcome.ok) {
      if ('fenced' in outcome && options.fence) this.loseLease(options.fence);
      if (this.#isUncertain) void this.poke();
      return outcome;
    }
    const { state, events } = outcome.change;
    this.#isUncertain = false;
    this.#holdLease(outcome.lease, events.length > 0 ? askedAtMs : undefined);
    for (const { call } of outcome.change.calls) if (isFinalCallState(call.state)) this.#context.tails.close(call.id);
    await this.#tell(state, events);
    if (events.length > 0) this.#tellNeighbours(state, outcome.owed);
    this.#act(state, outcome.owed);
    return outcome;
  }

  /** A commit that wrote events has renewed the lease; one that changed nothing only tells that it is held, not since when. */
  #holdLease(lease: Lease | undefined, renewedAtMs: number | undefined): void {
    if (renewedAtMs !== undefined) this.#leaseAskedAtMs = renewedAtMs;
    else if (this.#lease?.epoch !== lease?.epoch) this.#leaseAskedAtMs = Number.NEGATIVE_INFINITY;
    this.#lease = lease;
  }

  #tellNeighbours(state: SessionState, effects: readonly Effect[]): void {
    const owes = new Set(effects.flatMap((effect) => ('gatewayId' in effect ? [effect.gatewayId] : [])));
    this.#context.neighbours.tell({ kind: 'changed', ownerId: state.ownerId, session: publicSession(state), owes: [...owes] });
  }

  /** Tells those who are attached here what was committed elsewhere, by another node or unheard by this one. */
  catchUp(state: SessionState): Promise<void> {
    return this.#tell(state, []);
  }

  /** Emits what a commit has written. Events that were committed without our hearing of it leave before newer ones do. */
  async #tell(state: SessionState, events: readonly SessionEvent[]): Promise<void> {
    const { fanout, store } = this.#context;
    this.remote.see(state);
    const from = this.#emittedSeq ?? state.seq - events.length;
    let told: readonly SessionEvent[] | undefined = events;
    if (from < state.seq - events.length && fanout.hasAudience(this.sessionId)) {
      try {
        const read = await store.eventsAfter(this.sessionId, from, state.seq - from + SPARE_EVENTS);
        // What another node has committed since is told with the state that it led to.
        told = read?.filter((event) => event.seq <= state.seq);
      } catch (error) {
        // The commit stands and its work goes on; the next look tells clients.
        this.#context.log.error({ err: error, sessionId: this.sessionId }, 'events could not be read again');
        this.#isUncertain = true;
        this.#context.pokeLater(this.sessionId);
        return;
      }
    }
    for (const event of told ?? []) fanout.toSession(this.sessionId, 'session:event', event);
    if (from < state.seq) fanout.toUser(state.ownerId, 'session:summary', { session: publicSession(state) });
    this.#emittedSeq = Math.max(from, state.seq);
  }

  #act(state: SessionState, effects: readonly Effect[]): void {
    if (this.#isClosed) return;
    this.#actedSeq = state.seq;
    this.#context.serverCalls.review(state);
    if (this.#run && this.#run.messageId !== state.turn?.messageId) this.#endRun();
    for (const effect of effects) {
      if (effect.type === 'run_turn') this.#startTurn(state, effect.messageId);
      else if (effect.type === 'run_remote') this.#runRemote(state, effect.callId);
      else if ('gatewayId' in effect) this.#context.dispatcher.carryOut(this, state, effect);
      else this.#carryOutHere(state, effect);
    }
    if (effects.length === 0) this.#lease = undefined;
    this.#context.actorChanged(this);
  }

  #startTurn(state: SessionState, messageId: string): void {
    const lease = this.#lease;
    if (!lease || this.#run?.messageId === messageId) return;
    const run = new TurnRun({ actor: this, context: this.#context, state, messageId, lease });
    this.#run = run;
    // Held until it has truly ended: one that was aborted may still have a commit under way, which is told to nobody but by this actor.
    void this.whileHeld(async () => {
      await run.ended;
      if (this.#run === run) this.#run = undefined;
    });
  }

  /** By its owner alone: other nodes see the same state. */
  #carryOutHere(state: SessionState, effect: ServerEffect): void {
    const [lease, stored] = [this.#lease, state.calls.find((candidate) => candidate.call.id === effect.callId)];
    if (lease && stored) this.#context.serverCalls.carryOut(this, effect, { stored, lease });
  }

  #runRemote(state: SessionState, callId: string): void {
    const stored = state.calls.find((candidate) => candidate.call.id === callId);
    // By its owner alone: other nodes see the same state.
    if (!this.#lease || !stored || this.#remoteRuns.has(callId)) return;
    this.#remoteRuns.add(callId);
    void this.#context
      .runRemoteTool(stored.call)
      .then((result) => this.commitSurely({ type: 'remote_finished', callId, result }, { focus: { callId } }))
      .finally(() => {
        this.#remoteRuns.delete(callId);
        this.#context.actorChanged(this);
      });
  }

  #endRun(): void {
    this.#run?.abort();
    this.#run = undefined;
  }

  #forget(): void {
    this.#endRun();
    this.#context.serverCalls.forsake(this.sessionId);
    this.#lease = undefined;
    this.#isUncertain = false;
    this.#context.actorChanged(this);
  }
}
