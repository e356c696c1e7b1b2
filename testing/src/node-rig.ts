import { randomUUID } from 'node:crypto';
import { copyFile, mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { GatewayHandle } from '@tendon/gateway';
import type { AgentRequest } from '@tendon/protocol';
import type { ServerHandle, ServerParts } from '@tendon/server';
import type { QueryResultRow } from 'pg';
import { AgentSocket } from './agent-socket.ts';
import { LossyProxy } from './lossy-proxy.ts';
import type { ModelRequest } from './model/recorded-request.ts';
import { ScriptedModel } from './model/scripted-model.ts';
import { queryOnce } from './query-once.ts';
import { SessionView } from './session-view.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { testDatabase } from './test-database.ts';
import { within } from './until.ts';

/** The names under which the scripted model is asked, one for each way of speaking to it. */
export const DIALECTS = [
  { name: 'OpenAI-compatible', model: 'compatible/scripted' },
  { name: 'Anthropic', model: 'anthropic/claude-scripted' },
] as const;

/** Only met when something is wrong: generous, for machines that are busy with other things. */
const START_LIMIT_MS = 60_000;

export interface NodeRigOptions {
  /** A gateway comes with it unless this is false. */
  readonly hasGateway?: boolean;
  /** The gateway reaches the server through a proxy that can cut. */
  readonly isProxied?: boolean;
  readonly modelTimeouts?: ServerParts['modelTimeouts'];
  /** For every node, before what leads to the model and to the database. */
  readonly env?: Readonly<Record<string, string>>;
  /** Gets every line of the nodes' logs, from `info` on. */
  readonly onLogLine?: (line: string) => void;
  /** Changes the database's address, for a meter in between. */
  readonly throughDatabase?: (url: string) => Promise<{ readonly url: string } & AsyncDisposable>;
}

/** A server, a gateway and a scripted model in this process, all on real sockets, with a database and a workspace of their own. */
export interface NodeRig extends AsyncDisposable {
  readonly server: ServerHandle;
  /** Past the proxy. */
  readonly url: string;
  readonly model: ScriptedModel;
  /** The owner's. */
  readonly key: string;
  readonly home: string;
  readonly workspace: string;
  readonly gateway: GatewayHandle | undefined;
  readonly proxy: LossyProxy;
  /** A socket of the owner, or of whoever the key belongs to. Closed with the rig. */
  connect(options?: { readonly key?: string; readonly name?: string }): Promise<AgentSocket>;
  /** A new session on a socket of its own. */
  open(options?: AgentRequest<'session:create'>): Promise<SessionView>;
  startGateway(): Promise<GatewayHandle>;
  /** One more server node on the same database, with the same people; of the same home when none is named. Ends with the rig. */
  startNode(more?: { readonly home?: string }): Promise<OtherNode>;
  /** The next request to the model with a number above `after`. */
  modelRequest(after: number): Promise<ModelRequest>;
  sql<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  /** Another person, with a key. */
  addUser(): Promise<{ readonly userId: string; readonly key: string }>;
}

export interface OtherNode {
  readonly server: ServerHandle;
  readonly url: string;
  connect(options?: { readonly key?: string; readonly name?: string }): Promise<AgentSocket>;
  /** The rig's machine, greeting here. */
  startGateway(): Promise<GatewayHandle>;
}

export async function nodeRig(options: NodeRigOptions = {}): Promise<NodeRig> {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(await temporaryFolder());
  const workspaceFolder = stack.use(await temporaryFolder());
  const model = stack.use(await ScriptedModel.start());
  const database = stack.use(await testDatabase());
  const metered = options.throughDatabase === undefined ? database : stack.use(await options.throughDatabase(database.url));
  const proxy = stack.use(await LossyProxy.start({ port: 1 }));
  const home = join(folder.path, 'home');
  const setup = { ...options, databaseUrl: metered.url, model };
  const server = await startServer({ ...setup, home, proxy: options.isProxied ? proxy : undefined });
  stack.defer(() => server.close());
  proxy.aim(server.port);
  const url = `http://127.0.0.1:${server.port}`;
  const { key } = await server.auth.createKey({ userId: server.ownerId, name: 'tests' });
  const sockets = stack.adopt(new Set<AgentSocket>(), async (open) => {
    for (const socket of open) socket.close();
  });
  const connectTo = async (address: string, who: { readonly key?: string; readonly name?: string } = {}): Promise<AgentSocket> => {
    const socket = await AgentSocket.connect({ url: address, key: who.key ?? key, ...(who.name === undefined ? {} : { name: who.name }) });
    sockets.add(socket);
    return socket;
  };
  const connect: NodeRig['connect'] = (who) => connectTo(url, who);
  const gateways = stack.adopt(new Set<GatewayHandle>(), async (open) => void (await Promise.all([...open].map((handle) => handle.close()))));
  const place = { serverUrl: options.isProxied ? proxy.url : url, token: key, home, workspace: workspaceFolder.path };
  const startGatewayAt = async (serverUrl: string): Promise<GatewayHandle> => {
    const handle = await startedGateway({ ...place, serverUrl });
    gateways.add(handle);
    return handle;
  };
  const startGateway = (): Promise<GatewayHandle> => startGatewayAt(place.serverUrl);
  const others = stack.adopt(new Set<ServerHandle>(), async (open) => void (await Promise.all([...open].map((handle) => handle.close()))));
  const startNode: NodeRig['startNode'] = async (more = {}) => {
    if (more.home !== undefined) await shareSecretKey(home, more.home);
    const other = await startServer({ ...setup, home: more.home ?? home, proxy: undefined });
    others.add(other);
    const address = `http://127.0.0.1:${other.port}`;
    return { server: other, url: address, connect: (who) => connectTo(address, who), startGateway: () => startGatewayAt(address) };
  };
  const gateway = options.hasGateway === false ? undefined : await startGateway();
  const kept = stack.move();
  return {
    ...{ server, url, model, key, home, workspace: workspaceFolder.path, gateway, proxy, connect, startGateway, startNode },
    open: async (session) => SessionView.create(await connect(), session),
    modelRequest: (after) => requestAfter(model, after),
    sql: (text, values) => queryOnce(database.url, text, values ?? []),
    addUser: () => addUser(server, database.url),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Nodes of one database have one key. */
async function shareSecretKey(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 });
  await copyFile(join(from, 'secret.key'), join(to, 'secret.key'));
}

interface ServerSetup extends Pick<NodeRigOptions, 'env' | 'modelTimeouts' | 'onLogLine'> {
  readonly home: string;
  readonly databaseUrl: string;
  readonly model: ScriptedModel;
  readonly proxy: LossyProxy | undefined;
}

/** Loaded when first needed: most tests that import this package want no server. */
async function startServer({ home, databaseUrl, model, proxy, modelTimeouts, env, onLogLine }: ServerSetup): Promise<ServerHandle> {
  const { createLog, loadConfig, startServer: start } = await import('@tendon/server');
  const { prepareHome } = await import('@tendon/server/settings');
  await prepareHome(home);
  const loaded = loadConfig({
    env: {
      ...env,
      ...modelEnvironment(model),
      TENDON_HOME: home,
      TENDON_PORT: '0',
      TENDON_DATABASE_URL: databaseUrl,
      ...(proxy ? { TENDON_PUBLIC_URL: proxy.url } : {}),
    },
  });
  if (!loaded.ok) throw new Error(loaded.faults.join('\n'));
  const log = createLog({ level: onLogLine ? 'info' : 'error', pretty: false, ...(onLogLine && { destination: { write: onLogLine } }) });
  return start(loaded.config, log, { webRoot: join(home, 'no-page'), ...(modelTimeouts ? { modelTimeouts } : {}) });
}

/** What makes both dialects lead to the scripted model. */
export function modelEnvironment(model: ScriptedModel): Record<string, string> {
  return { TENDON_COMPATIBLE_URL: model.url, ANTHROPIC_BASE_URL: model.url, ANTHROPIC_API_KEY: 'scripted-key', TENDON_MODEL: DIALECTS[0].model };
}

async function startedGateway(place: { serverUrl: string; token: string; home: string; workspace: string }): Promise<GatewayHandle> {
  const { startGateway } = await import('@tendon/gateway');
  const { pino } = await import('pino');
  const { serverUrl, token, home, workspace } = place;
  const handle = await startGateway({ serverUrl, token, home, name: hostname(), workspaces: [workspace], log: pino({ level: 'error' }), version: '0.0.0' });
  const state = await within('the gateway to be online', handle.ready(), START_LIMIT_MS);
  if (state.kind !== 'online') throw new Error(`the gateway is ${JSON.stringify(state)}`);
  return handle;
}

async function requestAfter(model: ScriptedModel, after: number): Promise<ModelRequest> {
  let request = model.requests[after];
  while (!request || request.number <= after) request = await within(`model request ${after + 1}`, model.nextRequest(), START_LIMIT_MS);
  return request;
}

async function addUser(server: ServerHandle, databaseUrl: string): Promise<{ userId: string; key: string }> {
  const userId = randomUUID();
  await queryOnce(databaseUrl, `insert into users (id, name, email) values ($1, 'Another', $2)`, [userId, `${userId}@local.invalid`]);
  const { key } = await server.auth.createKey({ userId, name: 'tests' });
  return { userId, key };
}
