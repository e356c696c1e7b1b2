import { createHash } from 'node:crypto';
import type { Log } from '@tendon/protocol';
import type { KeptFiles } from '@tendon/system';
import { z } from 'zod';

const kept = z.object({ client: z.looseObject({ client_id: z.string() }), tokens: z.looseObject({ access_token: z.string(), token_type: z.string() }) });
const sealedSchema = z.object({ keyId: z.string(), sealed: z.string() });
const plainFile = z.object({ version: z.literal(1), servers: z.record(z.string(), kept) });
const sealedFile = z.object({ version: z.literal(2), servers: z.record(z.string(), sealedSchema) });
const fileSchema = z.discriminatedUnion('version', [plainFile, sealedFile]);

/** What a sign-in has given: as who this machine is known to the service, and its tokens. */
export type McpCredential = z.infer<typeof kept>;
/** `sealed`: base64. */
export type McpSealed = z.infer<typeof sealedSchema>;

/** What is at hand where tokens are not to stand in the clear, not even in a file of one's own. */
export interface McpSeal {
  /** The key that seals now; what another one has sealed is sealed anew. */
  readonly keyId: string;
  seal(name: string, text: string): McpSealed;
  /** Undefined: the key is not here, or what it opens was changed or stands under another name. */
  open(name: string, sealed: McpSealed): string | undefined;
}

export interface McpCredentialsOptions {
  readonly path: string;
  readonly files: KeptFiles;
  readonly log: Log;
  /** Without one the file is as its owner alone may read it. */
  readonly seal?: McpSeal | undefined;
}

interface Read {
  readonly servers: ReadonlyMap<string, McpCredential>;
  /** As they stand in the file, by the names that they have there: their key may come back. */
  readonly unopened: ReadonlyMap<string, McpSealed>;
  readonly isToBeWritten: boolean;
}

const NOTHING: Read = { servers: new Map(), unopened: new Map(), isToBeWritten: false };

/**
 * The tokens of MCP servers, by address, in a file that nobody else may read. Where there is a seal, each stands there sealed, under a hash of
 * its address, which may hold a secret itself:
 *
 *   plain (version 1) ── open ──► sealed ── open, after a rotation ──► sealed by the current key
 *                                   └── its key is lost ──► told, kept, replaced by the next sign-in
 */
export class McpCredentials {
  readonly #options: McpCredentialsOptions;
  readonly #servers: Map<string, McpCredential>;
  readonly #unopened: Map<string, McpSealed>;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: McpCredentialsOptions, { servers, unopened }: Read) {
    this.#options = options;
    this.#servers = new Map(servers);
    this.#unopened = new Map(unopened);
  }

  /** A file that cannot be read is as none: people sign in again. */
  static async open(options: McpCredentialsOptions): Promise<McpCredentials> {
    const read = await readFile(options);
    const credentials = new McpCredentials(options, read);
    if (read.isToBeWritten) await credentials.#write();
    return credentials;
  }

  get(url: string): McpCredential | undefined {
    return this.#servers.get(url);
  }

  /** Resolves when it is on the disk, or could not be put there. */
  set(url: string, credential: McpCredential): Promise<void> {
    this.#servers.set(url, credential);
    this.#unopened.delete(nameOf(url));
    return this.#write();
  }

  #write(): Promise<void> {
    const { path, files, log } = this.#options;
    this.#writing = this.#writing.then(() =>
      files.replace(path, this.#text()).catch((error: unknown) => log.error({ err: error }, 'the tokens of an MCP server could not be stored')),
    );
    return this.#writing;
  }

  #text(): string {
    const { seal } = this.#options;
    if (!seal) return JSON.stringify({ version: 1, servers: Object.fromEntries(this.#servers) });
    const sealed = [...this.#servers].map(([url, credential]) => {
      const name = nameOf(url);
      return [name, seal.seal(name, JSON.stringify({ url, ...credential }))] as const;
    });
    return JSON.stringify({ version: 2, servers: Object.fromEntries([...this.#unopened, ...sealed]) });
  }
}

async function readFile({ path, files, log, seal }: McpCredentialsOptions): Promise<Read> {
  try {
    const text = await files.read(path);
    if (text === undefined) return NOTHING;
    const file = fileSchema.parse(JSON.parse(text.toString('utf8')));
    if (file.version === 1) return { ...NOTHING, servers: new Map(Object.entries(file.servers)), isToBeWritten: seal !== undefined };
    const read = openAll(file.servers, seal);
    if (read.unopened.size > 0) log.error({ path, count: read.unopened.size }, UNOPENED);
    return read;
  } catch {
    log.error({ path }, 'the tokens of MCP servers cannot be read: sign in to them again');
    return NOTHING;
  }
}

const UNOPENED =
  'tokens of MCP servers do not open: the secret key that sealed them is not here, or they were changed. Give that key as TENDON_SECRET_KEY_PREVIOUS and start again, or sign in to them again';

function openAll(entries: Readonly<Record<string, McpSealed>>, seal: McpSeal | undefined): Read {
  const servers = new Map<string, McpCredential>();
  const unopened = new Map<string, McpSealed>();
  for (const [name, entry] of Object.entries(entries)) {
    const text = seal?.open(name, entry);
    if (text === undefined) unopened.set(name, entry);
    else {
      const { url, ...credential } = kept.extend({ url: z.string() }).parse(JSON.parse(text));
      servers.set(url, credential);
    }
  }
  const isToBeWritten = Object.entries(entries).some(([name, { keyId }]) => keyId !== seal?.keyId && !unopened.has(name));
  return { servers, unopened, isToBeWritten };
}

function nameOf(url: string): string {
  return createHash('sha256').update(url).digest('hex');
}
