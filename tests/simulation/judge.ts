import { type Delta, type Fault, type GatewayCommand, isFinalCallState, type ToolResult } from '@tendon/protocol';
import type { StepRequest } from '@tendon/server/parts';
import type { Written } from './statement.ts';
import type { CallRow, Tables } from './tables.ts';
import type { VirtualTime } from './virtual-time.ts';

interface Effect {
  readonly tool: string;
  readonly input: unknown;
  readonly subject: string;
  readonly callId: string;
  /** Null for what runs on a node. */
  readonly gatewayId: string | null;
  readonly instanceId: string;
  readonly runId: string;
  readonly startedAtMs: number;
  endedAtMs?: number;
}

/** How long a session may run without a living owner while a node is there to take it (I6). */
const ORPHAN_MS = 15_000;
/** After a machine has heard of a stop, its processes are dead within this (I10). */
const DEAD_WITHIN_MS = 5_000;

/**
 * Watches from outside: what was acknowledged, what ran, what was written. Knows none of the product's own bookkeeping but the tables,
 * and notes every breach of an invariant of sessions.md by its number.
 */
export class Judge {
  readonly violations: string[] = [];
  /** Set to keep the story. */
  story: string[] | undefined;
  readonly checks = new Map<string, number>();
  readonly reached = new Map<string, number>();
  readonly #time: VirtualTime;
  readonly #tables: Tables;
  readonly #said = new Map<string, { sessionId: string; text: string }>();
  readonly #acknowledged = new Set<string>();
  readonly #effects: Effect[] = [];
  readonly #effectsByCall = new Map<string, Effect[]>();
  readonly #results = new Map<string, { instanceId: string; text: string }[]>();
  readonly #cancelHeardAt = new Map<string, number>();
  readonly #finalStates = new Map<string, string>();
  readonly #stopped = new Set<string>();
  readonly #askedAt = new Map<string, number>();
  readonly #diedAt = new Map<string, number>();
  readonly #instanceOf = new Map<string, string>();
  /** Until when each machine was dead or stopped: nothing can be asked of it before. */
  readonly #machineAwayUntil = new Map<string, number>();
  readonly #nodesUp = new Set<string>();
  #someNodeUpSinceMs = 0;

  constructor(time: VirtualTime, tables: Tables) {
    this.#time = time;
    this.#tables = tables;
  }

  /** A line of the story, for someone who wants to know how it came to a violation. Kept only when asked for. */
  note(line: () => string): void {
    this.story?.push(`${Math.round(this.#time.nowMs)} ms  ${line()}`);
  }

  /** Marks a rare state as reached: a simulation that never gets there shows nothing about it. */
  sometimes(what: string): void {
    this.reached.set(what, (this.reached.get(what) ?? 0) + 1);
    this.note(() => what);
  }

  check(invariant: string, holds: boolean, say: () => string): void {
    this.checks.set(invariant, (this.checks.get(invariant) ?? 0) + 1);
    if (holds) return;
    this.violations.push(`${invariant} at ${Math.round(this.#time.nowMs)} ms: ${say()}`);
    this.note(() => `VIOLATION ${invariant}: ${say()}`);
  }

  // ---- people

  said(message: { messageId: string; sessionId: string; text: string }): void {
    this.#said.set(message.messageId, message);
  }

  acknowledged(messageId: string, sessionId: string): void {
    this.#acknowledged.add(messageId);
    const row = this.#tables.messages.get(messageId);
    this.check(
      'I1',
      row === undefined ? this.#wasRemoved(messageId) : row.session_id === sessionId,
      () => `message ${messageId} was acknowledged and is nowhere`,
    );
  }

  heard(userId: string, sessionId: string): void {
    const owner = this.#tables.sessions.get(sessionId)?.owner_id;
    this.check('I13', owner === undefined || owner === userId, () => `${userId} hears of session ${sessionId} of ${owner}`);
  }

  noticed(notice: Fault): void {
    this.check('I8', notice.code !== 'invalid_event', () => `a client could not read what it was sent: ${notice.message}`);
  }

  // ---- nodes and models

  nodeIsUp(name: string, isUp: boolean): void {
    if (isUp && this.#nodesUp.size === 0) this.#someNodeUpSinceMs = this.#time.nowMs;
    if (isUp) this.#nodesUp.add(name);
    else this.#nodesUp.delete(name);
  }

  /** Text of a turn leaves a node only while no other one can have the session. */
  streamed({ sessionId, kind }: Delta): void {
    const row = this.#tables.sessions.get(sessionId);
    if (kind === 'tool_output' || !row) return;
    const leftMs = (row.lease_expires_at ?? Number.POSITIVE_INFINITY) - this.#time.nowMs;
    this.check('I5', leftMs > 0, () => `text of session ${sessionId} leaves ${Math.round(-leftMs)} ms after the lease has run out`);
  }

  modelAsked(history: StepRequest['history']): void {
    for (const { message, calls } of history) {
      const asked = message.parts.filter((part) => part.type === 'tool_call').length;
      this.check('I7', asked === calls.length, () => `the model is shown message ${message.id} with ${calls.length} of its ${asked} calls`);
      for (const call of calls) this.check('I7', isFinalCallState(call.state), () => `the model is shown call ${call.id}, which is ${call.state}`);
    }
  }

  // ---- the database

  written = ({ sessionId, before, after, callsBefore, basis, node }: Written): void => {
    const isCurrent = basis.version === before.version && basis.epoch === before.lease_epoch && basis.node === before.lease_node;
    this.check('I5', isCurrent, () => `${node} wrote session ${sessionId} on version ${basis.version} and epoch ${basis.epoch}, which were over`);
    this.note(
      () =>
        `${node} writes ${sessionId.slice(-3)}: ${before.status} -> ${after.status}, seq ${after.seq}, epoch ${after.lease_epoch}, lease ${after.lease_node}`,
    );
    const open = this.#tables.openCalls(sessionId);
    const status = after.turn_message_id !== null ? 'running' : this.#statusOf(open);
    this.check('I7', after.status === status, () => `session ${sessionId} says ${after.status}, its rows say ${status}`);
    this.check('I7', after.turn_message_id === null || open.length === 0, () => `a turn of ${sessionId} runs beside open calls`);
    const turnRow = after.turn_message_id === null ? undefined : this.#tables.messages.get(after.turn_message_id);
    this.check('I7', turnRow === undefined, () => `message ${turnRow?.id} is stored while its turn runs`);
    const lastEvent = this.#tables.events.get(sessionId)?.at(-1)?.seq;
    this.check('I8', lastEvent === after.seq && after.seq >= before.seq, () => `session ${sessionId} counts ${after.seq} events, its last one is ${lastEvent}`);
    for (const call of this.#tables.callsOf.get(sessionId) ?? []) this.#callWritten(call, callsBefore.get(call.id), Number(before['stop_generation']));
    if (before.turn_message_id !== null && Number(after['stop_generation']) > Number(before['stop_generation'])) {
      this.#stopped.add(before.turn_message_id);
      this.sometimes('a stop ends a turn');
    }
    this.check('I10', after.turn_message_id === null || !this.#stopped.has(after.turn_message_id), () => `turn ${after.turn_message_id} runs after its stop`);
    if (before.turn_epoch !== null && after.turn_epoch !== null && after.turn_epoch > before.turn_epoch)
      this.sometimes('a turn is begun again by another owner');
    if (after['held'] === true && Number(after['queue_length']) > 0) this.sometimes('a queue is held');
  };

  partialSaved = (_sessionId: string, messageId: string): void => {
    this.check('I10', !this.#stopped.has(messageId), () => `text of turn ${messageId} was stored after its stop`);
  };

  /** A fork begins at rest, with what was said and done before it, word for word, and nothing that is still going on. */
  forked = (sourceId: string, forkId: string): void => {
    const said = (id: string): string[] => this.#tables.history(id).map(({ role, seq, parts }) => `${role} ${seq} ${wordsOf(parts)}`);
    const [source, fork] = [said(sourceId), said(forkId)];
    this.check('I1', JSON.stringify(fork) === JSON.stringify(source.slice(0, fork.length)), () => `fork ${forkId} of ${sourceId} tells something else`);
    this.check('I18', this.#tables.openCalls(forkId).length === 0, () => `fork ${forkId} has calls that nobody will end: ${this.#openCallsInWords(forkId)}`);
    this.sometimes('a session is forked');
    if ((this.#tables.callsOf.get(forkId) ?? []).length > 0) this.sometimes('a fork takes calls over');
  };

  /** It begins before a message of a person, and behind one of the agent. */
  forkedAt(messageId: string, forkId: string): void {
    const place = this.#tables.messages.get(messageId);
    const before = this.#tables.history(place?.session_id ?? '').filter(({ seq }) => seq < Number(place?.seq)).length;
    const wanted = place?.role === 'assistant' ? before + 1 : before;
    const told = this.#tables.history(forkId).length;
    this.check('I1', told === wanted, () => `fork ${forkId} at message ${messageId} has ${told} messages, not ${wanted}`);
  }

  #statusOf(open: readonly CallRow[]): string {
    if (open.some((call) => call.state === 'awaiting_approval' || call.state === 'awaiting_answer')) return 'waiting_for_user';
    return open.length > 0 ? 'waiting_for_tools' : 'idle';
  }

  #callWritten(call: CallRow, before: CallRow['state'] | undefined, stopGeneration: number): void {
    if (before === undefined) this.#askedAt.set(call.id, this.#time.nowMs);
    if (call.state === 'awaiting_approval' && before === 'queued') this.sometimes('an approval lapses');
    if (call['resolution'] !== null && call['resolution'] !== undefined && call.state === before) this.sometimes('an unknown outcome is settled');
    if (call.state === before) return;
    this.note(() => `  call ${call.id.slice(-3)} ${String(call['tool'])}: ${before} -> ${call.state}`);
    if (before !== undefined && isFinalCallState(before)) this.check('I2', false, () => `call ${call.id} was ${before} and becomes ${call.state}`);
    if (!isFinalCallState(call.state)) {
      const isNewDispatch = before === 'awaiting_approval' && call['dispatch_attempt'] !== null;
      if (isNewDispatch) this.check('I10', Number(call['dispatch_stop_generation']) >= stopGeneration, () => `call ${call.id} is handed over after a stop`);
      return;
    }
    this.check('I2', !this.#finalStates.has(call.id), () => `call ${call.id} ended twice`);
    this.#finalStates.set(call.id, call.state);
    this.sometimes(`a call is ${call.state}`);
    if (call.state === 'succeeded' && isHandedOver(call)) this.#checkProvenance(call);
    if (call['kind'] === 'remote' && isHandedOver(call)) this.sometimes(`a call on the server is ${call.state}`);
    if (call.state === 'unknown') this.#checkUnknown(call);
  }

  #checkProvenance(call: CallRow): void {
    const text = JSON.stringify(call['result']);
    const made = (this.#results.get(call.id) ?? []).find((result) => result.text === text);
    this.check(
      'I4',
      made?.instanceId === call['dispatch_instance_id'],
      () => `the result of call ${call.id} was not made by the instance that it was given to`,
    );
  }

  /** Not to know is for when a machine has died with the call, or could not be reached to stop it. */
  #checkUnknown(call: CallRow): void {
    const isOfDead = call['dispatch_instance_id'] !== this.#instanceOf.get(call.gateway_id ?? '');
    const hasDied = (this.#diedAt.get(call.gateway_id ?? '') ?? -1) >= (this.#askedAt.get(call.id) ?? 0);
    this.check('I4', hasDied || isOfDead || call['cancel_requested_at'] !== null, () => `call ${call.id} is unknown, and its machine never died`);
  }

  // ---- machines

  machineDied(gatewayId: string): void {
    this.#diedAt.set(gatewayId, this.#time.nowMs);
    this.machineIsAway(gatewayId, Number.POSITIVE_INFINITY);
  }

  gatewayBooted(gatewayId: string, instanceId: string): void {
    this.machineIsAway(gatewayId, this.#time.nowMs);
    const known = this.#instanceOf.get(gatewayId);
    this.#instanceOf.set(gatewayId, instanceId);
    if (known !== undefined && known !== instanceId) this.sometimes('a machine comes back as a new instance');
  }

  /** Dead until it boots (`Infinity`), or stopped until a moment. */
  machineIsAway(gatewayId: string, untilMs: number): void {
    this.#machineAwayUntil.set(gatewayId, untilMs);
  }

  /** What a lost journal knew of, nobody can end any more. */
  journalLost(gatewayId: string): void {
    for (const effect of this.#effects) if (effect.gatewayId === gatewayId) effect.endedAtMs ??= this.#time.nowMs;
  }

  dispatched(command: GatewayCommand<'tool:call'>): void {
    this.note(() => `call ${command.callId.slice(-3)} is sent`);
    const call = this.#tables.calls.get(command.callId);
    this.check('I10', call?.['dispatch_attempt'] !== null && call !== undefined, () => `call ${command.callId} is sent before its hand-over is committed`);
  }

  effectStarted(effect: Omit<Effect, 'startedAtMs'>): void {
    const started: Effect = { ...effect, startedAtMs: this.#time.nowMs };
    this.#effects.push(started);
    this.note(() => `call ${effect.callId.slice(-3)} starts: ${effect.subject}`);
    const ofCall = this.#effectsByCall.get(effect.callId) ?? [];
    ofCall.push(started);
    this.#effectsByCall.set(effect.callId, ofCall);
    const call = this.#tables.calls.get(effect.callId);
    this.check('I11', call !== undefined, () => `call ${effect.callId} starts and is unknown to the database`);
    if (!call) return;
    const isRead = call['effect'] === 'read';
    if (!isRead) this.check('I3', ofCall.length === 1, () => `call ${effect.callId} starts ${ofCall.length} times`);
    else if (ofCall.length > 1) this.sometimes('a call that reads runs again');
    const decision = call['decision'] as { decision?: string; lapsed?: boolean } | null;
    this.check('I11', decision?.decision === 'approve' && decision.lapsed !== true, () => `call ${effect.callId} starts without an approval (${call.state})`);
    this.check(
      'I11',
      JSON.stringify(call['input']) === JSON.stringify(effect.input),
      () => `call ${effect.callId} runs with other arguments than were approved`,
    );
    this.check('I11', call.gateway_id === effect.gatewayId, () => `call ${effect.callId} runs on another machine than was approved`);
    this.check('I12', !effect.subject.startsWith('forbidden'), () => `call ${effect.callId} runs against the machine's own policy`);
    this.check('I10', !this.#cancelHeardAt.has(effect.callId), () => `call ${effect.callId} starts after its machine has heard of its cancellation`);
    if (!isRead) this.check('I2', !isFinalCallState(call.state), () => `call ${effect.callId} starts when it is already ${call.state}`);
  }

  effectEnded(runId: string): void {
    const effect = this.#effects.find((one) => one.runId === runId);
    if (effect) effect.endedAtMs = this.#time.nowMs;
    this.note(() => `run of call ${effect?.callId.slice(-3)} ended`);
  }

  resultMade(callId: string, made: { instanceId: string; result: ToolResult }): void {
    this.note(() => `call ${callId.slice(-3)} has a result: ${made.result.status}`);
    const results = this.#results.get(callId) ?? [];
    results.push({ instanceId: made.instanceId, text: JSON.stringify(made.result) });
    this.#results.set(callId, results);
  }

  cancelHeard(callId: string): void {
    if (!this.#cancelHeardAt.has(callId)) this.#cancelHeardAt.set(callId, this.#time.nowMs);
    this.note(() => `call ${callId.slice(-3)}: its machine hears of the cancellation`);
    this.sometimes('a machine hears of a cancellation');
    if ((this.#effectsByCall.get(callId) ?? []).some((effect) => effect.endedAtMs === undefined)) this.sometimes('a running call is cancelled');
  }

  // ---- from time to time, and at the end

  lookAround(): void {
    const now = this.#time.nowMs;
    const canBeTaken = this.#nodesUp.size > 0 && now - this.#someNodeUpSinceMs > ORPHAN_MS;
    for (const row of this.#tables.sessions.values()) {
      if (row.status !== 'running') continue;
      const orphanedFor = now - (row.lease_expires_at ?? now);
      this.check('I6', !canBeTaken || orphanedFor <= ORPHAN_MS, () => `session ${row.id} has run without an owner for ${Math.round(orphanedFor)} ms`);
    }
    for (const effect of this.#effects) {
      const heardAt = this.#cancelHeardAt.get(effect.callId);
      if (heardAt === undefined || effect.endedAtMs !== undefined) continue;
      const sinceMs = now - Math.max(heardAt, this.#machineAwayUntil.get(effect.gatewayId ?? '') ?? 0);
      this.check('I10', sinceMs <= DEAD_WITHIN_MS, () => `call ${effect.callId} still runs ${Math.round(sinceMs)} ms after its machine heard of the stop`);
    }
  }

  atTheEnd(): void {
    for (const row of this.#tables.sessions.values()) {
      const isAtRest = row.status === 'idle' || row.status === 'waiting_for_user';
      this.check('I18', isAtRest, () => `session ${row.id} is still ${row.status}: ${this.#openCallsInWords(row.id)}`);
      this.check('I18', row['stopping'] !== true, () => `session ${row.id} is still stopping: ${this.#openCallsInWords(row.id)}`);
    }
    for (const [messageId, { sessionId, text }] of this.#said) {
      const row = this.#tables.messages.get(messageId);
      if (this.#acknowledged.has(messageId)) {
        const isThere = row ? JSON.stringify(row.parts) === JSON.stringify([{ type: 'text', text }]) : this.#wasRemoved(messageId);
        this.check('I1', isThere, () => `message ${messageId} was acknowledged and is lost from ${sessionId}`);
      }
      const times = (this.#tables.messagesOf.get(sessionId) ?? []).filter((message) => JSON.stringify(message.parts).includes(`"${text}"`)).length;
      this.check('I1', times <= 1, () => `message ${messageId} is in the history ${times} times`);
    }
    for (const [callId, state] of this.#finalStates) {
      this.check(
        'I2',
        this.#tables.calls.get(callId)?.state === state || !this.#tables.calls.has(callId),
        () => `call ${callId} did not keep its final state ${state}`,
      );
      if (state === 'denied') this.check('I11', !this.#effectsByCall.has(callId), () => `call ${callId} was denied and ran`);
      const effects = this.#effectsByCall.get(callId) ?? [];
      if (state === 'succeeded' && effects.length === 0 && isHandedOver(this.#tables.calls.get(callId)))
        this.check('I4', false, () => `call ${callId} succeeded and never ran`);
    }
  }

  #wasRemoved(messageId: string): boolean {
    const sessionId = this.#said.get(messageId)?.sessionId ?? '';
    if (!this.#tables.sessions.has(sessionId)) return true;
    return (this.#tables.events.get(sessionId) ?? []).some(
      (event) => event.type === 'message.removed' && (event.data as { messageId: string }).messageId === messageId,
    );
  }

  #openCallsInWords(sessionId: string): string {
    const calls = this.#tables
      .openCalls(sessionId)
      .map(
        (call) =>
          `${call.id} ${String(call['tool'])} ${call.state}${call['dispatch_attempt'] ? ' handed over' : ''}${call['cancel_requested_at'] ? ' cancelled' : ''}`,
      );
    return calls.join(', ') || 'no open calls';
  }
}

/** To a machine or a node that runs it at most once; what the server does itself at any time, and what a person answers, is not. */
function isHandedOver(call: CallRow | undefined): boolean {
  return call?.['kind'] === 'local' || (call?.['kind'] === 'remote' && call['effect'] !== 'read');
}

/** What is written in a message; calls without their ids, which are another in a fork. */
function wordsOf(parts: unknown): string {
  return JSON.stringify(parts, (key, value: unknown) => (key === 'callId' ? '' : value));
}
