import {
  type AgentData,
  type AgentRequest,
  isAlwaysAsked,
  LIMITS,
  type ProtocolError,
  type Result,
  type Rule,
  refusal,
  ruleSubject,
  type Session,
  success,
  type ToolResult,
  textResult,
} from '@tendon/protocol';
import type { Input } from '../kernel/index.ts';
import { NEW_SESSION_TITLE, publicSession, type SessionState } from '../kernel/index.ts';
import type { Neighbours } from '../neighbours/index.ts';
import type { CommitOutcome, GatewayStore, SessionStore } from '../store/session-store.ts';
import type { BrowserWatches } from './browser-watches.ts';
import type { HistoryCache } from './history-cache.ts';
import type { Machines } from './machines.ts';
import type { ModelPort } from './model/model-port.ts';
import type { OutputTails } from './output-tails.ts';
import type { AgentConnection, AgentHandlers, Fanout } from './ports.ts';
import { type RuleChange, ruleWords } from './rule-change.ts';
import { type ServerTools, shownServers } from './server-tools.ts';
import type { SessionActor } from './session-actor.ts';
import { attach, NO_SESSION, readHistory } from './session-reading.ts';
import { askForUndo } from './undo-desk.ts';

export interface AgentDeskOptions {
  readonly store: SessionStore & GatewayStore;
  readonly machines: Machines;
  readonly models: ModelPort;
  readonly tails: OutputTails;
  readonly history: HistoryCache;
  readonly fanout: Fanout;
  readonly neighbours: Neighbours;
  readonly watches: Pick<BrowserWatches, 'watch' | 'unwatch' | 'forget'>;
  readonly mcp: ServerTools;
  readonly now: () => Date;
  readonly newId: () => string;
  readonly actorOf: (sessionId: string) => SessionActor;
  readonly onRuleChange?: ((change: RuleChange) => Promise<void>) | undefined;
}

const FORK_MARK = ' (fork)';

/** What people ask for. Every handler loads by (id, owner). */
export function createAgentHandlers(options: AgentDeskOptions): AgentHandlers {
  const { store, machines, models } = options;
  return {
    'session:create': (connection, payload) => createSession(options, connection, payload),
    'session:fork': (connection, payload) => forkSession(options, connection, payload),
    'session:list': async ({ userId }, { cursor, limit }) => {
      const page = await store.list(userId, { cursor, limit: limit ?? LIMITS.sessionListPage });
      return success({ sessions: [...page.sessions], ...(page.nextCursor === undefined ? {} : { nextCursor: page.nextCursor }) });
    },
    'session:attach': (connection, payload) => attach(options, connection, payload),
    'session:detach': async (connection, { sessionId }) => {
      connection.leaveSession(sessionId);
      options.watches.unwatch(connection, sessionId);
      return success({});
    },
    'session:history': (connection, payload) => readHistory(options, connection, payload),
    'session:update': (connection, payload) => updateSession(options, connection, payload),
    'session:delete': (connection, payload) => deleteSession(options, connection, payload),
    'agent:execute': (connection, payload) => execute(options, connection, payload),
    'agent:stop': (connection, { sessionId }) => stop(options, connection, sessionId),
    'agent:continue': async ({ userId }, { sessionId }) => withSession(await options.actorOf(sessionId).commit({ type: 'continue' }, { ownerId: userId })),
    'agent:undo': (connection, payload) => askForUndo(options, connection, payload),
    'message:cancel': async ({ userId }, { sessionId, messageId }) => {
      const outcome = await options.actorOf(sessionId).commit({ type: 'cancel_message', messageId }, { ownerId: userId, focus: { messageId } });
      return outcome.ok ? success({}) : refused(outcome);
    },
    'tool:decide': (connection, payload) => decide(options, connection, payload),
    'tool:result': (connection, payload) => answerQuestion(options, connection, payload),
    'tool:resolve': (connection, payload) => resolve(options, connection, payload),
    'browser:watch': (connection, payload) => watchBrowser(options, connection, payload),
    'gateway:list': async ({ userId }) => success({ gateways: await machines.list(userId) }),
    'mcp:list': async () => success({ servers: shownServers(options.mcp) }),
    'model:list': async () => {
      const [list, first] = await Promise.all([models.list(), models.defaultModel()]);
      return success({ models: list, default: first });
    },
    'rule:list': async ({ userId }) => success({ rules: [...(await store.rules(userId))] }),
    'rule:revoke': (connection, { ruleId }) => revokeRule(options, connection, ruleId),
  };
}

type Refused = { ok: false; error: ProtocolError };

function refused(outcome: Exclude<CommitOutcome, { ok: true }>): Refused {
  return 'error' in outcome ? outcome : refusal('unavailable', 'Another node has taken over this session. Try again.');
}

function withSession(outcome: CommitOutcome): Result<{ session: ReturnType<typeof publicSession> }> {
  return outcome.ok ? success({ session: publicSession(outcome.change.state) }) : refused(outcome);
}

/** Model, machine and folder must exist before a session names them. */
async function checkChoice(
  options: AgentDeskOptions,
  userId: string,
  choice: { model?: string | undefined; gatewayId?: string | undefined; workspace?: string | undefined },
): Promise<Refused | undefined> {
  const fault = choice.model === undefined ? undefined : options.models.check(choice.model);
  if (fault) return refusal('invalid_payload', fault.message, [{ path: 'model', reason: fault.message }]);
  if (choice.gatewayId === undefined) return undefined;
  const machine = await options.machines.find(choice.gatewayId, userId);
  if (!machine) return refusal('not_found', 'There is no such machine, or it is not yours.');
  const paths = machine.gateway.workspaces.map((workspace) => workspace.path);
  if (choice.workspace === undefined || paths.includes(choice.workspace)) return undefined;
  const reason = `${machine.gateway.name} does not offer this folder. It offers: ${paths.join(', ')}`;
  return refusal('invalid_payload', reason, [{ path: 'workspace', reason }]);
}

async function createSession(
  options: AgentDeskOptions,
  { userId }: AgentConnection,
  payload: AgentRequest<'session:create'>,
): Promise<Result<AgentData<'session:create'>>> {
  const machine = await options.machines.machineOf({ ownerId: userId, gatewayId: payload.gatewayId, workspace: payload.workspace });
  const place = { gatewayId: payload.gatewayId ?? machine?.gatewayId, workspace: payload.workspace ?? machine?.workspace };
  // What nobody named cannot be named wrongly: the machine may have changed its folders since it was looked up.
  const isNamed = payload.gatewayId !== undefined || payload.workspace !== undefined;
  const wrong = await checkChoice(options, userId, { model: payload.model, ...(isNamed ? place : {}) });
  if (wrong) return wrong;
  const model = payload.model ?? (await options.models.defaultModel());
  const { state } = await options.store.create({
    id: options.newId(),
    ownerId: userId,
    title: payload.title ?? NEW_SESSION_TITLE,
    model,
    ...place,
    at: options.now().toISOString(),
  });
  options.models.warmUp(model);
  return success({ session: tellOfNew(options, state) });
}

const NOT_FORKED = {
  not_found: refusal('not_found', 'There is no such message in a session of yours. One that is still being written can be forked from when it is done.'),
  queued: refusal('conflict', 'This message still waits in the queue. Take it out of there to change it.'),
  unfinished: refusal('conflict', 'The agent is still at work on this message. Wait until it is done, or stop it, and fork then.'),
} as const;

async function forkSession(
  options: AgentDeskOptions,
  { userId }: AgentConnection,
  { sessionId, messageId, title }: AgentRequest<'session:fork'>,
): Promise<Result<AgentData<'session:fork'>>> {
  const at = options.now().toISOString();
  const made = await options.store.fork({ sessionId, ownerId: userId, messageId, id: options.newId(), title: (of) => title ?? forkTitle(of), at });
  if (!made.ok) return NOT_FORKED[made.reason];
  options.models.warmUp(made.state.model);
  return success({ session: tellOfNew(options, made.state) });
}

/** As often as one forks, one word is enough. */
function forkTitle(of: string): string {
  const plain = of.endsWith(FORK_MARK) ? of.slice(0, -FORK_MARK.length) : of;
  return `${plain.slice(0, LIMITS.titleLength - FORK_MARK.length).toWellFormed()}${FORK_MARK}`;
}

/** To every device of the person, at whatever node. */
function tellOfNew({ fanout, neighbours }: AgentDeskOptions, state: SessionState): Session {
  const session = publicSession(state);
  fanout.toUser(state.ownerId, 'session:summary', { session });
  neighbours.tell({ kind: 'changed', ownerId: state.ownerId, session, owes: [] });
  return session;
}

/** Who stops to watch what is another's has never watched it: the answer is the same as for what is nowhere. */
async function watchBrowser(
  { watches, store }: AgentDeskOptions,
  connection: AgentConnection,
  { sessionId, on }: AgentRequest<'browser:watch'>,
): Promise<Result<AgentData<'browser:watch'>>> {
  if (on) return watches.watch(connection, sessionId);
  watches.unwatch(connection, sessionId);
  return (await store.load(sessionId, connection.userId)) ? success({}) : refusal('not_found', NO_SESSION);
}

async function updateSession(
  options: AgentDeskOptions,
  { userId }: AgentConnection,
  payload: AgentRequest<'session:update'>,
): Promise<Result<AgentData<'session:update'>>> {
  const { sessionId, ...change } = payload;
  const state = await options.store.load(sessionId, userId);
  if (!state) return refusal('not_found', NO_SESSION);
  const gatewayId = change.gatewayId ?? (change.workspace === undefined ? undefined : state.gatewayId);
  const wrong = await checkChoice(options, userId, { ...change, gatewayId });
  if (wrong) return wrong;
  const workspace = change.workspace ?? (await folderAfterMove(options, state, change.gatewayId));
  const outcome = await options.actorOf(sessionId).commit({ type: 'update', ...change, workspace }, { ownerId: userId });
  if (outcome.ok && change.archived === true && !state.archived) {
    options.machines.endSession(userId, { sessionId, isDeleted: false });
    options.neighbours.tell({ kind: 'archived', ownerId: userId, sessionId });
  }
  return withSession(outcome);
}

/** Another machine does not offer the folder of the one before: the session goes to its first, unless it has one of the same path. */
async function folderAfterMove(
  options: AgentDeskOptions,
  state: { ownerId: string; workspace?: string | undefined },
  gatewayId: string | undefined,
): Promise<string | undefined> {
  if (gatewayId === undefined) return undefined;
  const paths = (await options.machines.find(gatewayId, state.ownerId))?.gateway.workspaces.map(({ path }) => path) ?? [];
  return state.workspace !== undefined && paths.includes(state.workspace) ? undefined : paths[0];
}

/** Work in hand is stopped first, so that nothing goes on for a session that is gone. */
async function deleteSession(
  options: AgentDeskOptions,
  { userId }: AgentConnection,
  { sessionId }: AgentRequest<'session:delete'>,
): Promise<Result<AgentData<'session:delete'>>> {
  const actor = options.actorOf(sessionId);
  const stopped = await actor.commitEndingTurn((partial) => ({ type: 'stop', partial }), { ownerId: userId });
  if (!stopped.ok) return refused(stopped);
  if (!(await options.store.delete(sessionId, userId))) return refusal('not_found', NO_SESSION);
  options.history.forget(sessionId);
  options.tails.closeSession(sessionId);
  options.machines.endSession(userId, { sessionId, isDeleted: true });
  options.watches.forget(sessionId);
  void options.actorOf(sessionId).poke();
  const session = publicSession(stopped.change.state);
  options.fanout.toUser(userId, 'session:summary', { session, deleted: true });
  options.neighbours.tell({ kind: 'deleted', ownerId: userId, session });
  return success({});
}

async function execute(
  options: AgentDeskOptions,
  { userId }: AgentConnection,
  payload: AgentRequest<'agent:execute'>,
): Promise<Result<AgentData<'agent:execute'>>> {
  const { sessionId, messageId, text, attachments, mode } = payload;
  const inputWith = (partial: Extract<Input, { type: 'execute' }>['partial']): Input => ({
    type: 'execute',
    messageId,
    text,
    attachments: attachments ?? [],
    mode: mode ?? 'queue',
    partial,
  });
  const commit = { ownerId: userId, focus: { messageId } };
  const actor = options.actorOf(sessionId);
  const outcome = mode === 'interrupt' ? await actor.commitEndingTurn(inputWith, commit) : await actor.commit(inputWith(undefined), commit);
  if (!outcome.ok) return refused(outcome);
  const { answer } = outcome;
  return answer.type === 'accepted' ? success({ messageId, seq: answer.seq, queued: answer.queued }) : refusal('internal');
}

async function stop(options: AgentDeskOptions, { userId }: AgentConnection, sessionId: string): Promise<Result<AgentData<'agent:stop'>>> {
  const outcome = await options.actorOf(sessionId).commitEndingTurn((partial) => ({ type: 'stop', partial }), { ownerId: userId });
  if (!outcome.ok) return refused(outcome);
  return outcome.answer.type === 'stopped' ? success({ stopped: outcome.answer.stopped }) : refusal('internal');
}

async function decide(options: AgentDeskOptions, connection: AgentConnection, payload: AgentRequest<'tool:decide'>): Promise<Result<AgentData<'tool:decide'>>> {
  const { sessionId, callId, inputHash, decision, scope, reason } = payload;
  const found = await options.store.findCall(callId);
  if (!found || found.ownerId !== connection.userId || found.sessionId !== sessionId)
    return refusal('not_found', 'There is no such tool call in this session.');
  const { call } = found.call;
  if (decision === 'approve' && (scope ?? 'once') !== 'once' && isAlwaysAsked(call.tool))
    return refusal('invalid_payload', 'No rule allows this: what it does depends on what runs. Approve it once.', [{ path: 'scope', reason: 'must be once' }]);
  const machine = call.gatewayId === undefined ? undefined : options.machines.online(call.gatewayId);
  const input: Input = {
    type: 'decide',
    callId,
    inputHash,
    decision,
    scope: scope ?? 'once',
    reason,
    by: connection.userId,
    via: connection.clientName,
    subject: ruleSubject(call.tool, call.input),
    instanceId: machine?.stored.instanceId,
  };
  const outcome = await options.actorOf(sessionId).commit(input, { ownerId: connection.userId, focus: { callId } });
  if (outcome.ok && outcome.change.rules.length > 0) await tellStored(options, connection, new Set(outcome.change.rules.map(({ id }) => id)));
  return callAnswer(outcome);
}

/** As they stand in the database: a rule that could not be stored exactly is not there. */
async function tellStored(options: AgentDeskOptions, caller: AgentConnection, ids: ReadonlySet<string>): Promise<void> {
  if (!options.onRuleChange) return;
  const stored = (await options.store.rules(caller.userId)).filter(({ id }) => ids.has(id));
  for (const rule of stored) await options.onRuleChange({ kind: 'stored', caller, about: ruleWords(rule, await machineName(options, rule, caller.userId)) });
}

async function revokeRule(options: AgentDeskOptions, caller: AgentConnection, ruleId: string): Promise<Result<Record<string, never>>> {
  const { store, onRuleChange } = options;
  const rule = onRuleChange && (await store.rules(caller.userId)).find(({ id }) => id === ruleId);
  if (!(await store.revokeRule(caller.userId, ruleId))) return refusal('not_found', 'There is no such rule.');
  if (rule) await onRuleChange({ kind: 'revoked', caller, about: ruleWords(rule, await machineName(options, rule, caller.userId)) });
  return success({});
}

async function machineName({ machines }: AgentDeskOptions, { gatewayId }: Rule, ownerId: string): Promise<string | undefined> {
  return gatewayId === undefined ? undefined : (await machines.find(gatewayId, ownerId))?.gateway.name;
}

async function answerQuestion(
  options: AgentDeskOptions,
  connection: AgentConnection,
  payload: AgentRequest<'tool:result'>,
): Promise<Result<AgentData<'tool:result'>>> {
  const { sessionId, callId } = payload;
  const result: ToolResult = 'answers' in payload.result ? textResult('succeeded', JSON.stringify({ answers: payload.result.answers })) : payload.result;
  if (result.status !== 'succeeded')
    return refusal('invalid_payload', 'An answer has the status succeeded.', [{ path: 'result.status', reason: 'must be succeeded' }]);
  const input: Input = { type: 'answer', callId, result, by: connection.userId, via: connection.clientName };
  return callAnswer(await options.actorOf(sessionId).commit(input, { ownerId: connection.userId, focus: { callId } }));
}

async function resolve(
  options: AgentDeskOptions,
  connection: AgentConnection,
  { sessionId, callId, outcome, note }: AgentRequest<'tool:resolve'>,
): Promise<Result<AgentData<'tool:resolve'>>> {
  const input: Input = { type: 'resolve', callId, outcome, note, by: connection.userId, via: connection.clientName };
  const committed = await options.actorOf(sessionId).commit(input, { ownerId: connection.userId, focus: { callId } });
  if (!committed.ok) return refused(committed);
  const { answer } = committed;
  if (answer.type !== 'call') return refusal('internal');
  return success({ callId: answer.callId, state: answer.state, ...(answer.newCallId === undefined ? {} : { newCallId: answer.newCallId }) });
}

function callAnswer(outcome: CommitOutcome): Result<{ callId: string; state: AgentData<'tool:decide'>['state'] }> {
  if (!outcome.ok) return refused(outcome);
  return outcome.answer.type === 'call' ? success({ callId: outcome.answer.callId, state: outcome.answer.state }) : refusal('internal');
}
