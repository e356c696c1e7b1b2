import { ProcessBook, type ProcessIdentity, type SharedFiles } from '@tendon/system';

export interface ServerMark {
  readonly marker: string;
  readonly onLeader: (leader: ProcessIdentity) => void;
  /** Nothing of it is left. */
  end(): Promise<void>;
}

/**
 * Notes down which servers run, before they do, so that the next gateway ends what a killed one has left. A disk that fails costs no server:
 * its processes then end with their input, as the protocol asks.
 */
export class McpProcesses {
  readonly #book: ProcessBook;
  readonly #newId: () => string;

  constructor(path: string, files: SharedFiles, newId: () => string) {
    this.#book = new ProcessBook({ path, files, newId });
    this.#newId = newId;
  }

  async endLeftovers(): Promise<void> {
    await this.#book.endLeftovers();
  }

  /** Resolves when the mark is on the disk: only then may the server be started. */
  async begin(): Promise<ServerMark> {
    const marker = `mcp-${this.#newId()}`;
    await this.#book.note(marker);
    return {
      marker,
      onLeader: (leader) => void this.#book.note(marker, leader),
      end: () => this.#book.strike(marker),
    };
  }

  /** What is being written is on the disk. */
  settled(): Promise<void> {
    return this.#book.settled();
  }
}
