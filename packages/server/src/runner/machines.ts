import type { Gateway, GatewayTool, MachineMcp, SessionEnd } from '@tendon/protocol';
import type { Greeting, Neighbours } from '../neighbours/index.ts';
import type { GatewayStore, NotTaken, StoredGateway } from '../store/session-store.ts';
import { shownTools } from '../store/shown-tools.ts';
import { type McpSaid, mcpSaid } from './machine-mcp.ts';
import type { Fanout, GatewayConnection } from './ports.ts';
import type { Machine } from './tool-check.ts';

/** A machine that has said hello and is still there. */
export interface OnlineMachine {
  readonly connection: GatewayConnection;
  readonly stored: StoredGateway;
  /** Calls that have been sent over this very connection, or ran on the machine when it was made. */
  readonly sent: Set<string>;
  readonly cancelled: Set<string>;
  /** The number of its hello: of two connections of one machine the one that greeted later is the living one. */
  readonly greeting: number;
  /** How its MCP servers are; undefined when it says nothing of them. Kept here and by the other nodes, and nowhere when it has left. */
  readonly mcp: McpSaid | undefined;
}

export interface MachinesOptions {
  readonly store: GatewayStore;
  readonly fanout: Fanout;
  readonly neighbours: Neighbours;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
}

/** A machine that another node holds, until it has not said so for a while. */
interface Elsewhere extends Greeting {
  readonly untilMs: number;
  /** As it was last told, which may be another version than the one that its node has now. */
  readonly mcp: McpSaid | undefined;
}

/** Nodes say every two seconds which machines they hold. */
const ELSEWHERE_LASTS_MS = 7_000;
const ANSWER_TIMEOUT_MS = 10_000;

/** Every machine that is known, and which of them are connected: to this node, or to another. */
export class Machines {
  readonly #options: MachinesOptions;
  readonly #online = new Map<string, OnlineMachine>();
  readonly #elsewhere = new Map<string, Elsewhere>();

  constructor(options: MachinesOptions) {
    this.#options = options;
  }

  /** Connected to this node. */
  online(gatewayId: string): OnlineMachine | undefined {
    return this.#online.get(gatewayId);
  }

  /** Connected to another node, which sees to its calls. */
  isElsewhere(gatewayId: string): boolean {
    return (this.#elsewhere.get(gatewayId)?.untilMs ?? Number.NEGATIVE_INFINITY) > this.#options.monotonicMs();
  }

  /** What this node holds, for the others to know. */
  here(): Greeting[] {
    return [...this.#online.values()].map(greetingOf);
  }

  ofConnection(connection: GatewayConnection): OnlineMachine | undefined {
    for (const machine of this.#online.values()) if (machine.connection === connection) return machine;
    return undefined;
  }

  /** Stores what a machine says of itself, and answers with the number of its hello. When its person has too many machines, one that nothing names makes room. */
  async greet(stored: StoredGateway): Promise<number | NotTaken> {
    const { store } = this.#options;
    const greeting = await store.put(stored);
    if (greeting !== 'too_many' || !(await store.forgetUnused(stored.ownerId, this.#connectedOf(stored.ownerId)))) return greeting;
    return store.put(stored);
  }

  /** A later hello of the same machine has been answered, here or at another node. */
  isOutdated({ stored, greeting }: OnlineMachine): boolean {
    const { id } = stored.gateway;
    const known = Math.max(this.#online.get(id)?.greeting ?? 0, this.isElsewhere(id) ? (this.#elsewhere.get(id)?.greeting ?? 0) : 0);
    return known > greeting;
  }

  /**
   * Whether no later hello of the machine was heard at any node, as the database knows. Asked before something is given up that this
   * connection knows nothing of: it may have gone over another one. A connection that is not the last is cut.
   */
  async isLast({ connection, stored, greeting }: OnlineMachine): Promise<boolean> {
    const isLast = (await this.#options.store.lastGreeting(stored.gateway.id)) === greeting;
    if (!isLast) connection.disconnect();
    return isLast;
  }

  /** The newest connection of a machine counts; an older one is cut. False when this is the older one. */
  arrive(machine: OnlineMachine): boolean {
    const before = this.#online.get(machine.stored.gateway.id);
    if (this.isOutdated(machine)) return false;
    this.#online.set(machine.stored.gateway.id, machine);
    if (before && before.connection !== machine.connection) before.connection.disconnect();
    this.#elsewhere.delete(machine.stored.gateway.id);
    this.tellMcp(machine.stored.gateway.id);
    this.#options.neighbours.tell({ kind: 'machines', here: [greetingOf(machine)] });
    this.#tell(machine.stored, true);
    return true;
  }

  /** The connection's machine has other tools now. False when it is no longer the one that counts. */
  renewTools(connection: GatewayConnection, tools: readonly GatewayTool[]): boolean {
    const machine = this.ofConnection(connection);
    if (!machine) return false;
    const { stored } = machine;
    const renewed = { ...stored, tools, gateway: { ...stored.gateway, tools: shownTools(tools) } };
    this.#online.set(stored.gateway.id, { ...machine, stored: renewed });
    this.#tell(renewed, true);
    return true;
  }

  /** The MCP servers of the connection's machine are in other states now. False when it is no longer the one that counts. */
  renewMcp(connection: GatewayConnection, servers: readonly MachineMcp[]): boolean {
    const machine = this.ofConnection(connection);
    if (!machine) return false;
    const mcp = mcpSaid(servers);
    if (mcp?.version === machine.mcp?.version) return true;
    const { id } = machine.stored.gateway;
    this.#online.set(id, { ...machine, mcp });
    this.tellMcp(id);
    this.#tell(machine.stored, true);
    return true;
  }

  /** Tells the other nodes of the MCP servers of a machine that is connected to this one. */
  tellMcp(gatewayId: string): void {
    const machine = this.#online.get(gatewayId);
    if (machine?.mcp) this.#options.neighbours.tell({ kind: 'machine_mcp', greeting: greetingOf(machine), mcpServers: [...machine.mcp.servers] });
  }

  /** Answers with the machine that has left, unless a newer connection has taken its place. */
  leave(connection: GatewayConnection): OnlineMachine | undefined {
    const machine = this.ofConnection(connection);
    if (!machine) return undefined;
    this.#online.delete(machine.stored.gateway.id);
    this.#options.neighbours.tell({ kind: 'machine_left', ...greetingOf(machine) });
    if (!this.isElsewhere(machine.stored.gateway.id)) this.#tellGone(machine.stored);
    return machine;
  }

  /** Another node says that it holds this machine. Of two connections the later one counts: ours is cut when it is not that. */
  async heardOf(greeting: Greeting, mcpServers?: readonly MachineMcp[]): Promise<void> {
    const { gatewayId, ownerId, mcpVersion } = greeting;
    const [own, known] = [this.#online.get(gatewayId), this.#elsewhere.get(gatewayId)];
    if ((own?.greeting ?? 0) > greeting.greeting || (known?.greeting ?? 0) > greeting.greeting) return;
    const isNews = !own && !this.isElsewhere(gatewayId);
    const before = known?.greeting === greeting.greeting && mcpVersion !== undefined ? known.mcp : undefined;
    const mcp = mcpServers ? mcpSaid(mcpServers) : before;
    this.#elsewhere.set(gatewayId, { ...greeting, mcp, untilMs: this.#options.monotonicMs() + ELSEWHERE_LASTS_MS });
    // What was told was lost, or told before this node listened.
    if (mcpVersion !== mcp?.version) this.#options.neighbours.tell({ kind: 'machine_mcp_wish', gatewayId });
    own?.connection.disconnect();
    const stored = isNews || mcp?.version !== known?.mcp?.version ? await this.#options.store.find(gatewayId, ownerId) : undefined;
    if (stored && this.isElsewhere(gatewayId)) this.#tell(stored, true);
  }

  /** Another node has lost the connection that this greeting was made on. */
  async heardGone({ gatewayId, ownerId, greeting }: Greeting): Promise<void> {
    const known = this.#elsewhere.get(gatewayId);
    if (!known || known.greeting > greeting) return;
    this.#elsewhere.delete(gatewayId);
    const stored = await this.#options.store.find(gatewayId, ownerId);
    if (stored && !this.#online.has(gatewayId) && !this.isElsewhere(gatewayId)) this.#tellGone(stored);
  }

  /** Those of which nothing was heard for a while went with their node. */
  async tidy(): Promise<void> {
    const silent = [...this.#elsewhere.values()].filter(({ gatewayId }) => !this.isElsewhere(gatewayId));
    await Promise.all(silent.map((greeting) => this.heardGone(greeting)));
  }

  /** Tells the owner's machines here that a session is over. One that does not hear it says at its next hello what it holds. */
  endSession(ownerId: string, end: SessionEnd): void {
    for (const { stored, connection } of this.#online.values())
      if (stored.ownerId === ownerId) void connection.endSession(end, ANSWER_TIMEOUT_MS).catch(() => undefined);
  }

  async list(ownerId: string): Promise<Gateway[]> {
    const stored = await this.#options.store.machinesOf(ownerId);
    return stored.map((machine) => this.#view(machine, this.#isConnected(machine)));
  }

  async find(gatewayId: string, ownerId: string): Promise<StoredGateway | undefined> {
    const online = this.#online.get(gatewayId)?.stored;
    if (online) return online.ownerId === ownerId ? online : undefined;
    return this.#options.store.find(gatewayId, ownerId);
  }

  /** The session's machine and folder; for a session without one, whichever of the owner's machines is connected, or was last. */
  async machineOf(session: { ownerId: string; gatewayId?: string | undefined; workspace?: string | undefined }): Promise<Machine | undefined> {
    const stored = session.gatewayId === undefined ? await this.#preferred(session.ownerId) : await this.find(session.gatewayId, session.ownerId);
    const workspace = session.workspace ?? stored?.gateway.workspaces[0]?.path;
    return stored && workspace !== undefined ? { gatewayId: stored.gateway.id, workspace, tools: stored.tools } : undefined;
  }

  async #preferred(ownerId: string): Promise<StoredGateway | undefined> {
    for (const machine of this.#online.values()) if (machine.stored.ownerId === ownerId) return machine.stored;
    const known = (await this.#options.store.machinesOf(ownerId)).toSorted((a, b) => b.gateway.lastSeenAt.localeCompare(a.gateway.lastSeenAt));
    return known.find((machine) => this.#isConnected(machine)) ?? known[0];
  }

  #connectedOf(ownerId: string): string[] {
    const here = [...this.#online.values()].filter(({ stored }) => stored.ownerId === ownerId).map(({ stored }) => stored.gateway.id);
    const elsewhere = [...this.#elsewhere.values()].filter((greeting) => greeting.ownerId === ownerId && this.isElsewhere(greeting.gatewayId));
    return [...here, ...elsewhere.map(({ gatewayId }) => gatewayId)];
  }

  #isConnected({ gateway }: StoredGateway): boolean {
    return this.#online.has(gateway.id) || this.isElsewhere(gateway.id);
  }

  #view(stored: StoredGateway, online: boolean): Gateway {
    const { id } = stored.gateway;
    const mcp = online ? (this.#online.get(id) ?? this.#elsewhere.get(id))?.mcp : undefined;
    return { ...stored.gateway, online, ...(mcp && { mcpServers: [...mcp.servers] }) };
  }

  #tellGone(stored: StoredGateway): void {
    this.#tell({ ...stored, gateway: { ...stored.gateway, lastSeenAt: this.#options.now().toISOString() } }, false);
  }

  #tell(stored: StoredGateway, online: boolean): void {
    this.#options.fanout.toUser(stored.ownerId, 'gateway:presence', { gateway: this.#view(stored, online) });
  }
}

function greetingOf({ stored, greeting, mcp }: OnlineMachine): Greeting {
  return { gatewayId: stored.gateway.id, ownerId: stored.ownerId, greeting, ...(mcp && { mcpVersion: mcp.version }) };
}
