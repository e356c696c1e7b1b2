import { createLog } from '@tendon/server/settings';
import type { DatabaseHealth } from './database.ts';
import type { DiskHealth } from './disk.ts';
import { Judge } from './judge.ts';
import { Connection, type Weather } from './network.ts';
import type { Plan } from './plan.ts';
import { Random } from './random.ts';
import { Tables } from './tables.ts';
import { type SimulatedProcess, VirtualTime } from './virtual-time.ts';

const SILENT = createLog({ level: 'silent', pretty: false });
const CALM: Omit<Weather, 'halfOpen'> = { latencyMs: 3, lostNotices: 0 };
/** Until faults end: far more than any database loses. */
const LOST_NOTICES = 0.2;
const HEALTHY_DATABASE: DatabaseHealth = { failsBefore: 0, failsAfter: 0, latencyMs: 2 };
const HEALTHY_DISK: DiskHealth = { failsSync: 0, isFull: false, latencyMs: 2 };

/** What all parts of one simulated world share. */
export class World {
  readonly time = new VirtualTime();
  readonly tables = new Tables();
  readonly judge: Judge;
  readonly log = SILENT;
  readonly weather: Weather = { ...CALM, lostNotices: LOST_NOTICES, halfOpen: 0 };
  readonly databaseHealth: DatabaseHealth = { ...HEALTHY_DATABASE };
  readonly diskHealth: DiskHealth = { ...HEALTHY_DISK };
  readonly random: Random;
  #ids = 0;

  /** An MCP server runs on each node. */
  readonly hasServerTools: boolean;

  constructor({ seed, hasServerTools }: Pick<Plan, 'seed' | 'hasServerTools'>) {
    this.hasServerTools = hasServerTools;
    this.random = new Random(seed);
    this.judge = new Judge(this.time, this.tables);
  }

  /** Ids that every part of the world may make: unique, in order, and of a UUID's form. */
  newId = (): string => {
    this.#ids += 1;
    return `019b0000-0000-7000-8000-${this.#ids.toString(16).padStart(12, '0')}`;
  };

  connect(dialler: SimulatedProcess, listener: SimulatedProcess): Connection {
    return new Connection({ time: this.time, random: this.random, weather: this.weather }, { dialler, listener });
  }

  /** Network, database and disks are well again. */
  calm(): void {
    Object.assign(this.weather, CALM);
    Object.assign(this.databaseHealth, HEALTHY_DATABASE);
    Object.assign(this.diskHealth, HEALTHY_DISK);
  }
}
