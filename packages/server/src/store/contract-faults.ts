import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import pg from 'pg';
import { pino } from 'pino';
import { commit, completed, done, execute, openRig, type Rig } from './contract-rig.ts';
import { cutAfterNextAnswer } from './cut-proxy.ts';
import { connect } from './database.ts';
import { inTransaction } from './transaction.ts';

export function faultContract(rig: () => Rig): void {
  test('D13: a connection killed before the commit leaves nothing, and says so', async () => {
    const { store, database, newSession } = rig();
    const before = await newSession();
    const blocker = new pg.Client(database.url);
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('select 1 from sessions where id = $1 for update', [before.id]);
    const refused = assert.rejects(commit({ store, id: before.id }, execute('cut off')), { code: '57P01' });
    await killWaiting(blocker);
    await refused;
    await blocker.query('rollback');
    await blocker.end();
    assert.deepEqual(await store.load(before.id), before);
    assert.equal((await store.page(before.id, { limit: 5 })).messages.length, 0);
    await done({ store, id: before.id }, execute('again'));
  });

  test('D15: a lease that is taken between decision and writing voids the writing', async () => {
    const { store, database, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    const taker = new pg.Client(database.url);
    await taker.connect();
    await taker.query('begin');
    await taker.query(`update sessions set lease_node = 'taker', lease_epoch = lease_epoch + 1 where id = $1`, [id]);
    const late = commit({ store, id }, completed(begun.change.state), { fence: begun.lease });
    await whenWaiting(taker);
    await taker.query('commit');
    assert.deepEqual(await late, { ok: false, fenced: true });
    assert.equal((await store.load(id))?.seq, begun.change.state.seq);
    await taker.end();
  });

  test('D13: an answer lost after the commit is an error to the caller, and the whole change stands', async () => {
    const { database, newSession, store } = rig();
    const { id } = await newSession();
    const proxy = await cutAfterNextAnswer(database.url);
    const input = execute('written, not heard of');
    {
      await using behind = await openRig(proxy.url);
      await behind.store.load(id);
      proxy.arm('write_change');
      await assert.rejects(commit({ store: behind.store, id }, input));
    }
    await proxy.close();
    const state = await store.load(id);
    assert.equal(state?.turn !== undefined, true);
    assert.equal((await store.page(id, { limit: 5 })).messages.length, 1);
    assert.deepEqual(
      (await store.eventsAfter(id, 0, 10))?.map((event) => event.seq),
      [1, 2, 3],
    );
    const again = await done({ store, id }, input);
    assert.equal(again.answer.type === 'accepted' && again.answer.seq, 2);
    assert.equal((await store.page(id, { limit: 5 })).messages.length, 1);
  });

  test('D12: a lost idle connection is replaced and ends nothing', async () => {
    const { database } = rig();
    const client = await database.pool.connect();
    const { pid } = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0] ?? {};
    client.release();
    const lost = once(database.pool, 'error');
    const killer = new pg.Client(database.url);
    await killer.connect();
    await killer.query('select pg_terminate_backend($1)', [pid]);
    await killer.end();
    await lost;
    assert.equal((await database.pool.query('select 1')).rowCount, 1);
  });

  test('D12, D13: a connection that is lost in the middle of a transaction costs that transaction, and ends nothing', async () => {
    const { database, ownerId } = rig();
    // Connections of this test's own: what nobody hears of one of them is told to this test.
    const own = connect(database.url, pino({ level: 'silent' }));
    const broken = inTransaction(own.pool, async (client) => {
      await client.query(`update users set name = 'half' where id = $1`, [ownerId]);
      const { pid } = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0] ?? {};
      await database.pool.query('select pg_terminate_backend($1)', [pid]);
      return client.query('select 1');
    });
    await assert.rejects(broken);
    assert.deepEqual((await own.pool.query('select name from users where id = $1', [ownerId])).rows, [{ name: 'A person' }]);
    await own.close();
  });

  test('D13: what is written after a transaction whose end was not heard of is no part of it', async () => {
    const { database, ownerId } = rig();
    const impatient = new pg.Pool({ connectionString: database.url, query_timeout: 500, max: 1 });
    // Its own: the connection that was given up may still be there when all of this test's database are ended.
    impatient.on('error', () => undefined);
    const blocker = new pg.Client(database.url);
    await blocker.connect();
    await blocker.query('begin');
    await blocker.query('select 1 from users where id = $1 for update', [ownerId]);
    await assert.rejects(inTransaction(impatient, (client) => client.query(`update users set name = 'half' where id = $1`, [ownerId])));
    await blocker.query('rollback');
    await blocker.end();
    await impatient.query(`update users set email = 'written@local.invalid' where id = $1`, [ownerId]);
    const seen = await database.pool.query('select name, email from users where id = $1', [ownerId]);
    assert.deepEqual(seen.rows, [{ name: 'A person', email: 'written@local.invalid' }]);
    await impatient.end();
  });
}

async function whenWaiting(client: pg.Client): Promise<void> {
  for (;;) {
    const waiting = await client.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`);
    if (waiting.rowCount) return;
    await client.query('select pg_stat_clear_snapshot()');
  }
}

/** Ends the one connection that waits for a lock here. */
async function killWaiting(client: pg.Client): Promise<void> {
  for (;;) {
    const killed = await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and pid <> pg_backend_pid()`,
    );
    if (killed.rowCount) return;
    await client.query('select pg_stat_clear_snapshot()');
  }
}
