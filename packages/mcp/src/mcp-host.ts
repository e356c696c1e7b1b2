import type { Log } from '@tendon/protocol';
import { type GatewayTool, type Grant, utf8Bytes } from '@tendon/protocol';
import { canonicalJson } from '@tendon/protocol/input-hash';
import { diskFiles, type SharedFiles } from '@tendon/system';
import type { McpConfig, McpConfigFault, McpServerConfig } from './mcp-config.ts';
import { McpConfigFile } from './mcp-config-file.ts';
import type { InputCheck, McpSdk } from './mcp-connection.ts';
import { McpCredentials, type McpSeal } from './mcp-credentials.ts';
import { definitionOf, type McpDefinition } from './mcp-definition.ts';
import { McpPins, type PinChange } from './mcp-pins.ts';
import { McpProcesses } from './mcp-processes.ts';
import { prepareResourceTool, resourceTools } from './mcp-resource-tools.ts';
import type { McpPlace, McpPreparation, McpRefusal } from './mcp-run.ts';
import { McpServer, type McpStatus } from './mcp-server.ts';
import { McpServers } from './mcp-servers.ts';
import type { McpSurroundings } from './mcp-surroundings.ts';

export interface McpHostOptions {
  readonly files: { readonly config: string; readonly pins: string; readonly processes: string; readonly credentials: string };
  /** What the tokens of sign-ins are sealed with, where they are. */
  readonly seal?: McpSeal;
  readonly place: McpPlace;
  /** Where servers without a folder of their own are started. */
  readonly folder: string;
  readonly surroundings: McpSurroundings;
  readonly version: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly newId: () => string;
  readonly now: () => Date;
  readonly random: () => number;
}

/** What is needed of the host by those who announce and run tools. */
export interface McpTools {
  /** Another list each time it has become another one; sorted by name. */
  readonly announced: readonly GatewayTool[];
  /** Hash of all that a tool says of itself; undefined for one that says nothing of a server's, or is not there. */
  definitionOf(tool: string): string | undefined;
  /** Every server that mcp.json names, in its order, with the names of its tools. */
  readonly servers: readonly McpServerView[];
  prepare(tool: string, input: unknown): McpPreparation;
  /** Calls `listener` when `servers` has become another list. */
  watch(listener: () => void): void;
  /** Calls `listener` when `announced` has become another list. */
  subscribe(listener: () => void): void;
  start(): void;
  close(): Promise<void>;
}

export type McpServerView = McpStatus & { readonly name: string; readonly tools: readonly string[] };

interface Entry extends McpDefinition {
  readonly server: McpServer;
  /** As its server knows it. */
  readonly tool: string;
  readonly change: PinChange | undefined;
  check: InputCheck | undefined;
}

/** A hello has a limit, and a model forgets what stands in too long a list. */
const MAX_TOOLS = 250;
const MAX_BYTES = 512 * 1024;
/** A server that makes up new names again and again fills no log. */
const MAX_TOLD = 1_000;

interface HostParts {
  readonly options: McpHostOptions;
  readonly file: McpConfigFile;
  readonly pins: McpPins;
  readonly processes: McpProcesses;
  readonly credentials: McpCredentials;
}

/** The servers of mcp.json, and their tools as this machine announces them. */
export class McpHost implements McpTools {
  readonly #log: Log;
  readonly #parts: HostParts;
  readonly #servers: McpServers;
  #sdk: McpSdk | undefined;
  readonly #listeners = new Set<() => void>();
  readonly #watchers = new Set<() => void>();
  #seen = '[]';
  readonly #told = new Set<string>();
  #config: McpConfig = { servers: [], faults: [] };
  #applying: Promise<void> = Promise.resolve();
  #entries = new Map<string, Entry>();
  #announced: readonly GatewayTool[] = [];

  private constructor(parts: HostParts) {
    this.#log = parts.options.log;
    this.#parts = parts;
    this.#servers = new McpServers(this.#log, (config) => this.#serverOf(config));
  }

  /**
   * Reads mcp.json and ends what a killed gateway has left running. The SDK is loaded when a server is named, and not before.
   * A faulty mcp.json costs the servers that are wrong, each told in one line of the log.
   */
  static async open(options: McpHostOptions, files: SharedFiles = diskFiles): Promise<McpHost> {
    const { log, newId, now, env } = options;
    const processes = new McpProcesses(options.files.processes, files, newId);
    await processes.endLeftovers();
    const pins = await McpPins.open({ path: options.files.pins, files, log, now });
    const credentials = await McpCredentials.open({ path: options.files.credentials, seal: options.seal, files, log });
    const file = new McpConfigFile({ path: options.files.config, env, reader: options.place.name, log });
    const host = new McpHost({ options, file, pins, processes, credentials });
    await host.#apply(await file.read());
    return host;
  }

  get announced(): readonly GatewayTool[] {
    return this.#announced;
  }

  subscribe(listener: () => void): void {
    this.#listeners.add(listener);
  }

  definitionOf(tool: string): string | undefined {
    return this.#entries.get(tool)?.hash;
  }

  get servers(): readonly McpServerView[] {
    const entries = [...this.#entries.entries()];
    const running = this.#servers.all.map((server) => ({
      ...server.status,
      name: server.name,
      tools: entries.flatMap(([name, entry]) => (entry.server === server ? [name] : [])),
    }));
    const faulty = this.#servers.faults.filter((fault) => !running.some(({ name }) => name === fault.server));
    return [...running, ...faulty.map((fault) => faultyView(fault, this.#parts.options.place))];
  }

  watch(listener: () => void): void {
    this.#watchers.add(listener);
  }

  /** Starts the servers, and reads mcp.json again whenever it changes. */
  start(): void {
    this.#servers.start();
    this.#parts.file.look((config) => this.#apply(config));
    this.#parts.options.surroundings.watch(() => this.#apply(this.#config));
  }

  /** Ends all servers. May be called twice. */
  async close(): Promise<void> {
    this.#listeners.clear();
    this.#watchers.clear();
    await this.#parts.file.close();
    await this.#servers.close();
    await this.#parts.options.surroundings.close();
    await Promise.all([this.#parts.pins.settled(), this.#parts.processes.settled()]);
  }

  prepare(tool: string, input: unknown): McpPreparation {
    const entry = this.#entries.get(tool);
    if (entry) return this.#prepareTool(entry, input);
    const { prefix } = this.#parts.options.place;
    return prepareResourceTool({ prefix, name: tool, input }, this.#servers.all) ?? { ok: false, code: 'unknown_tool', message: this.#unknown(tool) };
  }

  /** One after the other. */
  #apply(config: McpConfig): Promise<void> {
    const applied = this.#applying.then(() => this.#take(config));
    this.#applying = applied.catch(() => undefined);
    return applied;
  }

  async #take(config: McpConfig): Promise<void> {
    const { surroundings } = this.#parts.options;
    this.#config = config;
    if (config.servers.length > 0) this.#sdk ??= (await import('./mcp-sdk.ts')).sdkWith(surroundings);
    const wishes = await surroundings.wishesFor(config.servers.flatMap(({ kind, name }) => (kind === 'stdio' ? [name] : [])));
    const servers = config.servers.map((server) => ({ ...server, wish: wishes.get(server.name) }));
    if (this.#servers.apply({ ...config, servers })) this.#gather();
    this.#look();
  }

  #serverOf(config: McpServerConfig): McpServer {
    const { options, processes, credentials } = this.#parts;
    const { place, folder, version, log, random } = options;
    const sdk = this.#sdk;
    if (!sdk) throw new Error('the SDK is loaded before a server is made');
    return new McpServer({
      ...{ config, processes, place, folder, version, log, random },
      connect: sdk.connect,
      monotonicMs: () => performance.now(),
      doorOf: (onSignedIn) => sdk.doorOf(config, credentials, onSignedIn),
      onTools: () => this.#gather(),
      onState: () => this.#look(),
    });
  }

  #prepareTool(entry: Entry, input: unknown): McpPreparation {
    const { announced, hash, server, change } = entry;
    entry.check ??= this.#sdk?.inputCheck(announced.inputSchema, (reason) => this.#unchecked(announced.name, reason)) ?? (() => undefined);
    const fault = entry.check(input);
    if (fault !== undefined) return { ok: false, code: 'invalid_input', message: `The input of ${announced.name} is wrong: ${fault}.` };
    return {
      ok: true,
      call: {
        effect: 'execute',
        subject: () => ({ written: canonicalJson(input), readings: [], commands: [] }),
        refusalOf: (grant) => changeRefusal(announced.name, change, grant),
        run: (context) => {
          if (change) this.#approved(announced.name, hash);
          return server.callTool(entry.tool, input, context);
        },
      },
    };
  }

  #unchecked(tool: string, reason: string): void {
    this.#log.warn({ tool, reason }, 'an input is not checked against the schema of its MCP tool, which is left to its server');
  }

  #approved(tool: string, hash: string): void {
    this.#parts.pins.approve(tool, hash);
    this.#gather();
  }

  #unknown(tool: string): string {
    const names = [...this.#entries.keys()].join(', ');
    const where = this.#parts.options.place.name === 'gateway' ? 'of this machine' : 'on this node of the server';
    return `No MCP server ${where} has a tool named ${JSON.stringify(tool.slice(0, 100))} now.${names === '' ? '' : ` They have: ${names}.`}`;
  }

  /** Makes the list anew from what each server said last, and tells when it has become another one. */
  #gather(): void {
    const { prefix } = this.#parts.options.place;
    const entries = new Map<string, Entry>();
    let bytes = 0;
    for (const server of this.#servers.all) {
      for (const listed of server.tools) {
        const definition = definitionOf(prefix, server.name, listed);
        const fault = typeof definition === 'string' ? definition : this.#placeFault(entries, definition, bytes);
        if (typeof definition === 'string' || fault !== undefined) {
          this.#leaveOut(server.name, listed.name, fault ?? '');
          continue;
        }
        bytes += utf8Bytes(JSON.stringify(definition.announced));
        entries.set(definition.announced.name, this.#entryOf(server, listed.name, definition));
      }
    }
    this.#entries = entries;
    const tools = [...entries.values()].map(({ announced }) => announced);
    const next = [...tools, ...resourceTools(prefix, this.#servers.all)].sort((a, b) => (a.name < b.name ? -1 : 1));
    const isOther = JSON.stringify(next) !== JSON.stringify(this.#announced);
    if (isOther) this.#announced = next;
    this.#look();
    if (isOther) for (const listener of this.#listeners) listener();
  }

  /** What is shown of the servers may have become something else. */
  #look(): void {
    const seen = JSON.stringify([this.servers, this.#announced]);
    if (seen === this.#seen) return;
    this.#seen = seen;
    for (const watcher of this.#watchers) watcher();
  }

  #entryOf(server: McpServer, tool: string, definition: McpDefinition): Entry {
    const change = this.#parts.pins.look(definition.announced.name, definition.hash);
    const announced = change ? { ...definition.announced, isChanged: true } : definition.announced;
    return { announced, hash: definition.hash, server, tool, change, check: undefined };
  }

  #placeFault(entries: ReadonlyMap<string, Entry>, { announced }: McpDefinition, bytes: number): string | undefined {
    if (entries.has(announced.name)) return 'another tool has its name';
    if (entries.size >= MAX_TOOLS) return `no more than ${MAX_TOOLS} MCP tools are announced`;
    if (bytes + utf8Bytes(JSON.stringify(announced)) > MAX_BYTES) return `the definitions of all MCP tools have more than ${MAX_BYTES} bytes`;
    return undefined;
  }

  /** Told once, not at every change of a list. */
  #leaveOut(server: string, tool: string, reason: string): void {
    const key = JSON.stringify([server, tool, reason]);
    if (this.#told.has(key) || this.#told.size >= MAX_TOLD) return;
    this.#told.add(key);
    this.#log.warn({ mcpServer: server, tool, reason }, `the tool "${tool}" of the MCP server "${server}" is left out: ${reason}`);
  }
}

/** On a machine its person is told the line itself; on the server it would tell everybody of a file that only its operator has. */
function faultyView({ server: name, line }: McpConfigFault, place: McpPlace): McpServerView {
  if (place.name === 'gateway') return { name: name ?? 'mcp.json', state: 'failed', reason: line, tools: [] };
  if (name === undefined) return { name: 'mcp.json', state: 'failed', reason: 'it cannot be read, the log says why; what ran before goes on', tools: [] };
  return { name, state: 'failed', reason: 'its entry in mcp.json is wrong, the log says how', tools: [] };
}

/** What is not as it was approved may not run by a stored rule, nor by a decision that was made before it changed. */
function changeRefusal(tool: string, change: PinChange | undefined, grant: Grant): McpRefusal | undefined {
  if (!change) return undefined;
  if (grant.by !== 'user') {
    const message = `What ${tool} says of itself has changed since a person last approved it. Ask for it again with an approval.`;
    return { code: 'approval_needed', message };
  }
  if (Date.parse(grant.at) >= Date.parse(change.changedAt)) return undefined;
  return { code: 'definition_changed', message: `What ${tool} says of itself has changed since this call was approved. Nothing was run. Ask for it again.` };
}
