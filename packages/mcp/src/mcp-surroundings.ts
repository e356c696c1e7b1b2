/** Sends one request, and follows no redirect. */
export type ServerFetch = (target: URL, init?: RequestInit) => Promise<Response>;

/** What one server over HTTP may make others reach. */
export interface McpNetwork {
  readonly fetch: ServerFetch;
  /** What is wrong with a page that the server would have a person open to sign in; undefined for a good one. Never rejects. */
  readonly pageFault: (page: URL) => Promise<string | undefined>;
}

/** What an entry over HTTP says of the network. */
export interface HttpReach {
  readonly url: string;
  /** Where the server may lead besides public addresses, in the words of the policy's `network.allow`; a machine does not read it. */
  readonly networkAllow?: readonly string[] | undefined;
}

/** A server over stdio that is about to be started. */
export interface ServerStart {
  /** Its name in mcp.json. */
  readonly server: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** What is truly started, so that the server runs where the machine's policy wants it. */
export interface ServerSeat {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Nothing of the server is left. May be called twice. */
  leave(): void;
}

/** What a machine gives to its MCP servers: the network, and places to run in. */
export interface McpSurroundings {
  /** What the requests of a server are sent with. `onRefused` hears what was not sent, and what would allow it. */
  networkFor(server: HttpReach, onRefused?: (message: string) => void): McpNetwork;
  /** What the policy says of each of these servers over stdio: one of which it says something else than before is started anew. */
  wishesFor(servers: readonly string[]): Promise<ReadonlyMap<string, unknown>>;
  /** Calls `onChange` when the policy says something else than when it was last asked, and never twice at once. */
  watch(onChange: () => Promise<void>): void;
  /** Rejects with what is missing and what mends it, or with `ENOENT` for a command or a folder that is not there. */
  seat(start: ServerStart): Promise<ServerSeat>;
  /** After the last server has ended. May be called twice. */
  close(): Promise<void>;
}
