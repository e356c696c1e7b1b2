import type { Gateway, GatewayTool } from '@tendon/protocol';
import type { Database } from './database.ts';
import { plainText } from './parameters.ts';
import { run, touch } from './queries.ts';
import { type GatewayStore, MOST_MACHINES, type NotTaken, type StoredGateway } from './session-store.ts';
import { shownTools } from './shown-tools.ts';
import { forgetUnusedGateway } from './sql/forget-unused-gateway.ts';
import { listGateways } from './sql/list-gateways.ts';
import { putGateway } from './sql/put-gateway.ts';
import { readGreeting } from './sql/read-greeting.ts';
import { seeGateway } from './sql/see-gateway.ts';
import { setGatewayTools } from './sql/set-gateway-tools.ts';

interface GatewayRow {
  id: string;
  owner_id: string;
  name: string;
  platform: string;
  workspaces: Gateway['workspaces'];
  tools: GatewayTool[];
  sandbox: Gateway['sandbox'] | null;
  local_approval_only: boolean;
  instance_id: string;
  last_seen_at: string;
}

/** The machines of each person, in PostgreSQL. */
export class GatewayRows implements GatewayStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async put({ gateway, ownerId, tools, instanceId }: StoredGateway): Promise<number | NotTaken> {
    const lists = [JSON.stringify(gateway.workspaces), JSON.stringify(tools)];
    const values = [gateway.id, ownerId, plainText(gateway.name), plainText(gateway.platform), ...lists, instanceId, gateway.lastSeenAt];
    const policy = [sandboxText(gateway), gateway.localApprovalOnly === true];
    const [row] = await run<{ greeting: number }>(this.#database, putGateway, [...values, ...policy, MOST_MACHINES]);
    if (row) return row.greeting;
    return (await this.lastGreeting(gateway.id)) === undefined ? 'too_many' : 'anothers';
  }

  async forgetUnused(ownerId: string, except: readonly string[]): Promise<boolean> {
    return (await touch(this.#database, forgetUnusedGateway, [ownerId, except])) === 1;
  }

  async machinesOf(ownerId: string): Promise<readonly StoredGateway[]> {
    const rows = await run<{ gateway: GatewayRow }>(this.#database, listGateways, [ownerId, null]);
    return rows.map((row) => toGateway(row.gateway));
  }

  async find(gatewayId: string, ownerId: string): Promise<StoredGateway | undefined> {
    const [row] = await run<{ gateway: GatewayRow }>(this.#database, listGateways, [ownerId, gatewayId]);
    return row && toGateway(row.gateway);
  }

  async putTools(gatewayId: string, greeting: number, tools: readonly GatewayTool[]): Promise<boolean> {
    return (await touch(this.#database, setGatewayTools, [gatewayId, greeting, JSON.stringify(tools)])) === 1;
  }

  async lastGreeting(gatewayId: string): Promise<number | undefined> {
    const [row] = await run<{ greeting: number }>(this.#database, readGreeting, [gatewayId]);
    return row?.greeting;
  }

  async seen(gatewayId: string, at: string): Promise<void> {
    await touch(this.#database, seeGateway, [gatewayId, at]);
  }
}

function sandboxText({ sandbox }: StoredGateway['gateway']): string | null {
  return sandbox === undefined ? null : JSON.stringify(sandbox);
}

function toGateway(row: GatewayRow): StoredGateway {
  return {
    gateway: {
      id: row.id,
      name: row.name,
      platform: row.platform,
      workspaces: row.workspaces,
      tools: shownTools(row.tools),
      lastSeenAt: new Date(row.last_seen_at).toISOString(),
      ...(row.sandbox ? { sandbox: row.sandbox } : {}),
      ...(row.local_approval_only && { localApprovalOnly: true }),
    },
    ownerId: row.owner_id,
    tools: row.tools,
    instanceId: row.instance_id,
  };
}
