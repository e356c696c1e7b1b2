import type { Log } from '@tendon/protocol';
import type { SharedFiles } from '@tendon/system';
import { z } from 'zod';

const pinSchema = z.object({ hash: z.string(), changedTo: z.string().optional(), changedAt: z.string().optional() });
/** `unknown: 'changed'`: pins were lost, so that a tool without one may have been another when a person last approved it. */
const fileSchema = z.object({ version: z.literal(1), tools: z.record(z.string(), pinSchema), unknown: z.literal('changed').optional() });
type Pin = z.infer<typeof pinSchema>;

type KeptPins = z.infer<typeof fileSchema>;

/** How a pin came to be another one: a person's approval here counts, whatever another node has written meanwhile. */
type Change = 'seen' | 'approved';

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
 * one that the disk does not give is never replaced, for the pins in it are still good. Nodes of a server may share the file: a write changes
 * the pins that changed here, and takes over what others have written meanwhile.
 */
export class McpPins {
  readonly #path: string;
  readonly #files: Pick<SharedFiles, 'update'>;
  readonly #log: Log;
  readonly #now: () => Date;
  #tools: Map<string, Pin>;
  #file: PinsFile;
  /** Not on the disk yet. */
  #changed = new Map<string, Change>();
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
      const { tools, unknown } = keptIn(text);
      return new McpPins(options, new Map(Object.entries(tools)), unknown === undefined ? 'whole' : 'lost');
    } catch (error) {
      log.error({ err: error, path }, `the file of approved MCP tools ${file === 'lost' ? 'is broken' : 'cannot be read'}: each is asked about again`);
      return new McpPins(options, new Map(), file);
    }
  }

  /** Undefined when the definition is the one that is pinned. */
  look(tool: string, hash: string): PinChange | undefined {
    const pin = this.#tools.get(tool);
    if (!pin && this.#file === 'whole' && this.#tools.size < MAX_SEEN) return this.#set(tool, { hash }, 'seen');
    if (pin?.hash === hash) return pin.changedTo === undefined ? undefined : this.#set(tool, { hash }, 'seen');
    if (pin?.changedTo === hash && pin.changedAt !== undefined) return { changedAt: pin.changedAt };
    const changedAt = this.#now().toISOString();
    if (!pin && this.#tools.size >= MAX_SEEN) return this.#full(changedAt);
    this.#log.warn({ tool }, 'an MCP tool says something else of itself than before: its calls are asked about until one is approved');
    this.#set(tool, { hash: pin?.hash ?? '', changedTo: hash, changedAt }, 'seen');
    return { changedAt };
  }

  /** A person has approved a call of the tool as it says it is now. */
  approve(tool: string, hash: string): void {
    if (this.#tools.get(tool)?.hash !== hash) this.#set(tool, { hash }, 'approved');
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

  #set(tool: string, pin: Pin, change: Change): undefined {
    this.#tools.set(tool, pin);
    if (this.#file === 'unreadable') return undefined;
    this.#mark(tool, change);
    if (this.#isWaiting) return undefined;
    this.#isWaiting = true;
    this.#writing = this.#writing.then(() => this.#write());
    return undefined;
  }

  #mark(tool: string, change: Change): void {
    if (this.#changed.get(tool) !== 'approved') this.#changed.set(tool, change);
  }

  async #write(): Promise<void> {
    this.#isWaiting = false;
    let written: ReadonlyMap<string, Change> = new Map();
    try {
      await this.#files.update(this.#path, (current) => {
        written = this.#changed;
        this.#changed = new Map();
        return this.#textAfter(current, written);
      });
    } catch (error) {
      for (const [tool, change] of written) this.#mark(tool, change);
      this.#log.error({ err: error }, 'what MCP tools say of themselves could not be stored');
    }
  }

  /** A file that is gone is made again from what is known here; one that is broken as well, and says so: others may have had pins in it. */
  #textAfter(current: Buffer | undefined, changed: ReadonlyMap<string, Change>): string {
    const kept = current === undefined ? undefined : keptOrBroken(current);
    if (kept === 'broken' || kept?.unknown !== undefined) this.#file = 'lost';
    if (kept !== undefined && kept !== 'broken') this.#takeOver(kept, changed);
    const unknown = this.#file === 'lost' ? { unknown: 'changed' } : {};
    return JSON.stringify({ version: 1, tools: Object.fromEntries(this.#tools), ...unknown });
  }

  #takeOver(kept: KeptPins, changed: ReadonlyMap<string, Change>): void {
    const tools = new Map(Object.entries(kept.tools));
    for (const [tool, change] of changed) {
      const [own, other] = [this.#tools.get(tool), tools.get(tool)];
      if (!own) continue;
      if (change === 'approved' || (!other && tools.size < MAX_SEEN)) tools.set(tool, own);
      else if (other) tools.set(tool, this.#seenBeside(other, own));
    }
    this.#tools = tools;
  }

  /** What another node has in the file was approved; what this one has seen is what the tool says now. */
  #seenBeside(other: Pin, own: Pin): Pin {
    const seen = own.changedTo ?? own.hash;
    if (other.hash === seen) return { hash: seen };
    return other.changedTo === seen ? other : { hash: other.hash, changedTo: seen, changedAt: own.changedAt ?? this.#now().toISOString() };
  }
}

function keptIn(text: Buffer): KeptPins {
  return fileSchema.parse(JSON.parse(text.toString('utf8')));
}

function keptOrBroken(text: Buffer): KeptPins | 'broken' {
  try {
    return keptIn(text);
  } catch {
    return 'broken';
  }
}

export interface McpPinsOptions {
  readonly path: string;
  readonly files: SharedFiles;
  readonly log: Log;
  readonly now: () => Date;
}
