import type { Gateway } from '@tendon/protocol';
import type { GatewayStore, StoredGateway } from '../store/session-store.ts';
import type { Fanout, GatewayConnection } from './ports.ts';
import type { Machine } from './tool-check.ts';

/** A machine that has said hello and is still there. */
export interface OnlineMachine {
  readonly connection: GatewayConnection;
  readonly stored: StoredGateway;
  /** Calls that have been sent over this very connection, or ran on the machine when it was made. */
  readonly sent: Set<string>;
  readonly cancelled: Set<string>;
  /** Counts hellos: of two connections of one machine the one that greeted later is the living one. */
  readonly greeting: number;
}

export interface MachinesOptions {
  readonly store: GatewayStore;
  readonly fanout: Fanout;
  readonly now: () => Date;
}

/** Every machine that is known, and which of them are connected to this node. */
export class Machines {
  readonly #options: MachinesOptions;
  readonly #online = new Map<string, OnlineMachine>();

  constructor(options: MachinesOptions) {
    this.#options = options;
  }

  online(gatewayId: string): OnlineMachine | undefined {
    return this.#online.get(gatewayId);
  }

  ofConnection(connection: GatewayConnection): OnlineMachine | undefined {
    for (const machine of this.#online.values()) if (machine.connection === connection) return machine;
    return undefined;
  }

  /** A later hello of the same machine has been answered. */
  isOutdated(machine: OnlineMachine): boolean {
    const known = this.#online.get(machine.stored.gateway.id);
    return known !== undefined && known.greeting > machine.greeting;
  }

  /** The newest connection of a machine counts; an older one is cut. False when this is the older one. */
  arrive(machine: OnlineMachine): boolean {
    const before = this.#online.get(machine.stored.gateway.id);
    if (this.isOutdated(machine)) return false;
    this.#online.set(machine.stored.gateway.id, machine);
    if (before && before.connection !== machine.connection) before.connection.disconnect();
    this.#tell(machine.stored, true);
    return true;
  }

  /** Answers with the machine that has left, unless a newer connection has taken its place. */
  leave(connection: GatewayConnection): OnlineMachine | undefined {
    const machine = this.ofConnection(connection);
    if (!machine) return undefined;
    this.#online.delete(machine.stored.gateway.id);
    const at = this.#options.now().toISOString();
    this.#tell({ ...machine.stored, gateway: { ...machine.stored.gateway, lastSeenAt: at } }, false);
    return machine;
  }

  async list(ownerId: string): Promise<Gateway[]> {
    const stored = await this.#options.store.machinesOf(ownerId);
    return stored.map((gateway) => this.#view(gateway, this.#online.has(gateway.gateway.id)));
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
    const known = await this.#options.store.machinesOf(ownerId);
    return known.toSorted((a, b) => b.gateway.lastSeenAt.localeCompare(a.gateway.lastSeenAt))[0];
  }

  #view(stored: StoredGateway, online: boolean): Gateway {
    const { id, name, platform, workspaces, tools, lastSeenAt } = stored.gateway;
    return { id, name, platform, online, workspaces, tools, lastSeenAt };
  }

  #tell(stored: StoredGateway, online: boolean): void {
    this.#options.fanout.toUser(stored.ownerId, 'gateway:presence', { gateway: this.#view(stored, online) });
  }
}
