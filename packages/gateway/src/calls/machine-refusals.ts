import { type Log, tryParse } from '@tendon/protocol';
import { diskFiles, type KeptFiles } from '@tendon/system';
import { z } from 'zod';

/** What this machine did not do of what its server asked for, by kind. */
const kindSchema = z.object({ count: z.number().int().positive(), lastAt: z.iso.datetime(), reason: z.string() });
const fileSchema = z.object({ version: z.literal(1), kinds: z.record(z.string(), kindSchema) });

export type RefusedKinds = z.infer<typeof fileSchema>['kinds'];

export interface RefusedRequest {
  /** From the gateway's own list, never from what the server sent. */
  readonly code: string;
  readonly reason: string;
  readonly callId?: string | undefined;
}

export interface MachineRefusalsOptions {
  readonly log: Log;
  readonly now: () => Date;
  /** Where it is kept for `tendon doctor`; nowhere when left out. */
  readonly store?: { readonly path: string; readonly files: KeptFiles };
}

/** In the folder of one gateway. */
export const REFUSALS_FILE = 'refusals.json';
const TOLD_EVERY_MS = 10_000;
const MOST_KINDS = 50;
const OTHER = 'other';
const REASON_UNITS = 300;

/**
 * What a server that misbehaves leaves behind: each kind of refusal is counted, told in the log, the first at once and then one line in ten
 * seconds with the number so far, and kept with its newest reason. However much a server sends, lines and writes stay few.
 */
export class MachineRefusals {
  readonly #options: MachineRefusalsOptions;
  readonly #kinds: Map<string, RefusedKinds[string]>;
  readonly #toldAtMs = new Map<string, number>();
  #writing: Promise<void> = Promise.resolve();
  #isUnkept = false;

  constructor(options: MachineRefusalsOptions, kinds: RefusedKinds = {}) {
    this.#options = options;
    this.#kinds = new Map(Object.entries(kinds));
  }

  /** Goes on counting where an earlier start stopped. A file that cannot be read is as none. */
  static async open(options: MachineRefusalsOptions & Required<Pick<MachineRefusalsOptions, 'store'>>): Promise<MachineRefusals> {
    return new MachineRefusals(options, await readRefusals(options.store.path, options.store.files));
  }

  note({ code, reason, callId }: RefusedRequest): void {
    const kind = this.#kinds.has(code) || this.#kinds.size < MOST_KINDS ? code : OTHER;
    const now = this.#options.now();
    const count = (this.#kinds.get(kind)?.count ?? 0) + 1;
    const words = shown(reason);
    this.#kinds.set(kind, { count, lastAt: now.toISOString(), reason: words });
    this.#isUnkept = true;
    const sinceMs = now.getTime() - (this.#toldAtMs.get(kind) ?? Number.NEGATIVE_INFINITY);
    // Less than nothing when the clock was set back.
    if (sinceMs >= 0 && sinceMs < TOLD_EVERY_MS) return;
    this.#toldAtMs.set(kind, now.getTime());
    this.#options.log.warn({ code: kind, callId, reason: words, count }, 'the server asked for something that this machine refused');
    this.#keep();
  }

  /** Resolves when what was noted is kept, or could not be. May be called twice. */
  async close(): Promise<void> {
    if (this.#isUnkept) this.#keep();
    await this.#writing;
  }

  #keep(): void {
    const { store, log } = this.#options;
    if (!store) return;
    this.#writing = this.#writing.then(async () => {
      if (!this.#isUnkept) return;
      this.#isUnkept = false;
      const text = JSON.stringify({ version: 1, kinds: Object.fromEntries(this.#kinds) });
      await store.files.replace(store.path, text).catch((error: unknown) => log.error({ err: error }, 'what was refused could not be kept for tendon doctor'));
    });
  }
}

/** What a gateway has kept; nothing when the file is not there or not one of ours. */
export async function readRefusals(path: string, files: Pick<KeptFiles, 'read'> = diskFiles): Promise<RefusedKinds> {
  try {
    const kept = tryParse(fileSchema, JSON.parse((await files.read(path))?.toString('utf8') ?? ''));
    return kept.success ? kept.data.kinds : {};
  } catch {
    return {};
  }
}

/** The server chose some of these words: none may act on a terminal, or fill it. */
function shown(reason: string): string {
  const cut = reason.length > REASON_UNITS ? `${reason.slice(0, REASON_UNITS)}…` : reason;
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`);
}
