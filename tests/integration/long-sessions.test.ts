import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { calls, DatabaseMeter, nodeRig, SessionView, says, textOf, until } from '@tendon/testing';

let meter: DatabaseMeter | undefined;
const rig = await nodeRig({
  hasGateway: false,
  throughDatabase: async (url) => {
    meter = await DatabaseMeter.start(url);
    return meter;
  },
});
after(() => rig[Symbol.asyncDispose]());

/** What the node does once in a while, whatever the sessions do. Notices are sent by the clock too, and together when there are several. */
const HOUSEKEEPING = ['claim_owed', 'renew_leases', 'list_places', 'notify', 'save_partial', ''];

/** What follows from a look, or from a commit that is told of, is asked for a moment later. */
function untilQuiet(): Promise<unknown> {
  return until({ what: 'the database to be left alone', pollMs: 10, check: () => (meter?.quietMs ?? 0) > 100 });
}

/**
 * How often each statement is sent while `work` runs. It begins just after a look at what other nodes did: the next one, which loads sessions
 * too, is 2 s away. Where that came in the middle all the same, on a busy machine, it is done once more.
 */
async function statementsOf(work: () => Promise<unknown>): Promise<Record<string, number>> {
  const looks = () => meter?.count.get('list_places') ?? 0;
  for (;;) {
    const seen = looks();
    await until({ what: 'the next look at what other nodes did', pollMs: 10, check: () => looks() > seen || undefined });
    await untilQuiet();
    const [before, begun] = [meter?.count ?? new Map<string, number>(), looks()];
    await work();
    await untilQuiet();
    const sent = [...(meter?.count ?? new Map<string, number>())].map(([name, total]) => [name, total - (before.get(name) ?? 0)] as const);
    if (looks() === begun) return Object.fromEntries(sent.filter(([name, total]) => total > 0 && !HOUSEKEEPING.includes(name)).toSorted());
  }
}

/** Puts `count` messages into the history of a new session, questions and answers in turn. */
async function seeded(count: number): Promise<SessionView> {
  const socket = await rig.connect();
  const { session } = await socket.ask('session:create', {});
  await rig.sql(
    `insert into messages (id, session_id, seq, role, state, parts, created_at, accepted_seq, was_queued, queue_rank)
     select gen_random_uuid(), $1, 1 + n, case when n % 2 = 1 then 'user' else 'assistant' end, 'complete',
       json_build_array(json_build_object('type', 'text', 'text', 'message ' || n)), now(), 1 + n, false, 0
     from generate_series(1, $2::int) as n`,
    [session.id, count],
  );
  await rig.sql('update sessions set seq = $2, version = version + 1 where id = $1', [session.id, 1 + count]);
  await rig.sql('analyze messages');
  return SessionView.attach(socket, session.id);
}

/**
 * Rows of sessions that the database has looked at so far. Connections hand their counts in when they end, so they are ended, but for the
 * one of notices: a node that has lost that one looks everything up again.
 */
async function rowsRead(): Promise<number> {
  await rig.sql(`select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and application_name = 'tendon'`);
  const [found] = await rig.sql<{ rows: string }>(
    `select sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) as rows
     from pg_stat_user_tables where relname in ('messages', 'calls', 'session_events')`,
  );
  return Number(found?.rows);
}

/** One more turn with a call in it: what it sends to the database, and how many rows are looked at for it. */
async function measuredTurn(session: SessionView): Promise<{ statements: Record<string, number>; rows: number }> {
  rig.model.script(says('warm'));
  await session.say('warm up');
  await session.untilStatus('idle');
  let before = 0;
  const statements = await statementsOf(async () => {
    before = await rowsRead();
    rig.model.script([calls({ name: 'update_plan', input: { steps: [{ title: 'look', status: 'done' }] } })], says('measured'));
    await session.say('measure this');
    await session.untilStatus('idle');
  });
  return { statements, rows: (await rowsRead()) - before };
}

test('R4: a turn in a session of 10,000 messages sends the same statements and looks at no more rows than in one of 100', async () => {
  const small = await measuredTurn(await seeded(100));
  const large = await measuredTurn(await seeded(10_000));
  assert.deepEqual(large.statements, small.statements);
  assert.ok(large.rows <= small.rows && large.rows < 100, `${large.rows} rows at 10,000 messages, ${small.rows} at 100`);
});

/** Somebody opens the session: its newest page, and the one before that. */
async function measuredOpen({ id }: SessionView): Promise<{ statements: Record<string, number>; rows: number }> {
  const socket = await rig.connect();
  let before = 0;
  const statements = await statementsOf(async () => {
    before = await rowsRead();
    const opened = await SessionView.attach(socket, id);
    await socket.ask('session:history', { sessionId: id, before: opened.attached.messages[0]?.seq ?? 0, limit: 50 });
  });
  return { statements, rows: (await rowsRead()) - before };
}

test('D18: a session of 10,000 messages opens with the same statements and the same rows as one of 200', async () => {
  const small = await measuredOpen(await seeded(200));
  const large = await measuredOpen(await seeded(10_000));
  assert.deepEqual(large.statements, small.statements);
  assert.equal(large.rows, small.rows);
  assert.ok(large.rows < 250, `${large.rows} rows`);
});

test('R1: 2,000 tokens cost no statement more than 20', async () => {
  const session = await rig.open();
  const sent = (name: string): number => meter?.count.get(name) ?? 0;
  let begun = { saves: 0, notices: 0, atMs: 0 };
  const turn = async (count: number): Promise<Record<string, number>> => {
    return statementsOf(async () => {
      begun = { saves: sent('save_partial'), notices: sent('notify'), atMs: performance.now() };
      rig.model.script([{ do: 'tokens', count, everyMs: 0, text: (index) => `word${index} ` }]);
      await session.say(`${count} words, please`);
      await session.untilStatus('idle');
    });
  };
  await turn(1);
  const few = await turn(20);
  const many = await turn(2_000);
  assert.deepEqual(many, few);
  const allowed = 1 + (performance.now() - begun.atMs) / 1_000;
  assert.ok(sent('save_partial') - begun.saves <= allowed, 'the text so far is stored once a second');
  assert.ok(sent('notify') - begun.notices < 20, 'no token is sent to nodes where nobody watches');
});

test('D18: a long session opens with its newest page, and the older ones follow without gap or overlap', async () => {
  const session = await seeded(230);
  const seen = [...session.attached.messages];
  assert.equal(seen.length, 50);
  for (let hasMore = session.attached.hasMore; hasMore; ) {
    const page = await session.socket.ask('session:history', { sessionId: session.id, before: seen[0]?.seq ?? 0, limit: 100 });
    seen.unshift(...page.messages);
    hasMore = page.hasMore;
  }
  assert.deepEqual(
    seen.map((message) => textOf(message)),
    Array.from({ length: 230 }, (_, index) => `message ${index + 1}`),
  );
});
