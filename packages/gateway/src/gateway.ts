import { type McpTools, toldServers } from '@tendon/mcp';
import type { NetworkTarget } from '@tendon/network';
import { GATEWAY_COMMANDS, LIMITS, type Log, type SessionEnd, type ToolResult, validate } from '@tendon/protocol';
import type { FileLock, ProcessBook } from '@tendon/system';
import { BrowserHost } from './browser/browser-host.ts';
import { LiveViews } from './browser/live-views.ts';
import { CallDesk } from './calls/call-desk.ts';
import { MachineRefusals } from './calls/machine-refusals.ts';
import type { Journal } from './journal/journal.ts';
import { ChangeTeller } from './link/change-teller.ts';
import type { LinkState } from './link/connection.ts';
import type { OpenSocket } from './link/gateway-socket.ts';
import { greetServer } from './link/greeting.ts';
import { Outbox } from './link/outbox.ts';
import { OutputPump } from './link/output-pump.ts';
import { LinkSupervisor } from './link/supervisor.ts';
import { ownDoors } from './network/own-doors.ts';
import { LocalApprovals } from './policy/local-approvals.ts';
import type { PolicyFile } from './policy/policy-file.ts';
import { CommandNetworks } from './sandbox/command-networks.ts';
import type { SandboxSaid } from './sandbox/sandbox-said.ts';
import { BackgroundProcesses } from './tools/background.ts';
import type { ProcessNumbers } from './tools/process-numbers.ts';
import type { ToolRegistry } from './tools/registry.ts';
import type { Workspace } from './tools/workspace.ts';
import type { Snapshots } from './undo/snapshots.ts';

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
  readonly log: Log;
  readonly version: string;
  /** How long to wait for a gateway of this name that is about to end; 0 when left out. */
  readonly waitForOwnerMs?: number;
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
/** Servers that announce their lists one after the other cost one packet. */
const GATHER_TOOLS_MS = 100;
/** One that ends and ends again tells so at this pace. */
const GATHER_STATES_MS = 500;
const MAX_HELD_SESSIONS = 10_000;

/** What a gateway is put together from: its disk, its tools, and the way to its server. */
export interface GatewayParts {
  readonly lock: Pick<FileLock, 'close'>;
  readonly journal: Journal;
  readonly policy: Pick<PolicyFile, 'current'>;
  readonly workspaces: readonly Workspace[];
  readonly gatewayId: string;
  readonly registry: ToolRegistry;
  /** Its tools stand in the registry as well. */
  readonly mcp?: McpTools;
  /** What no tool may open; shared with who else keeps it shut. Server and relay when left out. */
  readonly doors?: NetworkTarget[];
  readonly openSocket: OpenSocket;
  /** Where long outputs are kept; without one, only what fits into memory. */
  readonly outputs?: string;
  /** From 1 when left out. */
  readonly processNumbers?: ProcessNumbers;
  /** Where the next start finds what runs in the background; nowhere when left out. */
  readonly processBook?: ProcessBook;
  /** What it says of its sandbox; nothing when left out. */
  readonly sandbox?: () => Promise<SandboxSaid>;
  /** Where a browser's process would keep what it needs. */
  readonly browserFolder: string;
  /** What files were before tools changed them. */
  readonly snapshots: Snapshots;
  /** Told and forgotten when left out. */
  readonly refusals?: MachineRefusals;
}

/** A running gateway. `startGateway` makes it from what the machine has; the simulation makes it from simulated parts. */
export class Gateway implements GatewayHandle {
  readonly gatewayId: string;
  readonly approvals: LocalApprovals;
  readonly #parts: GatewayParts;
  readonly #log: Log;
  readonly #refusals: MachineRefusals;
  readonly #desk: CallDesk;
  readonly #link: LinkSupervisor;
  readonly #outbox: Outbox;
  readonly #output: OutputPump;
  readonly #background: BackgroundProcesses;
  readonly #browser: BrowserHost;
  readonly #networks: CommandNetworks;
  readonly #live: LiveViews;
  readonly #doors: NetworkTarget[];
  readonly #tools: ChangeTeller<'gateway:tools'>;
  readonly #mcp: ChangeTeller<'gateway:mcp'>;
  readonly #ready: Promise<LinkState>;
  #closing: Promise<void> | undefined;

  constructor(options: GatewayOptions & { name: string }, parts: GatewayParts) {
    this.#parts = parts;
    this.#log = options.log;
    this.gatewayId = parts.gatewayId;
    this.#background = new BackgroundProcesses(parts.outputs, parts.processNumbers, parts.processBook);
    this.approvals = new LocalApprovals(parts.gatewayId);
    this.#doors = parts.doors ?? ownDoors(options.serverUrl);
    this.#browser = new BrowserHost({ folder: parts.browserFolder, policy: parts.policy, reserved: this.#doors });
    this.#networks = new CommandNetworks({ policy: parts.policy, reserved: this.#doors });
    const online = (): LinkSupervisor['online'] => this.#link.online;
    this.#live = new LiveViews({
      browser: this.#browser,
      policy: parts.policy,
      workspaces: parts.workspaces.map(({ root }) => root),
      tell: (name, payload) => online()?.hint(name, payload),
      isFree: () => online()?.isWritable ?? false,
      log: options.log,
      now: () => new Date(),
    });
    this.#output = new OutputPump(() => this.#link.socket);
    this.#outbox = new Outbox({
      online,
      giveUp: (cause) => this.#link.giveUp(cause),
      acknowledged: (callId) => void this.#desk.forget(callId),
      log: options.log,
      random: options.random ?? Math.random,
    });
    const way = { online, giveUp: (cause: string) => this.#link.giveUp(cause), log: options.log };
    const tools = () => ({ tools: [...parts.registry.announced] });
    this.#tools = new ChangeTeller({ ...way, name: 'gateway:tools', what: 'the tools', now: tools, gatherMs: GATHER_TOOLS_MS });
    const mcp = () => ({ mcpServers: toldServers(parts.mcp?.servers ?? []) });
    this.#mcp = new ChangeTeller({ ...way, name: 'gateway:mcp', what: 'the MCP servers', now: mcp, gatherMs: GATHER_STATES_MS });
    this.#refusals = parts.refusals ?? new MachineRefusals({ log: options.log, now: () => new Date() });
    this.#desk = new CallDesk({
      ...parts,
      refusals: this.#refusals,
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
      if (state.kind !== 'online' || !parts.mcp) return;
      this.#tools.look();
      this.#mcp.look();
    });
    parts.mcp?.subscribe(() => this.#tools.look());
    parts.mcp?.watch(() => this.#mcp.look());
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
    this.#mcp.close();
    this.#live.close();
    this.#output.close();
    this.#link.stop();
    await Promise.all([this.#background.close(), this.#browser.close(), this.#networks.close(), this.#parts.mcp?.close()]);
    await Promise.all([this.#parts.journal.close(), this.#refusals.close(), this.#parts.snapshots.close()]);
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
        const policy = await this.#parts.policy.current();
        return greetServer(socket, {
          hello: {
            ...about,
            ...sandbox,
            ...(policy.ok && policy.policy.requireLocalApproval && { localApprovalOnly: true }),
            ...(this.#parts.mcp && this.#mcp.forHello()),
            ...this.#tools.forHello(),
            calls: this.#desk.book.report(),
            sessions: this.#heldSessions(),
          },
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
    return [...new Set([...this.#browser.sessions, ...this.#background.sessions, ...this.#parts.snapshots.sessions])].slice(0, MAX_HELD_SESSIONS);
  }

  /** One that is archived may be put back, and what it runs is listed again then; of one that is deleted nobody can end it any more. */
  #endSession({ sessionId, isDeleted }: SessionEnd): void {
    const left = isDeleted ? [this.#background.endSession(sessionId), this.#parts.snapshots.endSession(sessionId)] : [];
    Promise.all([this.#browser.endSession(sessionId), ...left]).catch((error: unknown) =>
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
      else this.#refusals.note({ code: checked.error.code, reason: `The end of a session has a wrong shape: ${checked.error.message}.` });
      answer({});
    } else if (name === 'browser:watch') {
      this.#live.take(payload);
      answer({});
    } else this.#refusals.note({ code: 'unknown_event', reason: `This gateway does not know the event ${JSON.stringify(name)}.` });
  }
}
