import type { Pool } from 'pg';

/**
 * Does `work` in a transaction: all of it or nothing, and nothing too when it answers undefined. A connection that did not say that it is out of
 * the transaction is not used again: what others wrote on it would be part of that, and gone with it.
 */
export async function inTransaction<T>(pool: Pick<Pool, 'connect'>, work: (client: Pick<Pool, 'query'>) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isOver = false;
  const end = async (how: 'commit' | 'rollback'): Promise<void> => {
    await client.query(how);
    isOver = true;
  };
  try {
    await client.query('begin');
    const done = await work(client);
    await end(done === undefined ? 'rollback' : 'commit');
    return done;
  } catch (error) {
    await end('rollback').catch(() => undefined);
    throw error;
  } finally {
    client.release(!isOver);
  }
}
