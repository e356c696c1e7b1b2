import type { Log } from '@tendon/protocol';
import { failedResult, type ToolResult, textResult } from '@tendon/protocol';
import { inputHash } from '@tendon/protocol/input-hash';
import { fitResult } from '@tendon/protocol/truncation';
import type { Effect, Input, SessionState, StoredCall } from '../kernel/index.ts';
import type { Lease } from '../store/session-store.ts';
import { NEVER_STARTED } from './dispatcher.ts';
import { OutputGatherer, type OutputWays, showOutput } from './live-output.ts';
import type { OutputTails } from './output-tails.ts';
import type { ServerTools } from './server-tools.ts';
import type { SessionActor } from './session-actor.ts';
import { timeoutOf } from './time-limit.ts';

export type ServerEffect = Extract<Effect, { type: 'take_server_call' | 'run_server_call' | 'end_server_call' }>;

export interface ServerCallsOptions extends OutputWays {
  /** Another one for each process: what was given to an earlier one went with it. */
  readonly node: string;
  readonly mcp: ServerTools;
  readonly tails: OutputTails;
  readonly log: Log;
  readonly actorOf: (sessionId: string) => SessionActor;
  readonly pokeLater: (sessionId: string) => void;
}

/** Why a run is ended before its time, as the place of the MCP servers reads it. */
type EndReason = { readonly kind: 'cancelled' | 'closing' } | { readonly kind: 'timeout'; readonly limitMs: number };

interface Run {
  readonly sessionId: string;
  readonly abort: AbortController;
  readonly ended: Promise<void>;
  /** The session is no longer this node's: whoever has it says what became of the call. */
  isForsaken: boolean;
}

/** What is known here of a call that is owed. */
interface Owed {
  readonly stored: StoredCall;
  readonly lease: Lease;
}

/** So long a node that ends waits for what it has ended to be stored. */
const CLOSE_LIMIT_MS = 3_000;
const LOST_NODE = 'The node of the server that ran this call is gone, or has lost the session. The call had started, and no one can say whether it finished.';
const LOST_RUN = 'The server lost track of this call: it started, and no one can say whether it finished.';

/**
 * Calls of MCP tools that run on the server, by the node that holds their session's lease:
 *
 *   queued ──hand-over to this node, committed──► begun, once ──its result, committed──► over
 *                                                   │ stop, time limit, end of the node: it is told to end, and that is its result
 *                                                   └──lease lost, session deleted──► told to end, its result is dropped
 *   given to another node, whose lease ran out ──► unknown, and never begun again
 */
export class ServerCalls {
  readonly #options: ServerCallsOptions;
  readonly #runs = new Map<string, Run>();
  /** Begun by this process, and not known to be over: never begun again. */
  readonly #begun = new Set<string>();
  /** A commit about it is under way. */
  readonly #committing = new Set<string>();
  #isClosed = false;

  constructor(options: ServerCallsOptions) {
    this.#options = options;
  }

  /** Called by the owner of the session, with its turn held: what it starts here commits later. */
  carryOut(actor: SessionActor, effect: ServerEffect, { stored, lease }: Owed): void {
    const { call, dispatch } = stored;
    const { node } = this.#options;
    if (this.#isClosed) return;
    const run = this.#runs.get(call.id);
    if (!dispatch) this.#commit(actor, { type: 'dispatch', callId: call.id, instanceId: node }, lease);
    else if (dispatch.instanceId !== node) this.#lose(actor, { stored, lease }, LOST_NODE);
    else if (run?.isForsaken || (!run && this.#begun.has(call.id))) this.#lose(actor, { stored, lease }, LOST_RUN);
    else if (effect.type === 'end_server_call') {
      if (run) endRun(run, { kind: 'cancelled' });
      else this.#commit(actor, { type: 'call_finished', callId: call.id, instanceId: node, result: NEVER_STARTED }, lease);
    } else if (!run && actor.mayStream) this.#begin(stored);
    // This node has slept: another one may have the session by now, and have said that the call is lost.
    else if (!run) this.#options.pokeLater(actor.sessionId);
  }

  /** The session belongs to another node now, or is gone. */
  forsake(sessionId: string): void {
    this.#forsakeAllBut(new Set(), sessionId);
  }

  /** What runs here of a session, and is no longer open there, has been given up by another node. */
  review({ id, calls }: Pick<SessionState, 'id' | 'calls'>): void {
    if (this.#runs.size > 0) this.#forsakeAllBut(new Set(calls.map(({ call }) => call.id)), id);
  }

  #forsakeAllBut(open: ReadonlySet<string>, sessionId: string): void {
    for (const [callId, run] of this.#runs) {
      if (run.sessionId !== sessionId || open.has(callId)) continue;
      run.isForsaken = true;
      endRun(run, { kind: 'cancelled' });
    }
  }

  /** Ends all that runs here and waits until that is stored, but not for ever: what is not stored is unknown to the next owner. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const runs = [...this.#runs.values()];
    for (const run of runs) endRun(run, { kind: 'closing' });
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(limit.resolve, CLOSE_LIMIT_MS);
    await Promise.race([Promise.all(runs.map(({ ended }) => ended)), limit.promise]);
    clearTimeout(timer);
  }

  #lose(actor: SessionActor, { stored: { call, dispatch }, lease }: Owed, reason: string): void {
    if (dispatch) this.#commit(actor, { type: 'call_lost', callId: call.id, instanceId: dispatch.instanceId, reason }, lease);
  }

  /** By the owner of the lease alone: a node that has lost it hands nothing over and gives nothing up. */
  #commit(actor: SessionActor, input: Extract<Input, { callId: string }>, lease: Lease): void {
    const { callId } = input;
    if (this.#committing.has(callId)) return;
    this.#committing.add(callId);
    void actor
      .commitSurely(input, { fence: lease, focus: { callId } })
      .then((outcome) => {
        if (outcome?.ok && input.type === 'call_lost') this.#begun.delete(callId);
        return outcome;
      })
      .finally(() => this.#committing.delete(callId))
      // Refused: something else came first, and what is owed is another thing now.
      .then((outcome) => (outcome && !outcome.ok ? this.#options.actorOf(actor.sessionId).poke() : undefined));
  }

  #begin(stored: StoredCall): void {
    const { id, sessionId } = stored.call;
    this.#begun.add(id);
    const ended = Promise.withResolvers<void>();
    const run: Run = { sessionId, abort: new AbortController(), ended: ended.promise, isForsaken: false };
    this.#runs.set(id, run);
    void this.#run(stored, run).finally(() => {
      this.#runs.delete(id);
      ended.resolve();
    });
  }

  async #run({ call }: StoredCall, run: Run): Promise<void> {
    const { node, tails, actorOf } = this.#options;
    const { id: callId, sessionId } = call;
    tails.open(callId, sessionId);
    const output = new OutputGatherer((offset, text) => showOutput(this.#options, { sessionId, callId, offset, text }));
    const limitMs = timeoutOf(call.input);
    const timer = setTimeout(() => endRun(run, { kind: 'timeout', limitMs }), limitMs);
    const result = await this.#resultOf(call, { signal: run.abort.signal, onOutput: (text) => output.add(text) });
    clearTimeout(timer);
    output.flush();
    if (run.isForsaken) return tails.close(callId);
    const input: Input = { type: 'call_finished', callId, instanceId: node, result: fitResult(result) };
    if (await actorOf(sessionId).commitSurely(input, { focus: { callId } })) this.#begun.delete(callId);
  }

  /** What runs is what was approved: tool, input, and what the tool said of itself. Never rejects. */
  async #resultOf(call: StoredCall['call'], context: { signal: AbortSignal; onOutput: (text: string) => void }): Promise<ToolResult> {
    const { mcp, log } = this.#options;
    try {
      const prepared = mcp.prepare(call.tool, call.input);
      if (!prepared.ok) return failedResult(prepared.code, `${prepared.message} Nothing was run.`);
      if (inputHash({ tool: call.tool, input: call.input, definition: mcp.definitionOf(call.tool) }) !== call.inputHash) return changed(call.tool);
      return await prepared.call.run(context);
    } catch (error) {
      log.error({ err: error, callId: call.id, tool: call.tool }, 'an MCP call broke in the server');
      return textResult('unknown', 'The call broke in the server, and no one can say whether it was done. The log of the server has the details.');
    }
  }
}

function endRun({ abort }: Run, reason: EndReason): void {
  if (!abort.signal.aborted) abort.abort(reason);
}

function changed(tool: string): ToolResult {
  return failedResult('definition_changed', `What ${tool} says of itself has changed since this call was asked for. Nothing was run. Ask for it again.`);
}
