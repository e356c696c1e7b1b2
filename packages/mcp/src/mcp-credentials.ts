import { createHash } from 'node:crypto';
import type { Log } from '@tendon/protocol';
import type { SharedFiles } from '@tendon/system';
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
  readonly files: SharedFiles;
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
 *
 * Nodes of a server may share the file: a write changes what this process has to say and takes over what others have written meanwhile.
 */
export class McpCredentials {
  readonly #options: McpCredentialsOptions;
  #servers: ReadonlyMap<string, McpCredential>;
  #unopened: ReadonlyMap<string, McpSealed>;
  /** Given here, and not on the disk yet. */
  readonly #given = new Map<string, McpCredential>();
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: McpCredentialsOptions, { servers, unopened }: Read) {
    this.#options = options;
    this.#servers = servers;
    this.#unopened = unopened;
  }

  /** A file that cannot be read is as none: people sign in again. */
  static async open(options: McpCredentialsOptions): Promise<McpCredentials> {
    const read = await readFile(options);
    const credentials = new McpCredentials(options, read);
    if (read.isToBeWritten) await credentials.#write();
    return credentials;
  }

  get(url: string): McpCredential | undefined {
    return this.#given.get(url) ?? this.#servers.get(url);
  }

  /** Resolves when it is on the disk, or could not be put there. */
  set(url: string, credential: McpCredential): Promise<void> {
    this.#given.set(url, credential);
    return this.#write();
  }

  #write(): Promise<void> {
    const { path, files, log } = this.#options;
    this.#writing = this.#writing.then(async () => {
      const given = new Map(this.#given);
      try {
        await files.update(path, (current) => this.#textAfter(current, given));
        for (const [url, credential] of given) if (this.#given.get(url) === credential) this.#given.delete(url);
      } catch (error) {
        log.error({ err: error }, 'the tokens of an MCP server could not be stored');
      }
    });
    return this.#writing;
  }

  /** A file that is gone, or broken, is made again from what is known here. */
  #textAfter(current: Buffer | undefined, given: ReadonlyMap<string, McpCredential>): string {
    const { seal } = this.#options;
    const read = readText(current, seal) ?? { servers: this.#servers, unopened: this.#unopened };
    const servers = new Map([...read.servers, ...given]);
    const names = new Set([...given.keys()].map(nameOf));
    const unopened = new Map([...read.unopened].filter(([name]) => !names.has(name)));
    // What another node has sealed with a key that is not here is open in this process still.
    this.#servers = new Map([...this.#servers, ...servers]);
    this.#unopened = unopened;
    return textOf({ servers, unopened }, seal);
  }
}

function textOf({ servers, unopened }: Pick<Read, 'servers' | 'unopened'>, seal: McpSeal | undefined): string {
  if (!seal) return JSON.stringify({ version: 1, servers: Object.fromEntries(servers) });
  const sealed = [...servers].map(([url, credential]) => {
    const name = nameOf(url);
    return [name, seal.seal(name, JSON.stringify({ url, ...credential }))] as const;
  });
  return JSON.stringify({ version: 2, servers: Object.fromEntries([...unopened, ...sealed]) });
}

async function readFile({ path, files, log, seal }: McpCredentialsOptions): Promise<Read> {
  const text = await files.read(path).catch(() => 'unreadable' as const);
  if (text === undefined) return NOTHING;
  const read = text === 'unreadable' ? undefined : readText(text, seal);
  if (!read) log.error({ path }, 'the tokens of MCP servers cannot be read: sign in to them again');
  else if (read.unopened.size > 0) log.error({ path, count: read.unopened.size }, UNOPENED);
  return read ?? NOTHING;
}

/** Undefined when there is no text, or one that is none of ours. */
function readText(text: Buffer | undefined, seal: McpSeal | undefined): Read | undefined {
  try {
    const file = fileSchema.parse(JSON.parse(String(text)));
    if (file.version === 2) return openAll(file.servers, seal);
    return { ...NOTHING, servers: new Map(Object.entries(file.servers)), isToBeWritten: seal !== undefined };
  } catch {
    return undefined;
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
