import { EventEmitter } from 'node:events';
import { Writable } from 'node:stream';
import type { AgentNoticeName, GatewayAnswer, GatewayCommand, GatewayRequest } from '@tendon/protocol';
import { emits, testDatabase, until } from '@tendon/testing';
import { pino } from 'pino';
import { v7 } from 'uuid';
import { connect } from '../store/database.ts';
import { createStore, type Store } from '../store/index.ts';
import type { ModelPort, StepOutcome, StepRequest, StepSink } from './model/model-port.ts';
import type { AgentConnection, GatewayConnection } from './ports.ts';
import { createRunner, type Runner } from './runner.ts';

const WORKSPACE = '/workspace';
const CALLER: Omit<AgentConnection, 'userId'> = {
  clientName: 'test',
  joinSession: () => undefined,
  leaveSession: () => undefined,
  showNewest: () => undefined,
  onEnd: () => undefined,
};

export interface Heard {
  readonly name: AgentNoticeName;
  readonly notice: unknown;
}

type Step = (request: StepRequest, sink: StepSink) => Promise<StepOutcome>;

/** A runner over a real database, with a model that is a list of functions and ears in place of sockets. For tests of what breaks. */
export interface RunnerRig extends AsyncDisposable {
  readonly runner: Runner;
  readonly store: Store;
  readonly person: AgentConnection;
  /** What each further model call does; the last one stays. */
  readonly steps: Step[];
  readonly heard: Heard[];
  readonly logLines: { readonly msg: string; readonly type?: string }[];
  /** Resolves as soon as `check` holds, asked after every notice and log line. */
  until(check: () => boolean): Promise<unknown>;
  newSession(): Promise<string>;
  execute(sessionId: string, text: string): Promise<string>;
}

/** `fault` stands before the store's methods: what it gives back replaces them. */
export async function runnerRig(fault: (store: Store) => Partial<Store> = () => ({})): Promise<RunnerRig> {
  const made = await testDatabase();
  const changed = new EventEmitter();
  const tell = (): void => void changed.emit('change');
  const logLines: RunnerRig['logLines'] = [];
  const keep = (chunk: unknown, _encoding: string, done: () => void): void => {
    logLines.push(JSON.parse(String(chunk)));
    tell();
    done();
  };
  const destination = new Writable({ write: keep });
  const log = pino({ level: 'info' }, destination);
  const database = connect(made.url, log);
  const real = createStore(database);
  const store = { ...real, ...fault(real) };
  const userId = v7();
  await database.pool.query('insert into users (id, name, email) values ($1, $2, $3)', [userId, 'A person', `${userId}@local.invalid`]);
  const heard: Heard[] = [];
  const hear = (_to: string, name: AgentNoticeName, notice: unknown): void => {
    heard.push({ name, notice });
    tell();
  };
  const steps: Step[] = [];
  const runner = createRunner({
    node: v7(),
    store,
    models: models(steps),
    fanout: { toSession: hear, toUser: hear, hasAudience: () => true, people: () => [userId] },
    log,
  });
  const person: AgentConnection = { ...CALLER, userId };
  return {
    ...{ runner, store, person, steps, heard, logLines },
    until: (check) => until({ what: 'the runner to tell it', check, on: emits(changed, 'change') }),
    newSession: async () => (await real.create({ id: v7(), ownerId: userId, title: 'A title', model: 'demo', at: new Date().toISOString() })).state.id,
    execute: async (sessionId, text) => {
      const messageId = v7();
      await runner.agent['agent:execute'](person, { sessionId, messageId, text });
      return messageId;
    },
    [Symbol.asyncDispose]: async () => {
      await runner.close();
      await database.close();
      await made[Symbol.asyncDispose]();
    },
  };
}

function models(steps: Step[]): ModelPort {
  return {
    step: (request, sink) => ((steps.length > 1 ? steps.shift() : steps[0]) ?? answers('done'))(request, sink),
    list: async () => [],
    defaultModel: async () => 'demo',
    check: () => undefined,
    warmUp: () => undefined,
  };
}

export function answers(text: string): Step {
  return async (_request, sink) => {
    sink.partStarted(0, { type: 'text' });
    sink.delta(0, text);
    return { kind: 'completed', parts: [{ type: 'text', text }], usage: { inputTokens: 1, outputTokens: 1 }, finishReason: 'stop' };
  };
}

export function asksFor(tool: string, input: unknown): Step {
  return async (_request, sink) => {
    const inputText = JSON.stringify(input);
    sink.partStarted(0, { type: 'tool_call', tool });
    sink.delta(0, inputText);
    return { kind: 'completed', parts: [{ type: 'tool_call', tool, inputText }], usage: { inputTokens: 1, outputTokens: 1 }, finishReason: 'tool-calls' };
  };
}

/** A model call that lasts until it is aborted. */
export const hangs: Step = (request) =>
  new Promise((resolve) => request.signal.addEventListener('abort', () => resolve({ kind: 'aborted', parts: [] }), { once: true }));

/** A connected machine that keeps what it is sent. It does not answer a dispatch before its connection ends or the test has it refuse. */
export class FakeMachine implements GatewayConnection {
  readonly connectionId = v7();
  readonly userId: string;
  readonly sent: GatewayCommand<'tool:call'>[] = [];
  isCut = false;
  readonly #failures: ((error: Error) => void)[] = [];
  readonly #answers: ((answer: GatewayAnswer<'tool:call'>) => void)[] = [];
  readonly #first = Promise.withResolvers<void>();

  constructor(userId: string) {
    this.userId = userId;
  }

  get firstSent(): Promise<void> {
    return this.#first.promise;
  }

  call(command: GatewayCommand<'tool:call'>): Promise<GatewayAnswer<'tool:call'>> {
    this.sent.push(command);
    this.#first.resolve();
    return new Promise((resolve, reject) => {
      this.#answers.push(resolve);
      if (this.isCut) reject(new Error('the machine is gone'));
      else this.#failures.push(reject);
    });
  }

  /** Refuses every dispatch so far. */
  refuse(error: { code: string; message: string }): void {
    for (const answer of this.#answers.splice(0)) answer({ accepted: false, error });
  }

  async cancel(): Promise<void> {}

  async endSession(): Promise<void> {}

  async watchBrowser(): Promise<void> {}

  disconnect(): void {
    this.isCut = true;
    for (const fail of this.#failures.splice(0)) fail(new Error('the machine is gone'));
  }
}

export function hello(gatewayId: string, instanceId: string): GatewayRequest<'gateway:hello'> {
  const tools = ['read_file', 'bash'].map((name) => ({ name, description: name, inputSchema: { type: 'object' }, effect: 'read' as const, source: 'builtin' }));
  return { gatewayId, instanceId, name: 'laptop', platform: 'linux', version: '1', workspaces: [{ path: WORKSPACE, name: 'workspace' }], tools, calls: [] };
}
