import { hostname } from 'node:os';
import { GATEWAY_COMMANDS, LIMITS, type SessionEnd, type ToolResult, validate } from '@tendon/protocol';
import type { Logger } from 'pino';
import { v7 as newId } from 'uuid';
import { BrowserHost } from './browser/browser-host.ts';
import { settleBrowser } from './browser/browser-process.ts';
import { CallDesk } from './calls/call-desk.ts';
import { type GatewayFolders, openGatewayFolders } from './home-folder.ts';
import { loadGatewayId } from './identity.ts';
import { Journal } from './journal/journal.ts';
import { settleLeftovers } from './journal/leftovers.ts';
import { type OwnerLock, takeOwnerLock } from './journal/owner-lock.ts';
import type { LinkState } from './link/connection.ts';
import { type OpenSocket, openGatewaySocket } from './link/gateway-socket.ts';
import { greetServer } from './link/greeting.ts';
import { Outbox } from './link/outbox.ts';
import { OutputPump } from './link/output-pump.ts';
import { LinkSupervisor } from './link/supervisor.ts';
import { ToolsTeller } from './link/tools-teller.ts';
import { McpHost, type McpTools } from './mcp/mcp-host.ts';
import { type NetworkTarget, targetOf } from './network/network-rules.ts';
import { LocalApprovals } from './policy/local-approvals.ts';
import { PolicyFile } from './policy/policy-file.ts';
import { CommandNetworks } from './sandbox/command-networks.ts';
import { type SandboxSaid, sandboxOf } from './sandbox/sandbox-said.ts';
import { GatewayStartError } from './start-error.ts';
import { BackgroundProcesses } from './tools/background.ts';
import { ToolFault } from './tools/faults.ts';
import { withMcpTools } from './tools/machine-registry.ts';
import { openSpoolFolder } from './tools/output-spool.ts';
import { buildRegistry, type ToolRegistry } from './tools/registry.ts';
import { openWorkspace, type Workspace } from './tools/workspace.ts';
import { Snapshots } from './undo/snapshots.ts';

export interface GatewayOptions {
  /** Where the server is, for example `https://tendon.example.org`. */
  readonly serverUrl: string;
  readonly token: string;
  /** TENDON_HOME: identity, journal and policy live under it. */
  readonly home: string;
  /** What people call this machine; its host name when left out. Each name has its own identity and journal. */
  readonly name?: string;
  /** The folders the tools may work in; at least one. */
  readonly workspaces: readonly string[];
  readonly log: Logger;
  readonly version: string;
  /** Source of the jitter between tries, in [0, 1); `Math.random` when left out. */
  readonly random?: () => number;
}

export interface GatewayHandle {
  readonly gatewayId: string;
  /** For the relay of this machine, which tells of what was approved in its page. */
  readonly approvals: LocalApprovals;
  /** A further port of this machine that no tool may open, whatever its policy says. */
  keepShut(port: number): void;
  readonly state: LinkState;
  /** Calls `listener` with every new state of the link. Answers with the way to stop that. */
  subscribe(listener: (state: LinkState) => void): () => void;
  /** The first state that settles it: `online`; `failed`, with the server's reason; or `idle` when closed before. Never rejects. */
  ready(): Promise<LinkState>;
  /** Ends what runs here, hands in the results, and leaves nothing behind. May be called twice. */
  close(): Promise<void>;
}

const FLUSH_MS = 1_500;
const MAX_HELD_SESSIONS = 10_000;
/** Where a relay listens when nothing else is said. */
const RELAY_PORT = 7_421;

/** What a gateway is put together from: its disk, its tools, and the way to its server. */
export interface GatewayParts {
  readonly lock: Pick<OwnerLock, 'close'>;
  readonly journal: Journal;
  readonly policy: Pick<PolicyFile, 'current'>;
  readonly workspaces: readonly Workspace[];
  readonly gatewayId: string;
  readonly registry: ToolRegistry;
  /** Its tools stand in the registry as well. */
  readonly mcp?: McpTools;
  readonly openSocket: OpenSocket;
  /** Where long outputs are kept; without one, only what fits into memory. */
  readonly outputs?: string;
  /** What it says of its sandbox; nothing when left out. */
  readonly sandbox?: () => Promise<SandboxSaid>;
  /** Where a browser's process would keep what it needs. */
  readonly browserFolder: string;
  /** What files were before tools changed them. */
  readonly snapshots: Snapshots;
}

/**
 * Starts this machine's hands: opens journal and policy, ends what a dead predecessor left running, and dials the server until it is told that
 * this is no use. Errors: `GatewayStartError`, one line that says what to do.
 */
export async function startGateway(options: GatewayOptions): Promise<GatewayHandle> {
  checkOptions(options);
  if (isUnprotected(options.serverUrl))
    options.log.warn({ serverUrl: new URL(options.serverUrl).origin }, 'the key and everything else travels unencrypted to this server: use https');
  const name = options.name === undefined || options.name === '' ? hostname() : options.name;
  const folders = await openGatewayFolders(options.home, name);
  const lock = takeOwnerLock(folders.lock);
  if (!lock)
    throw new GatewayStartError(
      'already_running',
      `Another gateway named ${JSON.stringify(name)} already runs from ${folders.home}. Stop it, or give this one another name.`,
    );
  try {
    const policy = await PolicyFile.open(folders.policy, options.log);
    const workspaces = await openWorkspaces(options.workspaces, folders.home);
    const gatewayId = await loadGatewayId(folders.identity, newId);
    const journal = await Journal.open({ path: folders.journal, log: options.log, newId });
    await Promise.all([settleLeftovers(journal, options.log), settleBrowser(folders.browser)]);
    const outputs = await openSpoolFolder(folders.outputs);
    const snapshots = new Snapshots({ folder: folders.undo, log: options.log, now: () => new Date() });
    await snapshots.sweep();
    const mcp = await openMcp(options, folders, workspaces);
    const registry = withMcpTools(sharedRegistry(), mcp);
    const sandbox = (): Promise<SandboxSaid> => sandboxOf(policy);
    const found = { sandbox, lock, journal, policy, workspaces, gatewayId, outputs, snapshots, browserFolder: folders.browser };
    return new Gateway({ ...options, name }, { ...found, registry, mcp, openSocket: openGatewaySocket });
  } catch (error) {
    lock.close();
    throw error;
  }
}

function openMcp(options: GatewayOptions, folders: GatewayFolders, workspaces: readonly Workspace[]): Promise<McpHost> {
  return McpHost.open({
    files: { config: folders.mcp, pins: folders.mcpPins, processes: folders.mcpProcesses, credentials: folders.mcpCredentials },
    folder: workspaces[0]?.root ?? folders.home,
    version: options.version,
    env: process.env,
    log: options.log,
    newId,
    now: () => new Date(),
    random: options.random ?? Math.random,
  });
}

function isUnprotected(serverUrl: string): boolean {
  const { protocol, hostname: host } = new URL(serverUrl);
  return protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(host);
}

function checkOptions(options: GatewayOptions): void {
  if (!/^https?:$/.test(URL.parse(options.serverUrl)?.protocol ?? '')) {
    throw new GatewayStartError(
      'invalid_options',
      `${JSON.stringify(options.serverUrl)} is not the address of a server. Give one that begins with http:// or https://.`,
    );
  }
  if (options.token === '')
    throw new GatewayStartError('invalid_options', 'The gateway has no key for its server. Set TENDON_API_KEY, or make a key with: tendon key create.');
  if (options.workspaces.length === 0) throw new GatewayStartError('invalid_options', 'The gateway has no workspace. Name at least one folder.');
}

async function openWorkspaces(given: readonly string[], home: string): Promise<Workspace[]> {
  const byRoot = new Map<string, Workspace>();
  for (const folder of given) {
    const workspace = await openWorkspace(folder, home).catch((error: unknown) => {
      throw error instanceof ToolFault ? new GatewayStartError('workspace_missing', error.message, { cause: error }) : error;
    });
    if (!byRoot.has(workspace.root)) byRoot.set(workspace.root, workspace);
  }
  return [...byRoot.values()];
}

/** Made at the first start of a gateway and kept for the life of the process, over every reconnect. */
let registry: ToolRegistry | undefined;

function sharedRegistry(): ToolRegistry {
  registry ??= buildRegistry();
  return registry;
}

/** What no tool must ever open, whatever the policy allows: the server this gateway takes its orders from, and a relay. */
function ownDoors(serverUrl: string): NetworkTarget[] {
  const server = targetOf(serverUrl);
  return [...(server ? [server] : []), { host: 'localhost', port: RELAY_PORT }];
}

/** A running gateway. `startGateway` makes it from what the machine has; the simulation makes it from simulated parts. */
export class Gateway implements GatewayHandle {
  readonly gatewayId: string;
  readonly approvals: LocalApprovals;
  readonly #parts: GatewayParts;
  readonly #log: Logger;
  readonly #desk: CallDesk;
  readonly #link: LinkSupervisor;
  readonly #outbox: Outbox;
  readonly #output: OutputPump;
  readonly #background: BackgroundProcesses;
  readonly #browser: BrowserHost;
  readonly #networks: CommandNetworks;
  readonly #doors: NetworkTarget[];
  readonly #tools: ToolsTeller;
  readonly #ready: Promise<LinkState>;
  #closing: Promise<void> | undefined;

  constructor(options: GatewayOptions & { name: string }, parts: GatewayParts) {
    this.#parts = parts;
    this.#log = options.log;
    this.gatewayId = parts.gatewayId;
    this.#background = new BackgroundProcesses(parts.outputs);
    this.approvals = new LocalApprovals(parts.gatewayId);
    this.#doors = ownDoors(options.serverUrl);
    this.#browser = new BrowserHost({ folder: parts.browserFolder, policy: parts.policy, reserved: this.#doors });
    this.#networks = new CommandNetworks({ policy: parts.policy, reserved: this.#doors });
    const online = (): LinkSupervisor['online'] => this.#link.online;
    this.#output = new OutputPump(() => this.#link.socket);
    this.#outbox = new Outbox({
      online,
      giveUp: (cause) => this.#link.giveUp(cause),
      acknowledged: (callId) => void this.#desk.forget(callId),
      log: options.log,
      random: options.random ?? Math.random,
    });
    this.#tools = new ToolsTeller({
      announced: () => parts.registry.announced,
      online,
      giveUp: (cause) => this.#link.giveUp(cause),
      log: options.log,
    });
    this.#desk = new CallDesk({
      ...parts,
      approvals: this.approvals,
      background: this.#background,
      browser: this.#browser,
      networks: this.#networks,
      log: options.log,
      now: () => new Date(),
      monotonicMs: () => performance.now(),
      reports: this.#reports(),
    });
    this.#link = this.#makeLink(options);
    this.#ready = new Promise((resolve) => {
      const stop = this.#link.subscribe((state) => {
        if (state.kind === 'connecting' || state.kind === 'waiting') return;
        stop();
        resolve(state);
      });
    });
    this.#link.subscribe((state) => {
      if (state.kind === 'online' || state.kind === 'waiting') this.#outbox.restart();
      if (state.kind === 'online' && parts.mcp) this.#tools.look();
    });
    parts.mcp?.subscribe(() => this.#tools.look());
    parts.mcp?.start();
    this.#link.start();
  }

  get state(): LinkState {
    return this.#link.state;
  }

  subscribe(listener: (state: LinkState) => void): () => void {
    return this.#link.subscribe(listener);
  }

  keepShut(port: number): void {
    this.#doors.push({ host: 'localhost', port });
  }

  ready(): Promise<LinkState> {
    return this.#ready;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#desk.close();
    await this.#outbox.flushed(FLUSH_MS);
    this.#outbox.close();
    this.#tools.close();
    this.#output.close();
    this.#link.stop();
    await Promise.all([this.#background.close(), this.#browser.close(), this.#networks.close(), this.#parts.mcp?.close()]);
    await this.#parts.journal.close();
    this.#parts.lock.close();
  }

  #reports(): ConstructorParameters<typeof CallDesk>[0]['reports'] {
    return {
      started: (callId) => this.#link.socket?.hint('tool:started', { callId }),
      output: (callId, text) => this.#output.add(callId, text),
      finished: (callId: string, result: ToolResult) => {
        this.#output.finish(callId);
        this.#outbox.add(callId, result);
      },
    };
  }

  #makeLink(options: GatewayOptions & { name: string }): LinkSupervisor {
    const { instanceId } = this.#parts.journal;
    const workspaces = this.#parts.workspaces.map(({ root, name }) => ({ path: root, name: name.slice(0, 255) }));
    const about = {
      gatewayId: this.gatewayId,
      instanceId,
      name: options.name.slice(0, LIMITS.titleLength),
      platform: `${process.platform}-${process.arch}`,
      version: options.version,
      workspaces,
    };
    return new LinkSupervisor({
      socket: { serverUrl: options.serverUrl, token: options.token, version: options.version },
      openSocket: this.#parts.openSocket,
      greet: async (socket) => {
        const sandbox = this.#parts.sandbox && { sandbox: await this.#parts.sandbox() };
        return greetServer(socket, {
          hello: { ...about, ...sandbox, tools: this.#tools.forHello(), calls: this.#desk.book.report(), sessions: this.#heldSessions() },
          desk: this.#desk,
          outbox: this.#outbox,
          endSession: (end) => this.#endSession(end),
        });
      },
      command: (name, payload, answer) => this.#command(name, payload, answer),
      log: options.log,
      nowMs: () => performance.now(),
      random: options.random ?? Math.random,
    });
  }

  /** Sessions of which something stays between their calls. */
  #heldSessions(): string[] {
    return [...new Set([...this.#browser.sessions, ...this.#background.sessions])].slice(0, MAX_HELD_SESSIONS);
  }

  /** One that is archived may be put back, and what it runs is listed again then; of one that is deleted nobody can end it any more. */
  #endSession({ sessionId, isDeleted }: SessionEnd): void {
    Promise.all([this.#browser.endSession(sessionId), isDeleted && this.#background.endSession(sessionId)]).catch((error: unknown) =>
      this.#log.error({ err: error, sessionId }, 'what a session has left could not be ended'),
    );
  }

  /** Every dispatch is answered, whatever happens. */
  async #dispatch(payload: unknown, answer: (data: unknown) => void): Promise<void> {
    try {
      answer(await this.#desk.dispatch(payload));
    } catch (error) {
      this.#log.error({ err: error }, 'a dispatch could not be handled');
      answer({
        accepted: false,
        error: { code: 'internal', message: "The gateway failed on this dispatch. Nothing was run; the gateway's log has the details." },
      });
    }
  }

  #command(name: string, payload: unknown, answer: (data: unknown) => void): void {
    if (name === 'tool:call') void this.#dispatch(payload, answer);
    else if (name === 'tool:cancel') {
      this.#desk.cancel(payload);
      answer({});
    } else if (name === 'session:end') {
      const checked = validate(GATEWAY_COMMANDS['session:end'].payload, payload);
      if (checked.ok) this.#endSession(checked.data);
      else this.#log.warn({ error: checked.error.message }, 'the end of a session with a wrong shape was left out');
      answer({});
    }
  }
}
