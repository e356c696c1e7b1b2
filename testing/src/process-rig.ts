import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { QueryResultRow } from 'pg';
import { AgentSocket } from './agent-socket.ts';
import { assertNothingRuns } from './left-running.ts';
import { ScriptedModel } from './model/scripted-model.ts';
import { modelEnvironment } from './node-rig.ts';
import { queryOnce } from './query-once.ts';
import { type TemporaryFolder, temporaryFolder } from './temporary-folder.ts';
import { prepareDataDir } from './test-database.ts';
import { until, within } from './until.ts';

const MAIN = join(import.meta.dirname, '../../packages/cli/src/main.js');
const START_LIMIT_MS = 60_000;
const END_LIMIT_MS = 12_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A `tendon` command that is ready, in a process of its own. */
export interface TendonProcess extends AsyncDisposable {
  readonly pid: number;
  readonly url: string;
  readonly port: number;
  /** What it has printed so far, both streams. */
  output(): string;
  /** Sends the signal and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGKILL' | 'SIGINT'): Promise<Exit>;
  readonly exited: Promise<Exit>;
}

export interface TendonCommand {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** A folder for the ready file. */
  readonly scratch: string;
}

/** Starts `tendon …args` and resolves when its ready file is there. Rejects, with what it printed, when it ends before. */
export async function startTendon({ args, env, scratch }: TendonCommand): Promise<TendonProcess> {
  const readyFile = join(scratch, `ready-${randomBytes(6).toString('hex')}.json`);
  const child = spawn(process.execPath, [MAIN, ...args, '--ready-file', readyFile], {
    env: { ...bareEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
  const ready = until({ what: `tendon ${args[0]} to be ready`, pollMs: 20, deadlineMs: START_LIMIT_MS, check: () => readReady(child, readyFile) });
  const facts = await ready.catch(async (cause: unknown) => {
    child.kill('SIGKILL');
    throw new Error(`tendon ${args.join(' ')} did not become ready:\n${output}`, { cause });
  });
  // The file may be seen before what was printed before it is read: that is read in the turn which begins now.
  await new Promise(setImmediate);
  const end: TendonProcess['end'] = async (signal) => {
    child.kill(signal);
    return within(`tendon ${args[0]} to end after ${signal}`, exited, END_LIMIT_MS);
  };
  return { pid: child.pid ?? 0, ...facts, output: () => output, end, exited, [Symbol.asyncDispose]: () => endSurely(child, exited) };
}

async function endSurely(child: ChildProcess, exited: Promise<Exit>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), END_LIMIT_MS);
  await exited;
  clearTimeout(limit);
}

function readReady(child: ChildProcess, path: string): { url: string; port: number } | undefined {
  if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended');
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { url: string; port: number }) : undefined;
}

/** What the person has configured for a Tendon of their own must not reach the one under test. The cache of compiled code is that of the tests. */
function bareEnvironment(): NodeJS.ProcessEnv {
  const foreign = /^(TENDON_|OPENAI_|ANTHROPIC_|GOOGLE_|OLLAMA_|NODE_OPTIONS$|NODE_TEST_CONTEXT$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** One home and one workspace, on which real processes are started, killed and started again, on the same port. Its end fails when anything is left running. */
export interface ProcessRig extends AsyncDisposable {
  readonly home: string;
  readonly gatewayHome: string;
  readonly workspace: string;
  readonly model: ScriptedModel;
  readonly key: string;
  /** The server's address, once it has been started. */
  readonly url: string;
  /** `tendon server`, or with `start` the whole product, whose machine is connected then. */
  start(command?: 'server' | 'start'): Promise<TendonProcess>;
  /** `tendon gateway` for the server at `url`, or at `serverUrl`, with a home of its own that outlives it. */
  startGateway(more?: { readonly serverUrl?: string; readonly key?: string }): Promise<TendonProcess>;
  connect(name?: string): Promise<AgentSocket>;
  /** Asks the PostgreSQL of the server that runs, past the server. */
  sql<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface ProcessRigOptions {
  /** For every process of the rig, before what leads to its model. */
  readonly env?: Readonly<Record<string, string>>;
  /** The first start makes its database itself, as a person's does. Otherwise it finds one that is made. */
  readonly isNew?: boolean;
}

export async function processRig({ env: extra = {}, isNew = false }: ProcessRigOptions = {}): Promise<ProcessRig> {
  await using stack = new AsyncDisposableStack();
  const folders: TemporaryFolder[] = [];
  for (let left = 4; left > 0; left -= 1) folders.push(stack.use(await temporaryFolder()));
  const paths = folders.map((folder) => folder.path);
  const [home = '', gatewayHome = '', workspace = '', scratch = ''] = paths;
  // Once its processes have ended: what a killed gateway ran is ended by the next one, and the last one has none.
  stack.defer(() => assertNothingRuns(paths));
  if (!isNew) await prepareDataDir(join(home, 'db'));
  const model = stack.use(await ScriptedModel.start());
  const processes = stack.adopt(new Set<TendonProcess>(), async (all) => void (await Promise.all([...all].map((one) => one[Symbol.asyncDispose]()))));
  const sockets = stack.adopt(new Set<AgentSocket>(), async (all) => {
    for (const socket of all) socket.close();
  });
  const key = `tdn_${randomBytes(24).toString('hex')}`;
  let port = 0;
  const run = async (args: readonly string[], env: Readonly<Record<string, string>>): Promise<TendonProcess> => {
    const started = await startTendon({ args, env: { TENDON_LOG_LEVEL: 'info', ...extra, ...env }, scratch });
    processes.add(started);
    return started;
  };
  const url = (): string => `http://127.0.0.1:${port}`;
  const serverEnvironment = { ...modelEnvironment(model), ...extra, TENDON_HOME: home, TENDON_OWNER_KEY: key, TENDON_WORKSPACE: workspace };
  const kept = stack.move();
  return {
    ...{ home, gatewayHome, workspace, model, key },
    get url() {
      return url();
    },
    start: async (command = 'server') => {
      const started = await run([command, ...(command === 'start' ? ['--no-open'] : [])], { ...serverEnvironment, TENDON_PORT: String(port) });
      port = started.port;
      if (/is not connected yet/.test(started.output())) await machineIsOnline({ url: url(), key });
      return started;
    },
    startGateway: (more = {}) =>
      run(['gateway', '--server', more.serverUrl ?? url(), '--workspace', workspace], { TENDON_HOME: gatewayHome, TENDON_API_KEY: more.key ?? key }),
    connect: async (name) => {
      const socket = await AgentSocket.connect({ url: url(), key, ...(name === undefined ? {} : { name }) });
      sockets.add(socket);
      return socket;
    },
    sql: (text, values) => queryOnce(databaseIn(home), text, values),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** `tendon start` says that it is ready without its machine when that takes long, as it does where much else runs. */
async function machineIsOnline(server: { readonly url: string; readonly key: string }): Promise<void> {
  await using socket = await AgentSocket.connect(server);
  const { gateways } = await socket.ask('gateway:list', {});
  const isOnline = (): boolean => socket.received.some(({ name, notice }) => name === 'gateway:presence' && notice.gateway.online);
  await socket.until('the machine to be online', () => gateways.some(({ online }) => online) || isOnline(), START_LIMIT_MS);
}

/** Where the database of a home listens: in its own folder, as long as its path is short enough for a socket. */
function databaseIn(home: string): string {
  return `postgres://tendon@localhost/postgres?host=${encodeURIComponent(join(home, 'db', 'data'))}`;
}
