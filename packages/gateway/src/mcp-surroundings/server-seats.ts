import { access, constants, stat } from 'node:fs/promises';
import { delimiter, resolve } from 'node:path';
import type { ServerSeat, ServerStart } from '@tendon/mcp';
import type { NetworkRulesOptions } from '@tendon/network';
import type { Log } from '@tendon/protocol';
import type { Policy } from '../policy/policy.ts';
import type { PolicyFile } from '../policy/policy-file.ts';
import type { SandboxState } from '../sandbox/bubblewrap.ts';
import { CommandNetworks } from '../sandbox/command-networks.ts';
import { NoNetwork } from '../sandbox/isolated-network.ts';
import { inSandbox, type Program, sandboxState } from '../sandbox/sandbox.ts';
import { ToolFault } from '../tools/faults.ts';
import type { Workspace } from '../tools/workspace.ts';

export interface ServerSeatsOptions extends NetworkRulesOptions {
  readonly policy: Pick<PolicyFile, 'current'>;
  readonly workspaces: readonly Pick<Workspace, 'root'>[];
  /** The gateway's own folder, which is not there for a server in a sandbox. */
  readonly home: string;
  readonly log: Log;
  readonly probe?: () => Promise<SandboxState>;
}

export type ServerSettings = NonNullable<Policy['mcp']>[string];

/** What the policy says of a server; undefined when it is a program like any other. Pure. */
export function settingsFor(policy: Policy, server: string): ServerSettings | undefined {
  const said = policy.mcp ?? {};
  const settings = Object.hasOwn(said, server) ? said[server] : said['*'];
  return settings?.mode === 'off' ? undefined : settings;
}

/*
 * Where MCP servers over stdio are started:
 *
 *   not in the policy's `mcp`, or off there ──► bare
 *   there ──no bubblewrap, or no filtered network though it wants one──► refused, with what mends it
 *     └──► in the sandbox of commands; filtered, with a network of the server's own
 */
export class ServerSeats {
  readonly #options: ServerSeatsOptions;
  readonly #networks: CommandNetworks;

  constructor(options: ServerSeatsOptions) {
    this.#options = options;
    this.#networks = new CommandNetworks(options);
  }

  /** Errors: `ToolFault` with what is missing; one with the code `ENOENT` when the command or the folder is not there. */
  async take(start: ServerStart): Promise<ServerSeat> {
    const current = await this.#options.policy.current();
    if (!current.ok) throw new ToolFault('denied_by_machine', `it is not started: ${current.message}`);
    const settings = settingsFor(current.policy, start.server);
    if (!settings) return { program: start.command, args: start.args, env: start.env, leave: () => undefined };
    const state = await (this.#options.probe ?? sandboxState)();
    if (state.kind === 'none') throw new ToolFault('no_sandbox', noSandbox(start.server, state.reason));
    await checkThere(start);
    return this.#inside(start, settings);
  }

  /** Cuts every connection. May be called twice. */
  close(): Promise<void> {
    return this.#networks.close();
  }

  async #inside(start: ServerStart, settings: ServerSettings): Promise<ServerSeat> {
    const { workspaces, home } = this.#options;
    const { bare, env } = dividedByWall(start);
    const place = {
      ...{ folder: start.cwd, forbidden: home, workspaces: workspaces.map(({ root }) => root) },
      joinNetwork: () => this.#networks.join(start.server),
    };
    const { program, args, seat } = await inSandbox(bare, place, settings).catch((error: unknown) => {
      throw error instanceof NoNetwork ? new ToolFault(error.code, noNetwork(start.server, error.why), { cause: error }) : error;
    });
    const leave = seat?.handOver((text) => this.#tell(start.server, text.trim()));
    return { program, args, env: { ...env, ...seat?.environment }, leave: () => leave?.() };
  }

  #tell(server: string, text: string): void {
    this.#options.log.warn({ mcpServer: server }, `a connection of the MCP server "${server}" was not made: ${text}`);
  }
}

/** What the programs that make the sandbox, or what loads them, would act on: outside of it, and perhaps by a file that a tool has written. */
const ACTS_OUTSIDE = /^(?:PATH|LD_.*|GCONV_PATH|LOCPATH|NLSPATH|GLIBC_TUNABLES|MALLOC_.*|BASH.*|ENV|SHELLOPTS)$/;

/** The rest of the environment goes through: what stands in arguments can be read by everybody on the machine, and keys are in the environment. */
function dividedByWall({ command, args, env }: ServerStart): { readonly bare: Program; readonly env: Readonly<Record<string, string>> } {
  const own = process.env['PATH'];
  const isInner = ([name, value]: [string, string]): boolean => ACTS_OUTSIDE.test(name) && !(name === 'PATH' && value === own);
  const inner = Object.entries(env).filter(isInner);
  const outer = { ...Object.fromEntries(Object.entries(env).filter((entry) => !isInner(entry))), ...(own === undefined ? {} : { PATH: own }) };
  if (inner.length === 0) return { bare: { program: command, args }, env: outer };
  return { bare: { program: 'env', args: [...inner.map(([name, value]) => `${name}=${value}`), command, ...args] }, env: outer };
}

function noSandbox(server: string, reason: string): string {
  return `it is not started: the machine's policy wants it in a sandbox, and there is none (${reason}). Install it (Debian: apt install bubblewrap) and start the gateway again, or change "mcp": {${JSON.stringify(server)}: …} in gateway-policy.json`;
}

function noNetwork(server: string, why: string): string {
  return `it is not started: the machine's policy wants its network filtered, and that could not be had (${why}). It needs bubblewrap and nsenter (Debian: apt install bubblewrap util-linux) and leave to make namespaces; or say true or false for "network" in "mcp": {${JSON.stringify(server)}: …} of gateway-policy.json`;
}

/** Inside of the sandbox nobody could tell a command that is missing from a server that ends. */
async function checkThere({ command, cwd, env }: ServerStart): Promise<void> {
  const isFolder = await stat(cwd).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const folders = command.includes('/') ? [cwd] : (env['PATH'] ?? '').split(delimiter).map((folder) => resolve(cwd, folder));
  for (const folder of isFolder ? folders : []) {
    const isThere = await access(resolve(folder, command), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return;
  }
  throw Object.assign(new Error(`${command} was not found`), { code: 'ENOENT' });
}
