import type { SharedFiles } from './disk-files.ts';
import { identify, type ProcessIdentity } from './process-table.ts';
import { killCallProcesses } from './process-tree.ts';

/** What runs under a marker, and who noted it down: two nodes of a server may share a home. */
interface Row {
  readonly marker: string;
  readonly leader?: ProcessIdentity | undefined;
  readonly owner?: Owner | undefined;
}

interface Owner {
  readonly id: string;
  readonly process: ProcessIdentity;
}

export interface ProcessBookOptions {
  readonly path: string;
  readonly files: SharedFiles;
  readonly newId: () => string;
  /** Told that the disk took nothing: what runs goes on, and is not known to the next start. */
  readonly onFault?: (error: unknown) => void;
}

/** Which processes of ours run, on the disk, so that the next start ends what a killed one has left. */
export class ProcessBook {
  readonly #options: ProcessBookOptions;
  #owner: Owner | undefined;
  /** Of those before, and over. */
  readonly #settled = new Set<string>();
  readonly #running = new Map<string, ProcessIdentity | undefined>();
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(options: ProcessBookOptions) {
    this.#options = options;
  }

  /** Ends what a dead predecessor has left, and nothing of one that lives; answers with its markers. A file that cannot be read names nobody. */
  async endLeftovers(): Promise<readonly string[]> {
    const self = await identify(process.pid);
    this.#owner = self && { id: this.#options.newId(), process: self };
    const rows = await this.#options.files.read(this.#options.path).then(rowsIn, () => []);
    const livings = await Promise.all(rows.map(({ owner }) => lives(owner)));
    const left = rows.filter((_, index) => livings[index] === false);
    await Promise.all(left.map(({ marker, leader }) => killCallProcesses({ callId: marker, leader })));
    for (const { marker } of left) this.#settled.add(marker);
    if (left.length > 0) await this.#write();
    return left.map(({ marker }) => marker);
  }

  /** What is started under this marker, or is about to be. Resolves when that is on the disk, or the disk has failed. */
  note(marker: string, leader?: ProcessIdentity): Promise<void> {
    this.#running.set(marker, leader);
    return this.#write();
  }

  /** Nothing of it is left. */
  strike(marker: string): Promise<void> {
    return this.#running.delete(marker) ? this.#write() : this.settled();
  }

  /** What is being written is on the disk. */
  settled(): Promise<void> {
    return this.#writing;
  }

  /** All that is noted while one is being written goes into the next. */
  #write(): Promise<void> {
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.#writeNow();
    });
    this.#writing = this.#next;
    return this.#next;
  }

  async #writeNow(): Promise<void> {
    const { path, files, onFault } = this.#options;
    await files.update(path, (current) => this.#textAfter(current)).catch((error: unknown) => onFault?.(error));
  }

  #textAfter(current: Buffer | undefined): string {
    const others = rowsIn(current).filter(({ marker, owner }) => owner !== undefined && owner.id !== this.#owner?.id && !this.#settled.has(marker));
    const rows: Row[] = [...others, ...[...this.#running].map(([marker, leader]) => ({ marker, leader, owner: this.#owner }))];
    return JSON.stringify(rows);
  }
}

/** None, where there is no file or one that cannot be read. */
function rowsIn(text: Buffer | undefined): Row[] {
  try {
    const rows: unknown = text === undefined ? [] : JSON.parse(text.toString('utf8'));
    return Array.isArray(rows) && rows.every(isRow) ? rows : [];
  } catch {
    return [];
  }
}

async function lives(owner: Owner | undefined): Promise<boolean> {
  if (!owner) return false;
  const now = await identify(owner.process.pid);
  return now?.startedAt === owner.process.startedAt && now.bootId === owner.process.bootId;
}

function isRow(value: unknown): value is Row {
  if (!isObject(value) || typeof value['marker'] !== 'string') return false;
  const { leader, owner } = value;
  return (leader === undefined || isIdentity(leader)) && (owner === undefined || isOwner(owner));
}

function isOwner(value: unknown): value is Owner {
  return isObject(value) && typeof value['id'] === 'string' && isIdentity(value['process']);
}

/** Numbers from 1 on: others name groups, or everybody, when they are signalled. */
function isIdentity(value: unknown): value is ProcessIdentity {
  if (!isObject(value)) return false;
  const { pid, startedAt, bootId } = value;
  return typeof pid === 'number' && Number.isSafeInteger(pid) && pid > 0 && typeof startedAt === 'string' && typeof bootId === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
