import { type KeptFiles, killCallProcesses, type ProcessIdentity } from '@tendon/system';
import { z } from 'zod';

const fileSchema = z.array(
  z.object({ marker: z.string(), leader: z.object({ pid: z.number().int().positive(), startedAt: z.string(), bootId: z.string() }).optional() }),
);

export interface ServerMark {
  readonly marker: string;
  readonly onLeader: (leader: ProcessIdentity) => void;
  /** Nothing of it is left. */
  end(): Promise<void>;
}

/** Notes down which servers run, before they do, so that the next gateway ends what a killed one has left. */
export class McpProcesses {
  readonly #path: string;
  readonly #files: KeptFiles;
  readonly #newId: () => string;
  readonly #running = new Map<string, ProcessIdentity | undefined>();
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, files: KeptFiles, newId: () => string) {
    this.#path = path;
    this.#files = files;
    this.#newId = newId;
  }

  /** Ends what a dead predecessor has left. A file that cannot be read names nobody. */
  async endLeftovers(): Promise<void> {
    const left = await this.#left();
    await Promise.all(left.map(({ marker, leader }) => killCallProcesses({ callId: marker, leader })));
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

  async #left(): Promise<z.infer<typeof fileSchema>> {
    try {
      const text = await this.#files.read(this.#path);
      return text === undefined ? [] : fileSchema.parse(JSON.parse(text.toString('utf8')));
    } catch {
      return [];
    }
  }

  /** A disk that fails costs no server: its processes then end with their input, as the protocol asks. */
  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => {
      const rows = [...this.#running].map(([marker, leader]) => ({ marker, leader }));
      return this.#files.replace(this.#path, JSON.stringify(rows)).catch(() => undefined);
    });
    return this.#writing;
  }
}
