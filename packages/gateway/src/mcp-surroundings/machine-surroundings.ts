import { setTimeout as delay } from 'node:timers/promises';
import { type HttpReach, lateNetwork, type McpNetwork, type McpSurroundings, type ServerSeat, type ServerStart } from '@tendon/mcp';
import { ServerSeats, type ServerSeatsOptions, settingsFor } from './server-seats.ts';

const LOOK_MS = 500;

/** The network and the sandbox of this machine, as its policy gives them to MCP servers. */
export class MachineSurroundings implements McpSurroundings {
  readonly #options: ServerSeatsOptions;
  readonly #seats: ServerSeats;
  readonly #closing = new AbortController();
  #watching: Promise<void> = Promise.resolve();
  /** What the policy said of servers when it was last asked. */
  #said: string | undefined;
  #last: ReadonlyMap<string, unknown> = new Map();
  #strangers = '';

  constructor(options: ServerSeatsOptions) {
    this.#options = options;
    this.#seats = new ServerSeats(options);
  }

  /** Of an entry the address alone: what a machine lets in stands in its policy file. */
  networkFor({ url }: HttpReach, onRefused?: (message: string) => void): McpNetwork {
    return lateNetwork(url, { ...this.#options, onRefused });
  }

  async wishesFor(servers: readonly string[]): Promise<ReadonlyMap<string, unknown>> {
    const current = await this.#options.policy.current();
    // Every call is refused while it is broken, and nothing new starts. What runs is not ended for that.
    if (!current.ok) return this.#last;
    const said = current.policy.mcp ?? {};
    this.#said = JSON.stringify(said);
    this.#nameStrangers(Object.keys(said).filter((name) => name !== '*' && !servers.includes(name)));
    this.#last = new Map(servers.map((server) => [server, settingsFor(current.policy, server)]));
    return this.#last;
  }

  watch(onChange: () => Promise<void>): void {
    this.#watching = this.#look(onChange);
  }

  seat(start: ServerStart): Promise<ServerSeat> {
    return this.#seats.take(start);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#watching;
    await this.#seats.close();
  }

  async #look(onChange: () => Promise<void>): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const current = await this.#options.policy.current();
      if (!current.ok || JSON.stringify(current.policy.mcp ?? {}) === this.#said) continue;
      await onChange().catch((error: unknown) => this.#options.log.error({ err: error }, 'a changed policy could not be taken over for MCP servers'));
    }
  }

  /** One whose name is mistyped would run outside of the sandbox, and nobody would know. */
  #nameStrangers(names: readonly string[]): void {
    const strangers = names.map((name) => JSON.stringify(name)).join(', ');
    if (strangers !== '' && strangers !== this.#strangers)
      this.#options.log.warn(
        { event: 'mcp_policy' },
        `gateway-policy.json says how to run ${strangers}, and mcp.json has no server over stdio of that name that is switched on: check how it is spelled`,
      );
    this.#strangers = strangers;
  }
}
