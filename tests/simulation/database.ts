import type { Database } from '@tendon/server/parts';
import type { Random } from './random.ts';
import type { Moment } from './statement.ts';
import { STATEMENTS } from './statements.ts';
import type { Tables } from './tables.ts';
import type { VirtualTime } from './virtual-time.ts';

/** How likely a statement fails, while that fault lasts. */
export interface DatabaseHealth {
  /** It never reached the database. */
  failsBefore: number;
  /** It was done, and its answer was lost: who asked cannot tell. */
  failsAfter: number;
  latencyMs: number;
}

export interface DatabaseOptions {
  readonly time: VirtualTime;
  readonly random: Random;
  readonly health: DatabaseHealth;
  readonly tables: Tables;
  readonly watch: Pick<Moment, 'written' | 'partialSaved' | 'forked'>;
}

/** One process's connections to the world's database: every statement takes its time there and back, and may be lost on either way. */
export function openDatabase({ time, random, health, tables, watch }: DatabaseOptions): Database {
  const queries = { total: 0 };
  const query = async ({ name, values }: { name: string; values: readonly unknown[] }) => {
    queries.total += 1;
    const statement = STATEMENTS[name];
    if (!statement) throw new Error(`the simulation does not know the statement ${name}`);
    await time.wait(random.between(0.1, health.latencyMs));
    if (random.chance(health.failsBefore)) throw new Error('the database cannot be reached');
    const answer = statement({ tables, nowMs: time.nowMs, ...watch }, values);
    await time.wait(random.between(0.1, health.latencyMs));
    if (random.chance(health.failsAfter)) throw new Error('the connection to the database was lost');
    return answer;
  };
  const pool = { query } as unknown as Database['pool'];
  return { url: 'simulated', address: 'simulated', pool, queries, close: async () => undefined };
}
