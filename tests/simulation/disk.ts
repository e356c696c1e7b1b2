import type { JournalFiles } from '@tendon/gateway/parts';
import type { Random } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface DiskHealth {
  /** How likely a sync fails. What was written before it may or may not be there. */
  failsSync: number;
  isFull: boolean;
  latencyMs: number;
}

interface StoredFile {
  /** What programs read: lost with the machine's power, kept over a crash of the process. */
  seen: Buffer;
  /** What the disk holds for good. */
  synced: Buffer;
}

const fault = (code: string): Error => Object.assign(new Error(code), { code });

/** One machine's disk. Knows what was synced, so that a power cut takes only what was promised to nobody. */
export class SimulatedDisk {
  readonly #files = new Map<string, StoredFile>();
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #health: DiskHealth;

  constructor(parts: { time: VirtualTime; random: Random; health: DiskHealth }) {
    this.#time = parts.time;
    this.#random = parts.random;
    this.#health = parts.health;
  }

  /** The power goes: of what was not synced, any beginning may have reached the disk. */
  cutPower(): void {
    for (const file of this.#files.values()) {
      const isLonger = file.seen.length > file.synced.length && file.seen.subarray(0, file.synced.length).equals(file.synced);
      const kept = isLonger ? file.synced.length + this.#random.below(file.seen.length - file.synced.length + 1) : file.synced.length;
      file.seen = isLonger ? Buffer.from(file.seen.subarray(0, kept)) : file.synced;
      file.synced = file.seen;
    }
  }

  wipe(): void {
    this.#files.clear();
  }

  readonly files: JournalFiles = {
    read: async (path) => {
      await this.#turn();
      return this.#files.get(path)?.seen;
    },
    replace: async (path, text) => {
      await this.#turn();
      if (this.#health.isFull) throw fault('ENOSPC');
      const bytes = Buffer.from(text, 'utf8');
      this.#files.set(path, { seen: bytes, synced: bytes });
    },
    rename: async (from, to) => {
      await this.#turn();
      const file = this.#files.get(from);
      if (!file) throw fault('ENOENT');
      this.#files.set(to, file);
      this.#files.delete(from);
    },
    openForAppend: async (path) => {
      await this.#turn();
      // The handle holds the file, also when its name is taken away or given to another.
      const file = this.#files.get(path);
      if (!file) throw fault('ENOENT');
      return {
        appendFile: async (data) => {
          await this.#turn();
          const room = this.#health.isFull ? this.#random.below(data.length) : data.length;
          file.seen = Buffer.concat([file.seen, data.subarray(0, room)]);
          if (room < data.length) throw fault('ENOSPC');
        },
        datasync: async () => {
          await this.#turn();
          if (this.#random.chance(this.#health.failsSync)) throw fault('EIO');
          file.synced = file.seen;
        },
        truncate: async (bytes) => {
          await this.#turn();
          file.seen = Buffer.from(file.seen.subarray(0, bytes));
        },
        close: async () => undefined,
      };
    },
  };

  #turn(): Promise<void> {
    return this.#time.wait(this.#random.between(0.05, this.#health.latencyMs));
  }
}
