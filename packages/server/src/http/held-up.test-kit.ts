import { within } from '@tendon/testing';
import type { Pool, PoolClient } from 'pg';

/* What happens between two steps of somebody else: a lock of the database holds them up there. For tests. */

/** Resolves when so many wait for a lock. */
export async function untilHeldUp(pool: Pool, count = 1): Promise<void> {
  const look = async (): Promise<void> => {
    for (;;) {
      const { rows } = await pool.query<{ pid: number }>(`select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
      if (rows.length >= count) return;
    }
  };
  await within(`${count} to be held up`, look());
}

/** Does `work` while nobody gets past the lock, which leaves nothing behind. */
export async function whileLocked(pool: Pool, lock: string, work: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(lock);
    await work();
  } finally {
    await client.query('rollback');
    client.release();
  }
}

/** Does `work` between a statement and its commit, as when a node is slow. */
export async function beforeCommit(pool: Pool, statement: (client: PoolClient) => Promise<unknown>, work: () => Promise<void>): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await statement(client);
    await work();
    await client.query('commit');
  } finally {
    await client.query('rollback');
    client.release();
  }
}
