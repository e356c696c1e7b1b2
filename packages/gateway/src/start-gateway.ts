import { hostname } from 'node:os';
import { lateAnswer, McpHost, type McpSurroundings } from '@tendon/mcp';
import { diskFiles, ProcessBook, waitForFileLock } from '@tendon/system';
import { v7 as newId } from 'uuid';
import { settleBrowser } from './browser/browser-process.ts';
import { MachineRefusals } from './calls/machine-refusals.ts';
import { Gateway, type GatewayHandle, type GatewayOptions } from './gateway.ts';
import { type GatewayFolders, openGatewayFolders } from './home-folder.ts';
import { loadGatewayId } from './identity.ts';
import { Journal } from './journal/journal.ts';
import { BOOK_FAULT, endBackground, settleLeftovers } from './journal/leftovers.ts';
import { openGatewaySocket } from './link/gateway-socket.ts';
import { MachineSurroundings } from './mcp-surroundings/machine-surroundings.ts';
import { ownDoors } from './network/own-doors.ts';
import { PolicyFile } from './policy/policy-file.ts';
import { type SandboxSaid, sandboxOf } from './sandbox/sandbox-said.ts';
import { GatewayStartError } from './start-error.ts';
import { ToolFault } from './tools/faults.ts';
import { withMcpTools } from './tools/machine-registry.ts';
import { openSpoolFolder } from './tools/output-spool.ts';
import { ProcessNumbers } from './tools/process-numbers.ts';
import { buildRegistry, type ToolRegistry } from './tools/registry.ts';
import { endedEarly, endReason } from './tools/tool.ts';
import { openWorkspace, type Workspace } from './tools/workspace.ts';
import { Snapshots } from './undo/snapshots.ts';

/**
 * Starts this machine's hands: opens journal and policy, ends what a dead predecessor left running, and dials the server until it is told that
 * this is no use. Errors: `GatewayStartError`, one line that says what to do.
 */
export async function startGateway(options: GatewayOptions): Promise<GatewayHandle> {
  checkOptions(options);
  if (isUnprotected(options.serverUrl))
    options.log.warn({ url: new URL(options.serverUrl).origin }, 'the key and everything else travels unencrypted to this server: use https');
  const name = options.name === undefined || options.name === '' ? hostname() : options.name;
  const folders = await openGatewayFolders(options.home, name);
  const lock = await waitForFileLock(folders.lock, options.waitForOwnerMs ?? 0);
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
    const processBook = new ProcessBook({ path: folders.processes, files: diskFiles, newId, onFault: (err) => options.log.warn({ err }, BOOK_FAULT) });
    await Promise.all([settleLeftovers(journal, options.log), endBackground(processBook, options.log), settleBrowser(folders.browser)]);
    const outputs = await openSpoolFolder(folders.outputs);
    const processNumbers = new ProcessNumbers(folders.processNumbers);
    const keptFor = `${new URL(options.serverUrl).origin} ${gatewayId}`;
    const snapshots = new Snapshots({ folder: folders.undo, log: options.log, now: () => new Date(), keptFor });
    await snapshots.load();
    void snapshots.sweep();
    const refusals = await MachineRefusals.open({ log: options.log, now: () => new Date(), store: { path: folders.refusals, files: diskFiles } });
    const doors = ownDoors(options.serverUrl);
    const surroundings = new MachineSurroundings({ policy, reserved: doors, workspaces, home: folders.home, log: options.log });
    const mcp = await openMcp(options, { folders, workspaces, surroundings });
    const registry = withMcpTools(sharedRegistry(), mcp);
    const sandbox = (): Promise<SandboxSaid> => sandboxOf(policy);
    const kept = { outputs, processNumbers, processBook, snapshots, refusals, browserFolder: folders.browser };
    const found = { sandbox, lock, journal, policy, workspaces, gatewayId, ...kept };
    return new Gateway({ ...options, name }, { ...found, registry, mcp, doors, openSocket: openGatewaySocket });
  } catch (error) {
    lock.close();
    throw error;
  }
}

interface McpPlace {
  readonly folders: GatewayFolders;
  readonly workspaces: readonly Workspace[];
  readonly surroundings: McpSurroundings;
}

function openMcp(options: GatewayOptions, { folders, workspaces, surroundings }: McpPlace): Promise<McpHost> {
  return McpHost.open({
    files: { config: folders.mcp, pins: folders.mcpPins, processes: folders.mcpProcesses, credentials: folders.mcpCredentials },
    place: {
      ...{ name: 'gateway', prefix: 'mcp', hidesSecrets: false },
      endedEarly: (signal, durationMs) => {
        const reason = endReason(signal);
        return reason.kind === 'timeout' ? lateAnswer(reason.limitMs, durationMs) : endedEarly(reason, '', { durationMs });
      },
    },
    folder: workspaces[0]?.root ?? folders.home,
    surroundings,
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
