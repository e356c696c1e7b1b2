import type { Log } from '@tendon/protocol';
import type { KeptFiles } from '@tendon/system';
import { z } from 'zod';

const kept = z.object({ client: z.looseObject({ client_id: z.string() }), tokens: z.looseObject({ access_token: z.string(), token_type: z.string() }) });
const fileSchema = z.object({ version: z.literal(1), servers: z.record(z.string(), kept) });

/** What a sign-in has given: as who this machine is known to the service, and its tokens. */
export type McpCredential = z.infer<typeof kept>;

/** The tokens of this machine's MCP servers, by address, in a file that nobody else may read. */
export class McpCredentials {
  readonly #path: string;
  readonly #files: Pick<KeptFiles, 'replace'>;
  readonly #log: Log;
  readonly #servers: Map<string, McpCredential>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: McpCredentialsOptions, servers: Map<string, McpCredential>) {
    this.#path = options.path;
    this.#files = options.files;
    this.#log = options.log;
    this.#servers = servers;
  }

  /** A file that cannot be read is as none: people sign in again. */
  static async open(options: McpCredentialsOptions): Promise<McpCredentials> {
    try {
      const text = await options.files.read(options.path);
      const servers = text === undefined ? {} : fileSchema.parse(JSON.parse(text.toString('utf8'))).servers;
      return new McpCredentials(options, new Map(Object.entries(servers)));
    } catch {
      options.log.error({ path: options.path }, 'the tokens of MCP servers cannot be read: sign in to them again');
      return new McpCredentials(options, new Map());
    }
  }

  get(url: string): McpCredential | undefined {
    return this.#servers.get(url);
  }

  /** Resolves when it is on the disk, or could not be put there. */
  set(url: string, credential: McpCredential): Promise<void> {
    this.#servers.set(url, credential);
    this.#writing = this.#writing.then(() => {
      const text = JSON.stringify({ version: 1, servers: Object.fromEntries(this.#servers) });
      return this.#files
        .replace(this.#path, text)
        .catch((error: unknown) => this.#log.error({ err: error }, 'the tokens of an MCP server could not be stored'));
    });
    return this.#writing;
  }
}

export interface McpCredentialsOptions {
  readonly path: string;
  readonly files: KeptFiles;
  readonly log: Log;
}
