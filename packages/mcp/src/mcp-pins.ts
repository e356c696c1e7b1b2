import type { Log } from '@tendon/protocol';
import type { KeptFiles } from '@tendon/system';
import { z } from 'zod';

const pinSchema = z.object({ hash: z.string(), changedTo: z.string().optional(), changedAt: z.string().optional() });
/** `unknown: 'changed'`: pins were lost, so that a tool without one may have been another when a person last approved it. */
const fileSchema = z.object({ version: z.literal(1), tools: z.record(z.string(), pinSchema), unknown: z.literal('changed').optional() });
type Pin = z.infer<typeof pinSchema>;

type PinsFile = 'whole' | 'lost' | 'unreadable';

/** A server that makes up new names again and again fills no disk: beyond these every new tool is a changed one until a person approves a call. */
const MAX_SEEN = 5_000;

export interface PinChange {
  /** ISO 8601: when the gateway first saw the definition that is not the pinned one. */
  readonly changedAt: string;
}

/**
 * What each tool said of itself when a person last approved a call of it:
 *
 *   unknown ──seen──► pinned ──seen with another definition──► changed ──a person approves a call──► pinned (the new one)
 *                        ▲                                        └──seen as before──► pinned
 *                        └── the first definition is taken as it comes: no rule of a person can be about a tool that was not there
 *
 * Without its file every tool is a changed one: nobody can say what was approved. A file whose content is broken is replaced by one that says so;
 * one that the disk does not give is never replaced, for the pins in it are still good.
 */
export class McpPins {
  readonly #path: string;
  readonly #files: Pick<KeptFiles, 'replace'>;
  readonly #log: Log;
  readonly #now: () => Date;
  readonly #tools: Map<string, Pin>;
  readonly #file: PinsFile;
  #writing: Promise<void> = Promise.resolve();
  /** A write that has not begun yet takes what comes meanwhile with it. */
  #isWaiting = false;
  #isFullTold = false;

  private constructor(options: McpPinsOptions, tools: Map<string, Pin>, file: PinsFile) {
    this.#path = options.path;
    this.#files = options.files;
    this.#log = options.log;
    this.#now = options.now;
    this.#tools = tools;
    this.#file = file;
  }

  static async open(options: McpPinsOptions): Promise<McpPins> {
    const { path, files, log } = options;
    let file: PinsFile = 'unreadable';
    try {
      const text = await files.read(path);
      if (text === undefined) return new McpPins(options, new Map(), 'whole');
      file = 'lost';
      const { tools, unknown } = fileSchema.parse(JSON.parse(text.toString('utf8')));
      return new McpPins(options, new Map(Object.entries(tools)), unknown === undefined ? 'whole' : 'lost');
    } catch (error) {
      log.error({ err: error, path }, `the file of approved MCP tools ${file === 'lost' ? 'is broken' : 'cannot be read'}: each is asked about again`);
      return new McpPins(options, new Map(), file);
    }
  }

  /** Undefined when the definition is the one that is pinned. */
  look(tool: string, hash: string): PinChange | undefined {
    const pin = this.#tools.get(tool);
    if (!pin && this.#file === 'whole' && this.#tools.size < MAX_SEEN) return this.#set(tool, { hash });
    if (pin?.hash === hash) return pin.changedTo === undefined ? undefined : this.#set(tool, { hash });
    if (pin?.changedTo === hash && pin.changedAt !== undefined) return { changedAt: pin.changedAt };
    const changedAt = this.#now().toISOString();
    if (!pin && this.#tools.size >= MAX_SEEN) return this.#full(changedAt);
    this.#log.warn({ tool }, 'an MCP tool says something else of itself than before: its calls are asked about until one is approved');
    this.#set(tool, { hash: pin?.hash ?? '', changedTo: hash, changedAt });
    return { changedAt };
  }

  /** A person has approved a call of the tool as it says it is now. */
  approve(tool: string, hash: string): void {
    if (this.#tools.get(tool)?.hash !== hash) this.#set(tool, { hash });
  }

  settled(): Promise<void> {
    return this.#writing;
  }

  #full(changedAt: string): PinChange {
    if (!this.#isFullTold)
      this.#log.warn(
        { path: this.#path },
        'more MCP tools have been seen than are kept in mind: end who runs them and take those that are gone out of the file',
      );
    this.#isFullTold = true;
    return { changedAt };
  }

  #set(tool: string, pin: Pin): undefined {
    this.#tools.set(tool, pin);
    if (this.#isWaiting || this.#file === 'unreadable') return undefined;
    this.#isWaiting = true;
    this.#writing = this.#writing.then(() => {
      this.#isWaiting = false;
      const unknown = this.#file === 'lost' ? { unknown: 'changed' } : {};
      const text = JSON.stringify({ version: 1, tools: Object.fromEntries(this.#tools), ...unknown });
      return this.#files
        .replace(this.#path, text)
        .catch((error: unknown) => this.#log.error({ err: error }, 'what MCP tools say of themselves could not be stored'));
    });
    return undefined;
  }
}

export interface McpPinsOptions {
  readonly path: string;
  readonly files: KeptFiles;
  readonly log: Log;
  readonly now: () => Date;
}
