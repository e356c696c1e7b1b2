import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { testDatabase } from '@tendon/testing';
import { pino } from 'pino';
import { v7 } from 'uuid';
import { Housekeeper } from './housekeeper.ts';
import { connect } from './store/database.ts';
import { createStore } from './store/index.ts';
import { pruneEvents } from './store/sql/prune-events.ts';

const DAY_MS = 24 * 60 * 60_000;
const log = pino({ level: 'silent' });
const made = await testDatabase();
const database = connect(made.url, log);
const store = createStore(database);
const ownerId = v7();
await database.pool.query('insert into users (id, name, email) values ($1, $2, $3)', [ownerId, 'A person', `${ownerId}@local.invalid`]);
after(async () => {
  await database.close();
  await made[Symbol.asyncDispose]();
});

/** A session with `old` events of 40 days ago and then `recent` ones of today. */
async function sessionWith({ old, recent }: { old: number; recent: number }): Promise<string> {
  const { state } = await store.create({ id: v7(), ownerId, title: 'A title', model: 'demo', at: new Date().toISOString() });
  await database.pool.query('delete from session_events where session_id = $1', [state.id]);
  await database.pool.query('update sessions set seq = $2 where id = $1', [state.id, old + recent]);
  await database.pool.query(
    `insert into session_events (session_id, seq, at, type, data)
     select $1, n, case when n <= $2 then $3::timestamptz else $4::timestamptz end, 'session.updated', '{}' from generate_series(1, $5) n`,
    [state.id, old, new Date(Date.now() - 40 * DAY_MS), new Date(), old + recent],
  );
  return state.id;
}

async function firstKept(sessionId: string): Promise<number> {
  const { rows } = await database.pool.query<{ seq: number }>('select min(seq) as seq from session_events where session_id = $1', [sessionId]);
  return rows[0]?.seq ?? 0;
}

test('D25: old events go, in steps, from every session; the newest hundred and all recent ones stay', async () => {
  const large = await sessionWith({ old: 12_000, recent: 20 });
  const busy = await sessionWith({ old: 300, recent: 250 });
  const resting = await sessionWith({ old: 60, recent: 0 });
  const young = await sessionWith({ old: 0, recent: 400 });
  for (let count = 0; count < 450; count += 1) await store.create({ id: v7(), ownerId, title: 'Another', model: 'demo', at: new Date().toISOString() });
  const last = await sessionWith({ old: 500, recent: 0 });
  const housekeeper = new Housekeeper({ audit: { prune: async () => 0 }, store, now: () => new Date(), log });
  assert.equal(await housekeeper.pass(), 11_920 + 300 + 400);
  assert.deepEqual(await Promise.all([large, busy, resting, young, last].map(firstKept)), [11_921, 301, 1, 1, 401]);
  assert.equal(await store.eventsAfter(large, 11_919, 10_000), undefined);
  assert.equal((await store.eventsAfter(large, 11_920, 10_000))?.length, 100);
  assert.equal(await housekeeper.pass(), 0, 'the next pass begins at the first session again');
});

test('D25: a database that is away ends nothing; the pass after it goes on', async () => {
  const sessionId = await sessionWith({ old: 200, recent: 0 });
  let isAway = true;
  const pruning: typeof store.pruneEvents = (...args) => (isAway ? Promise.reject(new Error('away')) : store.pruneEvents(...args));
  const housekeeper = new Housekeeper({ audit: { prune: async () => 0 }, store: { pruneEvents: pruning }, now: () => new Date(), log });
  assert.equal(await housekeeper.pass(), 0);
  isAway = false;
  assert.equal(await housekeeper.pass(), 100);
  assert.equal(await firstKept(sessionId), 101);
  await housekeeper.close();
  await housekeeper.close();
});

test('D25: the statement walks primary keys and never reads the whole table', async () => {
  const client = await database.pool.connect();
  try {
    await client.query("set plan_cache_mode = 'force_generic_plan'");
    await client.query(`prepare pruning (uuid, timestamptz) as ${pruneEvents.text}`);
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain execute pruning ('00000000-0000-0000-0000-000000000000', now())`);
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
    assert.match(plan, /Tid Scan on session_events/);
    assert.doesNotMatch(plan, /Seq Scan on session_events/);
  } finally {
    await client.query('deallocate all');
    client.release(true);
  }
});
