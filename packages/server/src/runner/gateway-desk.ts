import type { Log } from '@tendon/protocol';
import {
  type GatewayData,
  type GatewayRequest,
  type GatewayTool,
  type JournaledCall,
  type Result,
  refusal,
  type SessionEnd,
  success,
  textResult,
} from '@tendon/protocol';
import type { Input, StoredCall } from '../kernel/index.ts';
import type { Neighbours } from '../neighbours/index.ts';
import { type GatewayStore, MOST_MACHINES, type NotTaken, type SessionStore, type StoredGateway } from '../store/session-store.ts';
import { shownTools } from '../store/shown-tools.ts';
import type { BrowserWatches } from './browser-watches.ts';
import { LOST_JOURNAL, NEVER_STARTED } from './dispatcher.ts';
import { showOutput } from './live-output.ts';
import { mcpSaid } from './machine-mcp.ts';
import type { Machines, OnlineMachine } from './machines.ts';
import type { OutputTails } from './output-tails.ts';
import type { Fanout, GatewayConnection, GatewayDesk, GatewayHandlers } from './ports.ts';
import type { SessionActor } from './session-actor.ts';

export interface GatewayDeskOptions {
  readonly store: SessionStore & GatewayStore;
  readonly machines: Machines;
  readonly tails: OutputTails;
  readonly fanout: Fanout;
  readonly neighbours: Neighbours;
  readonly watches: Pick<BrowserWatches, 'hearMachine'>;
  readonly log: Log;
  readonly now: () => Date;
  readonly actorOf: (sessionId: string) => SessionActor;
  readonly pokeLater: (sessionId: string) => void;
  readonly pause: (ms: number) => Promise<void>;
  readonly isClosing: () => boolean;
}

type Refusal = ReturnType<typeof refusal>;
type Hello = GatewayRequest<'gateway:hello'>;
type HelloAnswer = { send: string[]; cancel: string[]; forget: string[]; over?: SessionEnd[] };

const NEWER_CONNECTION = refusal('unavailable', 'This machine has a newer connection.');
const STOPPING = refusal('unavailable', 'The server is stopping.');
const ANOTHER_MACHINE = refusal('conflict', 'This connection has greeted as another machine. Use a connection for each.');
const NOT_TAKEN: Readonly<Record<NotTaken, Refusal>> = {
  anothers: refusal('not_found', 'This machine id is not yours. Remove the machine identity file to get a new one.'),
  too_many: refusal(
    'conflict',
    `You have ${MOST_MACHINES} machines already, and each is connected or has a session or a rule. Delete sessions of machines that you do not use any more, and revoke rules for them; then start this one again.`,
  ),
};
const UNKNOWN_OUTCOME = 'The machine lost track of this call: it started, and no one can say whether it finished.';

/** What machines say, made into inputs to their sessions. */
export function createGatewayDesk(options: GatewayDeskOptions): GatewayDesk & Pick<Departures, 'settled'> {
  const departures = new Departures();
  const greetings = new Greetings();
  const handlers: GatewayHandlers = {
    'gateway:hello': (connection, hello) => onHello(options, connection, { hello, greetings }),
    'gateway:tools': (connection, { tools }) => onTools(options, connection, tools),
    'gateway:mcp': async (connection, { mcpServers }) => {
      if (!options.machines.ofConnection(connection)) return refusal('conflict', 'Say gateway:hello first.');
      return options.machines.renewMcp(connection, mcpServers) ? success({}) : NEWER_CONNECTION;
    },
    'tool:started': (connection, { callId }) =>
      onReport(options, connection, { callId, inputFrom: (instanceId) => ({ type: 'call_started', callId, instanceId }) }),
    'tool:output': async (connection, output) => onOutput(options, connection, output),
    'tool:result': async (connection, { callId, result }) => {
      const answer = await onReport(options, connection, { callId, inputFrom: (instanceId) => ({ type: 'call_finished', callId, instanceId, result }) });
      if (!answer.ok) return answer;
      options.tails.close(callId);
      options.machines.ofConnection(connection)?.sent.delete(callId);
      return answer;
    },
    'browser:frame': async (connection, notice) => {
      options.watches.hearMachine(connection, { name: 'browser:frame', notice });
      return success({});
    },
    'browser:state': async (connection, notice) => {
      options.watches.hearMachine(connection, { name: 'browser:state', notice });
      return success({});
    },
  };
  return {
    handlers,
    disconnected: (connection) => {
      greetings.end(connection);
      departures.add(onDisconnected(options, connection));
    },
    settled: () => departures.settled(),
  };
}

/**
 * Keeps the hellos of a machine in order, and each connection to one machine. Knows which connections have ended: a hello takes its time, and its
 * machine may be gone before it is done.
 */
class Greetings {
  readonly #ended = new WeakSet<GatewayConnection>();
  readonly #machines = new WeakMap<GatewayConnection, string>();
  readonly #tails = new Map<string, Promise<unknown>>();

  /** The database numbers the hellos: one after the other, so that the number says which came later. */
  async inOrder<T>(gatewayId: string, count: () => Promise<T>): Promise<T> {
    const mine = (this.#tails.get(gatewayId) ?? Promise.resolve()).then(count);
    const tail = mine.catch(() => undefined);
    this.#tails.set(gatewayId, tail);
    try {
      return await mine;
    } finally {
      if (this.#tails.get(gatewayId) === tail) this.#tails.delete(gatewayId);
    }
  }

  /** From the first hello on, before anything is written: others may come while that one is looked at. */
  isAs(connection: GatewayConnection, gatewayId: string): boolean {
    const known = this.#machines.get(connection) ?? gatewayId;
    this.#machines.set(connection, known);
    return known === gatewayId;
  }

  /** This machine was refused: the connection may be another's. */
  forget(connection: GatewayConnection, gatewayId: string): void {
    if (this.#machines.get(connection) === gatewayId) this.#machines.delete(connection);
  }

  end(connection: GatewayConnection): void {
    this.#ended.add(connection);
  }

  hasEnded(connection: GatewayConnection): boolean {
    return this.#ended.has(connection);
  }
}

/** What is still being written about machines that have left, so that the database is not closed under it. */
class Departures {
  readonly #open = new Set<Promise<void>>();

  add(departure: Promise<void>): void {
    this.#open.add(departure);
    void departure.finally(() => this.#open.delete(departure));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }
}

async function onHello(
  options: GatewayDeskOptions,
  connection: GatewayConnection,
  { hello, greetings }: { hello: Hello; greetings: Greetings },
): Promise<Result<GatewayData<'gateway:hello'>>> {
  if (connection.boundGatewayId !== undefined && connection.boundGatewayId !== hello.gatewayId) {
    return refusal('not_found', 'This key belongs to another machine. Make a key for this one.');
  }
  if (!greetings.isAs(connection, hello.gatewayId)) return ANOTHER_MACHINE;
  const stored = storedGateway(connection, hello, options.now().toISOString());
  const greeting = await greetings.inOrder(hello.gatewayId, () => options.machines.greet(stored));
  if (typeof greeting !== 'number') {
    greetings.forget(connection, hello.gatewayId);
    return NOT_TAKEN[greeting];
  }
  const open = await options.store.openCallsOf(hello.gatewayId);
  const machine: OnlineMachine = { connection, stored, sent: runningOf(hello, open), cancelled: new Set(), greeting, mcp: mcpSaid(hello.mcpServers) };
  // The rows may tell of calls that went over a newer connection: this hello knows nothing of those.
  if (greetings.hasEnded(connection) || options.machines.isOutdated(machine) || !(await options.machines.isLast(machine))) return NEWER_CONNECTION;
  const answer = await reconcile(options, machine, { hello, open });
  if (!answer) return STOPPING;
  if (greetings.hasEnded(connection) || !options.machines.arrive(machine)) return NEWER_CONNECTION;
  // What was handed over to the connection before, while this hello was looked at, is found now and goes over this one.
  const later = await options.store.openCallsOf(hello.gatewayId);
  for (const entry of later) giveUpIfGone(options, hello.gatewayId, entry);
  for (const sessionId of new Set(later.map((entry) => entry.sessionId))) void options.actorOf(sessionId).poke();
  options.log.info({ gatewayId: hello.gatewayId, name: hello.name, count: open.length }, 'a machine is online');
  // Looked up last: what ends from here on is told to the machine, which counts as connected by now.
  return success({ ...answer, over: [...(await options.store.overSessions(connection.userId, hello.sessions ?? []))] });
}

/** Nothing of its calls changes: what a machine runs is told by its hello alone. */
async function onTools(options: GatewayDeskOptions, connection: GatewayConnection, tools: readonly GatewayTool[]): Promise<Result<Record<string, never>>> {
  const machine = options.machines.ofConnection(connection);
  if (!machine) return refusal('conflict', 'Say gateway:hello first.');
  if (!(await options.store.putTools(machine.stored.gateway.id, machine.greeting, tools))) return NEWER_CONNECTION;
  return options.machines.renewTools(connection, tools) ? success({}) : NEWER_CONNECTION;
}

/** What the machine says it runs, as far as it was given to it: it may name calls of other people, and is not listened to about those. */
function runningOf(hello: Hello, open: readonly { call: StoredCall }[]): Set<string> {
  const given = new Set(open.map(({ call: { call } }) => call.id));
  return new Set(hello.calls.flatMap(({ callId, state }) => (state === 'running' && given.has(callId) ? [callId] : [])));
}

/** A call that has started, and that its machine, which is back, does not run: it went down with its process. What only reads is not journaled, and begins anew. */
function giveUpIfGone(options: GatewayDeskOptions, gatewayId: string, { sessionId, call: { call, dispatch } }: { sessionId: string; call: StoredCall }): void {
  const machine = options.machines.online(gatewayId);
  if (call.state !== 'running' || !machine || machine.sent.has(call.id) || dispatch?.instanceId !== machine.stored.instanceId) return;
  const input: Input = { type: 'call_lost', callId: call.id, instanceId: dispatch.instanceId, reason: UNKNOWN_OUTCOME };
  options.machines.isLast(machine).then(
    (isLast) => {
      if (isLast) void options.actorOf(sessionId).commitSurely(input, { focus: { callId: call.id } });
    },
    (error: unknown) => {
      options.log.warn({ err: error, callId: call.id }, 'whether a call is lost could not be looked up; its machine is to say again what it runs');
      machine.connection.disconnect();
    },
  );
}

function storedGateway(connection: GatewayConnection, hello: Hello, at: string): StoredGateway {
  const tools = shownTools(hello.tools);
  const { sandbox, localApprovalOnly } = hello;
  const gateway = {
    id: hello.gatewayId,
    name: hello.name,
    platform: hello.platform,
    workspaces: hello.workspaces,
    tools,
    lastSeenAt: at,
    ...(sandbox && { sandbox }),
    ...(localApprovalOnly && { localApprovalOnly }),
  };
  return { gateway, ownerId: connection.userId, tools: hello.tools, instanceId: hello.instanceId };
}

/** Lays the machine's journal beside the session's rows, and ends or sends again what is out of step (SPEC C7). Undefined when the server closes before all is stored. */
async function reconcile(
  options: GatewayDeskOptions,
  machine: OnlineMachine,
  { hello, open }: { hello: Hello; open: readonly { sessionId: string; call: StoredCall }[] },
): Promise<HelloAnswer | undefined> {
  const journal = new Map(hello.calls.map((entry) => [entry.callId, entry]));
  const answer: HelloAnswer = { send: [], cancel: [], forget: [] };
  for (const { sessionId, call: stored } of open) {
    const callId = stored.call.id;
    const entry = journal.get(callId);
    journal.delete(callId);
    if (entry?.state === 'running') options.tails.open(callId, sessionId);
    if (!stored.dispatch) continue;
    const step = nextStep(stored, entry, hello.instanceId);
    if (!step) continue;
    if (step.kind !== 'commit') answer[step.kind].push(callId);
    else {
      if (!(await options.actorOf(sessionId).commitSurely(step.input, { focus: { callId } }))) return undefined;
      if (entry && entry.state !== 'running') answer.forget.push(callId);
    }
    if (step.kind === 'cancel') machine.cancelled.add(callId);
  }
  // What is left in the journal is over for the server: deleted, or given up after a stop.
  for (const entry of journal.values()) answer[entry.state === 'running' ? 'cancel' : 'forget'].push(entry.callId);
  return answer;
}

type Step = { kind: 'commit'; input: Input } | { kind: 'send' } | { kind: 'cancel' };

function nextStep(stored: StoredCall, entry: JournaledCall | undefined, instanceId: string): Step | undefined {
  const callId = stored.call.id;
  const given = stored.dispatch?.instanceId ?? instanceId;
  if (given !== instanceId) return { kind: 'commit', input: { type: 'call_lost', callId, instanceId: given, reason: LOST_JOURNAL } };
  if (entry?.state === 'running') {
    return stored.cancelRequestedAt === undefined ? { kind: 'commit', input: { type: 'call_started', callId, instanceId } } : { kind: 'cancel' };
  }
  if (entry) return { kind: 'commit', input: { type: 'call_finished', callId, instanceId, result: entry.result ?? textResult('unknown', UNKNOWN_OUTCOME) } };
  if (stored.cancelRequestedAt !== undefined) return { kind: 'commit', input: { type: 'call_finished', callId, instanceId, result: NEVER_STARTED } };
  // It ran over there, and nobody there knows of it any more: given up once the machine has arrived.
  if (stored.call.state === 'running') return undefined;
  // What is not read is journaled before it starts, so a call the journal does not know has not started.
  return { kind: 'send' };
}

/** A report about a call. What is no longer wanted is acknowledged too, so that the machine can forget it. */
async function onReport(
  options: GatewayDeskOptions,
  connection: GatewayConnection,
  { callId, inputFrom }: { callId: string; inputFrom: (instanceId: string) => Input },
): Promise<Result<Record<string, never>>> {
  const machine = options.machines.ofConnection(connection);
  if (!machine) return refusal('conflict', 'Say gateway:hello first.');
  const sessionId = await sessionOf(options, callId, machine);
  if (sessionId === undefined) return success({});
  const outcome = await options.actorOf(sessionId).commitSurely(inputFrom(machine.stored.instanceId), { focus: { callId } });
  if (!outcome) return STOPPING;
  if (!outcome.ok)
    options.log.warn(
      { callId, gatewayId: machine.stored.gateway.id, code: 'error' in outcome ? outcome.error.code : 'fenced' },
      'a report of a machine was not wanted',
    );
  else if (options.machines.online(machine.stored.gateway.id) !== machine) {
    const stored = outcome.change.state.calls.find(({ call }) => call.id === callId);
    if (stored) giveUpIfGone(options, machine.stored.gateway.id, { sessionId, call: stored });
  }
  return success({});
}

/** Without a look at the database for calls that went over this very connection. */
async function sessionOf(options: GatewayDeskOptions, callId: string, machine: OnlineMachine): Promise<string | undefined> {
  const known = machine.sent.has(callId) ? options.tails.sessionOf(callId) : undefined;
  if (known !== undefined) return known;
  const found = await options.store.findCall(callId);
  return found?.ownerId === machine.stored.ownerId ? found.sessionId : undefined;
}

function onOutput(options: GatewayDeskOptions, connection: GatewayConnection, output: GatewayRequest<'tool:output'>): Result<Record<string, never>> {
  const machine = options.machines.ofConnection(connection);
  const sessionId = options.tails.sessionOf(output.callId);
  if (!machine?.sent.has(output.callId) || sessionId === undefined) return success({});
  showOutput(options, { sessionId, ...output });
  return success({});
}

async function onDisconnected(options: GatewayDeskOptions, connection: GatewayConnection): Promise<void> {
  const machine = options.machines.leave(connection);
  if (!machine) return;
  const { id } = machine.stored.gateway;
  const at = options.now().toISOString();
  options.log.info({ gatewayId: id }, 'a machine is offline');
  // A stop that waits for this machine gets its deadline from here only, so it is tried until the database answers.
  for (let attempt = 0; attempt === 0 || !options.isClosing(); attempt += 1) {
    try {
      for (const { sessionId } of await options.store.openCallsOf(id)) options.pokeLater(sessionId);
      await options.store.seen(id, at);
      return;
    } catch (error) {
      options.log.error({ err: error, gatewayId: id, attempt }, 'a machine went offline and its calls could not be looked at');
      await options.pause(Math.min(5_000, 200 * 2 ** attempt));
    }
  }
}
