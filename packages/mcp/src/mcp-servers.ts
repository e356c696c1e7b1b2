import { isDeepStrictEqual } from 'node:util';
import type { Log } from '@tendon/protocol';
import type { McpConfig, McpServerConfig } from './mcp-config.ts';
import type { McpServer } from './mcp-server.ts';

interface Running {
  readonly config: McpServerConfig;
  readonly server: McpServer;
}

const TAKEN_OUT = 'it was taken out of mcp.json';
const CHANGED = 'its entry in mcp.json, or what the policy says of it, has changed, and it is started anew: ask again in a while';

/** What has become of the servers, by name. */
interface Changes {
  readonly added: string[];
  readonly removed: string[];
  readonly changed: string[];
}

function wordsOf(changes: Changes): string {
  const kinds = Object.entries(changes).filter(([, names]: [string, string[]]) => names.length > 0);
  return kinds.map(([kind, names]: [string, string[]]) => `${kind} ${names.join(', ')}`).join('; ') || 'nothing is different';
}

/**
 * The servers that run are those of mcp.json, over its changes:
 *
 *   absent ──named──► running ──its entry has changed──► ending, then another one running
 *                        └──no longer named──► ending ──► absent
 *
 * Whose entry is as it was is left alone, and so is one whose entry cannot be read.
 */
export class McpServers {
  readonly #log: Log;
  readonly #make: (config: McpServerConfig) => McpServer;
  /** In the order of the file. */
  #running = new Map<string, Running>();
  /** Those that have not ended whole yet, by name: the next one of the name waits for them. */
  readonly #ending = new Map<string, Promise<void>>();
  #faults: McpConfig['faults'] = [];
  #isStarted = false;
  #isClosed = false;

  constructor(log: Log, make: (config: McpServerConfig) => McpServer) {
    this.#log = log;
    this.#make = make;
  }

  get all(): readonly McpServer[] {
    return [...this.#running.values()].map(({ server }) => server);
  }

  /** Entries that are wrong, or the file as a whole. */
  get faults(): McpConfig['faults'] {
    return this.#faults;
  }

  start(): void {
    this.#isStarted = true;
    for (const { server } of this.#running.values()) server.start();
  }

  /** Takes over what the file says now. Servers that end are not waited for. Whether anything has changed. */
  apply({ servers, faults }: McpConfig): boolean {
    // Told once for each change of the file.
    const isFileNew = faults !== this.#faults;
    if (isFileNew) for (const { line } of faults) this.#log.error(`${line}${this.#isStarted ? ' Until then what runs goes on as it was.' : ''}`);
    this.#faults = faults;
    if (this.#isClosed || faults.some(({ server }) => server === undefined)) return false;
    const before = this.#running;
    const changes: Changes = { added: [], removed: [], changed: [] };
    this.#running = new Map();
    for (const config of servers) this.#running.set(config.name, this.#take(config, before.get(config.name), changes));
    for (const [name, running] of before) {
      if (this.#running.has(name)) continue;
      if (faults.some(({ server }) => server === name)) this.#running.set(name, running);
      else {
        changes.removed.push(name);
        this.#end(running.server, TAKEN_OUT);
      }
    }
    if (this.#isStarted) this.#log.info(`${isFileNew ? 'mcp.json' : 'what the policy says of MCP servers'} was read again: ${wordsOf(changes)}`);
    return Object.values(changes).some((names: string[]) => names.length > 0);
  }

  /** Ends all. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.all.map((server) => server.close()), ...this.#ending.values()]);
  }

  #take(config: McpServerConfig, before: Running | undefined, changes: Changes): Running {
    if (before && isDeepStrictEqual(before.config, config)) return before;
    (before ? changes.changed : changes.added).push(config.name);
    if (before) this.#end(before.server, CHANGED);
    const server = this.#make(config);
    const predecessor = this.#ending.get(config.name);
    if (!predecessor) {
      if (this.#isStarted) server.start();
    } else void predecessor.then(() => server.start());
    return { config, server };
  }

  #end(server: McpServer, why: string): void {
    const { name } = server;
    const ended = Promise.all([this.#ending.get(name), server.close(why)])
      .catch((error: unknown) => this.#log.error({ err: error, mcpServer: name }, 'an MCP server could not be ended'))
      .then(() => {
        if (this.#ending.get(name) === ended) this.#ending.delete(name);
      });
    this.#ending.set(name, ended);
  }
}
