import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import { join } from 'node:path';
import type { McpHost } from '@tendon/mcp';
import { type NetworkTarget, targetOf } from '@tendon/network';
import { HANDSHAKE_CODES } from '@tendon/protocol';
import { v7 } from 'uuid';
import { type Auth, createAuth } from './auth/auth.ts';
import type { EndedCredentials } from './auth/ended-credentials.ts';
import type { Config } from './config.ts';
import { readSecretKeys } from './home-folder.ts';
import { Housekeeper } from './housekeeper.ts';
import { createHttp, type HttpOptions } from './http/create-http.ts';
import { Door } from './http/door.ts';
import { Entrance } from './http/entrance.ts';
import { type Counter, createMetrics, type Gauge } from './http/metrics.ts';
import { UnderWay } from './http/under-way.ts';
import type { Log } from './log.ts';
import { openServerMcp } from './mcp/open-mcp.ts';
import { postgresChannel } from './neighbours/index.ts';
import { Refusals } from './refusals.ts';
import { createChangeableModels, createModels, createRunner, type ModelConfig, type Runner } from './runner/index.ts';
import { Keyring } from './secrets/keyring.ts';
import { type OpenSecrets, openSecrets } from './secrets/open-secrets.ts';
import { openProviderDesk } from './secrets/provider-desk.ts';
import { StartError } from './start-error.ts';
import { connect, createStore, type Database, type EmbeddedPostgres, isMigrated, migrate, startEmbeddedPostgres } from './store/index.ts';
import { createTransport, type SignInAttempt, type SignInResult, type Transport } from './transport/index.ts';

/** A server node that takes requests. */
export interface ServerHandle {
  /** The address that people use. */
  readonly url: string;
  readonly port: number;
  readonly ownerId: string;
  readonly auth: Auth;
  /** Settles when the database of our own has ended by itself: nothing more can be promised then, and the process should end. */
  readonly databaseLost: Promise<void>;
  signInLink(): Promise<string>;
  /** Drains and ends: clients are told, turns stay owed for the next start, nothing is left running. May be called twice. */
  close(): Promise<void>;
}

export interface ServerParts {
  /** Folder of the built page. */
  readonly webRoot: string;
  /** For one command, which may not know the settings of the servers that people use: what they took over from TENDON_OWNER_KEY is left as it is. */
  readonly isPassing?: boolean;
  /** How long a model may stay silent; `ModelConfig` says what holds when it is left out. */
  readonly modelTimeouts?: Pick<ModelConfig, 'firstChunkTimeoutMs' | 'idleTimeoutMs'>;
}

interface Storage {
  readonly database: Database;
  readonly embedded: EmbeddedPostgres | undefined;
}

/** Brings up a node, from database to open port. What its reader can mend is a `StartError`; nothing is left running then. */
export async function startServer(config: Config, log: Log, parts: ServerParts): Promise<ServerHandle> {
  requireModel(config);
  const storage = await openStorage(config, log);
  try {
    return await startOn(storage, { config, log, parts });
  } catch (error) {
    await closeStorage(storage);
    throw error;
  }
}

/** A model that no key could make usable is told now, not at the first message. Asks nobody on the network. */
export function requireModel(config: Config): void {
  const fault = config.model === undefined ? undefined : createModels(modelConfig(config)).check(config.model);
  if (fault?.code === 'model_unknown') throw new StartError(`TENDON_MODEL is "${config.model}": ${fault.message}`);
}

async function openStorage(config: Config, log: Log): Promise<Storage> {
  const embedded = config.databaseUrl === undefined ? await startEmbeddedPostgres({ dataDir: join(config.home, 'db'), log }) : undefined;
  const database = connect(config.databaseUrl ?? embedded?.url ?? '', log);
  try {
    await migrate(database);
    return { database, embedded };
  } catch (error) {
    await closeStorage({ database, embedded });
    throw error;
  }
}

async function closeStorage({ database, embedded }: Storage): Promise<void> {
  await database.close();
  await embedded?.close();
}

interface Given {
  readonly config: Config;
  readonly log: Log;
  readonly parts: ServerParts;
}

async function startOn(storage: Storage, given: Given): Promise<ServerHandle> {
  const { secretKeys, models, secrets } = await openKeys(storage, given);
  try {
    return await serve(storage, { ...given, secretKey: secretKeys.current, models, secrets });
  } catch (error) {
    await secrets.close();
    throw error;
  }
}

/** The models with the keys that hold now, whichever way they are given; a change reaches them at once. */
async function openKeys({ database, embedded }: Storage, { config, log, parts }: Given) {
  const secretKeys = await readSecretKeys(config.home, { secretKey: config.secretKey, previousKeys: config.previousSecretKeys });
  const configOf = (providers: Config['providers']) => ({ ...modelConfig({ ...config, providers }), ...parts.modelTimeouts });
  const models = createChangeableModels(configOf(config.providers));
  const secrets = await openSecrets({
    pool: database.pool,
    keyring: new Keyring(secretKeys.current, secretKeys.others),
    // A database of our own has no other node.
    sharedUrl: embedded ? undefined : database.url,
    environment: config.providers,
    onProvidersChanged: (providers) => models.change(configOf(providers)),
    log,
  });
  const fault = config.model === undefined ? undefined : models.check(config.model);
  if (fault) log.warn(`TENDON_MODEL is "${config.model}": ${fault.message}`);
  return { secretKeys, models, secrets };
}

interface Opened extends Given, Pick<Awaited<ReturnType<typeof openKeys>>, 'models' | 'secrets'> {
  readonly secretKey: Buffer;
}

interface OpenedMcp {
  readonly mcp: McpHost;
  readonly doors: NetworkTarget[];
}

async function serve(storage: Storage, opened: Opened): Promise<ServerHandle> {
  const doors: NetworkTarget[] = [];
  const mcp = await openServerMcp({ home: opened.config.home, log: opened.log, doors, keyring: opened.secrets.store.keyring });
  try {
    return await serveWith({ mcp, doors }, storage, opened);
  } catch (error) {
    await mcp.close();
    throw error;
  }
}

async function serveWith({ mcp, doors }: OpenedMcp, storage: Storage, { config, log, parts, secretKey, models, secrets }: Opened): Promise<ServerHandle> {
  const { database, embedded } = storage;
  const door = new Door(config);
  const auth = await createAuth({ config, pool: database.pool, secretKey, keyring: secrets.store.keyring, door, log, isPassing: parts.isPassing });
  const state = { isDraining: false };
  const ways = waysIn(door, log);
  const metrics = createMetrics(gauges({ ...ways, database, transport: () => transport }), counters(ways.refusals));
  const http = createHttp({
    door,
    ...ways,
    auth,
    providers: openProviderDesk(auth, secrets, () => new Date()),
    webRoot: parts.webRoot,
    readiness: () => readiness(database, state),
    metrics,
    log,
  });
  const transport = createTransport({
    httpServer: http,
    checkDoor: (request) => doorVerdict(door, request),
    addressOf: door.addressOf,
    ...ways,
    authenticate: (attempt) => signIn(auth, attempt),
    isDraining: () => state.isDraining,
    log,
  });
  const store = createStore(database);
  const node = v7();
  const runner = createRunner({
    node,
    store,
    models,
    mcp,
    fanout: transport.fanout,
    // A database of our own has no other node.
    channel: embedded ? undefined : postgresChannel({ url: database.url, node, log }),
    onRevoked: (credentialId) => transport.disconnectCredential(credentialId),
    onRuleChange: ({ kind, caller: { userId, address = '', credentialId }, about }) =>
      auth.audit.note({ userId, action: `rule_${kind}`, address, credentialId, about }),
    log,
  });
  const housekeeper = new Housekeeper({ store, audit: auth.audit, now: () => new Date(), log });
  // Our own database has no other living node: what earlier ones held is free, before anyone here can take a lease.
  if (embedded) await store.releaseAll();
  auth.onRevoked(({ credentialId }) => {
    transport.disconnectCredential(credentialId);
    runner.revoked(credentialId);
  });
  const ended = auth.watchEnded(() => transport.credentials());
  transport.serve(runner);
  await listen(http, config);
  const port = portOf(http);
  doors.push(...[`http://localhost:${port}`, door.publicOrigin()].flatMap((url) => targetOf(url) ?? []));
  mcp.start();
  await runner.start();
  housekeeper.start();
  ended.start();
  const signInLink = async () => {
    // Somebody is about to sign in: what that needs loads while they open the link.
    auth.warm().catch((error: unknown) => log.warn({ err: error }, 'sign-in could not be prepared'));
    return auth.signInLink();
  };
  const close = closing({ http, transport, runner, mcp, housekeeper, ended, secrets, storage, state });
  return { url: door.publicOrigin(), port, ownerId: auth.ownerId, auth, databaseLost: embedded?.exited ?? new Promise(() => undefined), signInLink, close };
}

function waysIn({ addressOf }: Door, log: Log): Pick<HttpOptions, 'entrance' | 'underWay' | 'refusals'> {
  return { entrance: new Entrance({ addressOf, log }), underWay: new UnderWay({ addressOf, log }), refusals: new Refusals() };
}

interface Measured {
  readonly underWay: UnderWay;
  readonly database: Database;
  readonly transport: () => Transport;
}

function gauges({ underWay, database, transport }: Measured): readonly Gauge[] {
  return [
    { name: 'tendon_agent_connections', help: 'Connected clients of people.', read: () => transport().connections().agent },
    { name: 'tendon_gateway_connections', help: 'Connected machines.', read: () => transport().connections().gateway },
    { name: 'tendon_database_queries_total', help: 'Statements sent to the database since the start.', read: () => database.queries.total },
    { name: 'tendon_unsent_bytes', help: 'Bytes that wait for connections to take them.', read: () => transport().unsentBytes() },
    { name: 'tendon_unfinished_bytes', help: 'Bytes that have come of messages that are not finished.', read: () => transport().unfinishedBytes() },
    { name: 'tendon_requests_under_way', help: 'HTTP requests that are being answered.', read: () => underWay.count },
  ];
}

function counters(refusals: Refusals): readonly Counter[] {
  return [
    {
      name: 'tendon_refusals_total',
      help: 'Requests, handshakes and connections refused since the start, by where and why.',
      labels: ['where', 'code'],
      read: () => refusals.refused(),
    },
    {
      name: 'tendon_cut_connections_total',
      help: 'Connections ended since the start for what their other side did.',
      labels: ['code'],
      read: () => refusals.cut(),
    },
  ];
}

function doorVerdict(door: Door, request: Parameters<Door['check']>[0]): ReturnType<Parameters<typeof createTransport>[0]['checkDoor']> {
  const check = door.check(request);
  return check.ok ? check : { ok: false, status: check.fault === 'host' ? 421 : 403, code: 'forbidden_origin', message: check.message };
}

async function signIn(auth: Auth, attempt: SignInAttempt): Promise<SignInResult> {
  const { namespace, token, cookieHeader, origin, host, fetchSite, address, client } = attempt;
  const headers = { cookie: cookieHeader, origin, host, 'sec-fetch-site': fetchSite };
  const decision = await auth.authenticate({ token, headers, address, namespace: `/${namespace}`, client });
  if (decision.ok) return decision;
  const { code, retryAfterMs } = decision;
  return { ok: false, refusal: { code, message: HANDSHAKE_CODES[code].text, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } };
}

async function readiness(database: Database, state: { isDraining: boolean }): Promise<{ ok: boolean; checks: Record<string, string> }> {
  if (state.isDraining) return { ok: false, checks: { server: 'is shutting down' } };
  try {
    const migrated = await isMigrated(database);
    return { ok: migrated, checks: { database: 'ok', migrations: migrated ? 'ok' : 'another version of Tendon has changed the tables' } };
  } catch {
    return { ok: false, checks: { database: 'cannot be reached' } };
  }
}

function modelConfig({ model, providers }: Config): ModelConfig {
  const { openaiBaseUrl, anthropicBaseUrl, ollamaHost, ...keys } = providers;
  return { model, ...keys, ollamaUrl: ollamaHost, baseUrls: { openai: openaiBaseUrl, anthropic: anthropicBaseUrl } };
}

async function listen(http: HttpServer, config: Config): Promise<void> {
  http.listen(config.port, config.host);
  try {
    await once(http, 'listening');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    const reason = code === 'EADDRINUSE' ? 'is taken by another program' : `cannot be used (${code})`;
    throw new StartError(`Port ${config.port} on ${config.host} ${reason}: set TENDON_PORT to another one, or 0 for any free port.`, { cause: error });
  }
}

function portOf(http: HttpServer): number {
  const address = http.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Running {
  readonly http: HttpServer;
  readonly transport: Transport;
  readonly runner: Runner;
  readonly mcp: McpHost;
  readonly housekeeper: Housekeeper;
  readonly ended: EndedCredentials;
  readonly secrets: OpenSecrets;
  readonly storage: Storage;
  readonly state: { isDraining: boolean };
}

/** Outside in: first nobody new, then nobody at all, then the work, then the data. */
function closing({ http, transport, runner, mcp, housekeeper, ended: endedCredentials, secrets, storage, state }: Running): () => Promise<void> {
  let ended: Promise<void> | undefined;
  const close = async () => {
    state.isDraining = true;
    await transport.close();
    // The runner first: it ends its calls, and then so do the servers that they run in.
    await Promise.all([runner.close(), mcp.close(), housekeeper.close(), endedCredentials.close()]);
    const closed = new Promise((resolve) => http.close(resolve));
    http.closeAllConnections();
    await closed;
    await secrets.close();
    await closeStorage(storage);
  };
  return () => {
    ended ??= close();
    return ended;
  };
}
