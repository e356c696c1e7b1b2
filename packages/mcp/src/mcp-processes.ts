import { identify, killCallProcesses, type ProcessIdentity, type SharedFiles } from '@tendon/system';
import { z } from 'zod';

const identity = z.object({ pid: z.number().int().positive(), startedAt: z.string(), bootId: z.string() });
const rowSchema = z.object({
  marker: z.string(),
  leader: identity.optional(),
  /** Who noted it down: two nodes of a server may share a home. */
  owner: z.object({ id: z.string(), process: identity }).optional(),
});
type Row = z.infer<typeof rowSchema>;
const fileSchema = z.array(rowSchema);

export interface ServerMark {
  readonly marker: string;
  readonly onLeader: (leader: ProcessIdentity) => void;
  /** Nothing of it is left. */
  end(): Promise<void>;
}

/** Notes down which servers run, before they do, so that the next gateway ends what a killed one has left. */
export class McpProcesses {
  readonly #path: string;
  readonly #files: SharedFiles;
  readonly #newId: () => string;
  #owner: Row['owner'];
  /** Of those before, and over. */
  readonly #settled = new Set<string>();
  readonly #running = new Map<string, ProcessIdentity | undefined>();
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, files: SharedFiles, newId: () => string) {
    this.#path = path;
    this.#files = files;
    this.#newId = newId;
  }

  /** Ends what a dead predecessor has left, and nothing of one that lives. A file that cannot be read names nobody. */
  async endLeftovers(): Promise<void> {
    const self = await identify(process.pid);
    this.#owner = self && { id: this.#newId(), process: self };
    const rows = await this.#files.read(this.#path).then(rowsIn, () => []);
    const livings = await Promise.all(rows.map(({ owner }) => lives(owner)));
    const left = rows.filter((_, index) => livings[index] === false);
    await Promise.all(left.map(({ marker, leader }) => killCallProcesses({ callId: marker, leader })));
    for (const { marker } of left) this.#settled.add(marker);
    if (left.length > 0) await this.#write();
  }

  /** Resolves when the mark is on the disk: only then may the server be started. */
  async begin(): Promise<ServerMark> {
    const marker = `mcp-${this.#newId()}`;
    this.#running.set(marker, undefined);
    await this.#write();
    return {
      marker,
      onLeader: (leader) => {
        this.#running.set(marker, leader);
        void this.#write();
      },
      end: () => {
        this.#running.delete(marker);
        return this.#write();
      },
    };
  }

  /** What is being written is on the disk. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** A disk that fails costs no server: its processes then end with their input, as the protocol asks. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#files.update(this.#path, (current) => this.#textAfter(current)).catch(() => undefined));
    return this.#writing;
  }

  #textAfter(current: Buffer | undefined): string {
    const others = rowsIn(current).filter(({ marker, owner }) => owner !== undefined && owner.id !== this.#owner?.id && !this.#settled.has(marker));
    const rows: Row[] = [...others, ...[...this.#running].map(([marker, leader]) => ({ marker, leader, owner: this.#owner }))];
    return JSON.stringify(rows);
  }
}

function rowsIn(text: Buffer | undefined): Row[] {
  try {
    return text === undefined ? [] : fileSchema.parse(JSON.parse(text.toString('utf8')));
  } catch {
    return [];
  }
}

async function lives(owner: Row['owner']): Promise<boolean> {
  if (!owner) return false;
  const now = await identify(owner.process.pid);
  return now?.startedAt === owner.process.startedAt && now.bootId === owner.process.bootId;
}
