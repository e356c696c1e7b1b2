import assert from 'node:assert/strict';
import { test } from 'node:test';
import { v7 } from 'uuid';
import { brokenInvariants, stateFaults, transition } from '../kernel/index.ts';
import { commit, completed, done, execute, NODE, OTHER_NODE, type Rig, requested, turn } from './contract-rig.ts';

export function commitContract(rig: () => Rig): void {
  changesLast(rig);
  changesFollowEachOther(rig);
  repeats(rig);
  guards(rig);
}

function changesLast(rig: () => Rig): void {
  test('D13: what was committed is what is loaded', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const call = requested({ metadata: { signature: 'x' }, gatewayId: v7(), workspace: '/home/me' });
    const { change } = await turn(store, id, [call]);
    assert.deepEqual(await store.load(id), JSON.parse(JSON.stringify(change.state)));
    const decided = await done(
      { store, id },
      {
        type: 'decide',
        callId: call.id,
        inputHash: 'hash',
        decision: 'approve',
        scope: 'always',
        by: 'me',
        subject: 'ls',
        instanceId: v7(),
      },
    );
    assert.deepEqual(await store.load(id), JSON.parse(JSON.stringify(decided.change.state)));
    assert.equal((await store.rules(rig().ownerId)).filter((rule) => rule.subject === 'ls').length, 1);
  });

  test('D13: a machine that breaks an invariant writes nothing', async () => {
    const { store, newSession } = rig();
    const before = await newSession();
    const broken: typeof transition = (state, input, context) => {
      const outcome = transition(state, input, context);
      return outcome.ok ? { ...outcome, change: { ...outcome.change, state: { ...outcome.change.state, seq: outcome.change.state.seq + 1 } } } : outcome;
    };
    await assert.rejects(store.commit({ sessionId: before.id, node: NODE, input: execute('x') }, broken), /I8/);
    assert.deepEqual(await store.load(before.id), before);
  });

  test('D21: text that PostgreSQL does not take as such comes back as it was', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const odd = 'nul \0, half a pair \ud83d, bidi \u202e, a quote \' " \\ and {curly}';
    const begun = await done({ store, id }, execute(odd));
    const call = requested({ tool: 'ba\0sh', input: { command: odd, __proto__: null } });
    await done({ store, id }, completed(begun.change.state, [call]), { fence: begun.lease });
    await done(
      { store, id },
      { type: 'decide', callId: call.id, inputHash: 'hash', decision: 'approve', scope: 'always', by: 'me', subject: odd, reason: odd },
    );
    const page = await store.page(id, { limit: 5 });
    assert.deepEqual(page.messages[0]?.parts, [{ type: 'text', text: odd }]);
    assert.deepEqual(page.calls[0]?.input, { command: odd });
    assert.equal(
      (await store.rules(rig().ownerId)).some((rule) => rule.subject.includes('half a pair')),
      false,
    );
  });
}

function changesFollowEachOther(rig: () => Rig): void {
  test('D14: a hundred commits at once, from two nodes, leave no gap and lose nothing', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    const ids = Array.from({ length: 100 }, () => v7());
    await Promise.all(
      ids.map((messageId, index) => done({ store: index % 2 ? store : otherStore, id }, execute('more', messageId), { node: index % 2 ? NODE : OTHER_NODE })),
    );
    const state = await store.load(id);
    assert.deepEqual(new Set(state?.queue.map((queued) => queued.message.id)), new Set(ids));
    assert.equal(new Set(state?.queue.map((queued) => queued.message.seq)).size, 100);
    const events = await store.eventsAfter(id, 0, 1_000);
    assert.deepEqual(
      events?.map((event) => event.seq),
      Array.from({ length: begun.change.state.seq + 100 }, (_, index) => index + 1),
    );
    assert.deepEqual(state && stateFaults(state), []);
  });

  test('D14: a decision made on an older state is made again on the newer', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    const seen: boolean[] = [];
    const quick = store.commit({ sessionId: id, node: NODE, input: { type: 'update', title: 'Changed meanwhile' } }, transition);
    const slow = otherStore.commit({ sessionId: id, node: OTHER_NODE, input: { type: 'update', archived: true } }, (state, input, context) => {
      seen.push(state.archived);
      return transition(state, input, context);
    });
    await Promise.all([quick, slow]);
    assert.equal(seen.includes(true), false);
    const state = await store.load(id);
    assert.equal(state?.title, 'Changed meanwhile');
    assert.equal(state.archived, true);
    assert.equal(state.seq, 3);
  });

  test('S12: a message that was taken out of the queue is known to whoever sends it again, by its words', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    await done({ store, id }, execute('work'));
    const message = execute('two');
    const first = await done({ store, id }, message);
    await done({ store, id }, { type: 'cancel_message', messageId: message.messageId });
    for (const where of [store, otherStore]) {
      const again = await done({ store: where, id }, message);
      assert.deepEqual([again.answer, again.change.events], [first.answer, []]);
      const other = await commit({ store: where, id }, { ...message, text: 'three' });
      assert.equal(!other.ok && 'error' in other && other.error.code, 'conflict');
    }
    assert.deepEqual((await store.load(id))?.queue, []);
  });

  test('D22: a commit takes two statements, whatever stands in the session', async () => {
    const { store, database, newSession } = rig();
    const { id } = await newSession();
    for (let count = 0; count < 20; count += 1) await turn(store, id);
    const before = database.queries.total;
    await done({ store, id }, execute('one more'));
    assert.equal(database.queries.total - before, 2);
  });

  test('D22: an input that changes nothing writes nothing', async () => {
    const { store, database, newSession } = rig();
    const { id, title } = await newSession();
    const before = database.queries.total;
    await done({ store, id }, { type: 'update', title });
    assert.ok(database.queries.total - before <= 2);
    assert.equal((await store.load(id))?.seq, 1);
  });
}

function repeats(rig: () => Rig): void {
  test('D16: the same message again is answered as the first time and adds nothing', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    const input = execute('once');
    const outcomes = await Promise.all([store, otherStore, store, otherStore].map((one) => done({ store: one, id }, input)));
    for (const outcome of outcomes) assert.deepEqual(outcome.answer, outcomes[0]?.answer);
    assert.equal((await store.page(id, { limit: 10 })).messages.length, 1);
    assert.equal((await store.eventsAfter(id, 0, 100))?.filter((event) => event.type === 'message.created').length, 1);
  });

  test('D16: an id that another session has used is a conflict, also when both come at once', async () => {
    const { store, otherStore, newSession } = rig();
    const [first, second] = [await newSession(), await newSession()];
    const input = execute('mine');
    const outcomes = await Promise.all([commit({ store, id: first.id }, input), commit({ store: otherStore, id: second.id }, input)]);
    assert.equal(outcomes.filter((outcome) => outcome.ok).length, 1);
    assert.equal(
      outcomes.some((outcome) => !outcome.ok && 'error' in outcome && outcome.error.code === 'conflict'),
      true,
    );
  });
}

function guards(rig: () => Rig): void {
  test('D17: a call that is over keeps its state, whoever writes', async () => {
    const { store, database, newSession } = rig();
    const { id } = await newSession();
    const call = requested();
    await turn(store, id, [call]);
    await done({ store, id }, { type: 'decide', callId: call.id, inputHash: 'hash', decision: 'deny', scope: 'once', by: 'me', subject: '' });
    await assert.rejects(database.pool.query(`update calls set state = 'succeeded' where id = $1`, [call.id]), { constraint: 'calls_final' });
    await assert.rejects(database.pool.query('update sessions set lease_epoch = lease_epoch - 1 where id = $1', [id]), { constraint: 'sessions_epoch' });
  });

  test('D17: a status that the rows do not bear out is refused by the table', async () => {
    const { database, newSession } = rig();
    const { id } = await newSession();
    await assert.rejects(database.pool.query(`update sessions set status = 'running' where id = $1`, [id]), { code: '23514' });
  });

  test('D13: after each of many inputs the rows agree with the state', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const checked: typeof transition = (state, input, context) => {
      const outcome = transition(state, input, context);
      if (outcome.ok) assert.deepEqual(brokenInvariants(state, outcome.change), []);
      return outcome;
    };
    await store.commit({ sessionId: id, node: NODE, input: execute('a') }, checked);
    await store.commit({ sessionId: id, node: NODE, input: execute('b') }, checked);
    await store.commit({ sessionId: id, node: NODE, input: { type: 'stop' } }, checked);
    const [listed] = (await store.list(rig().ownerId, { limit: 1 })).sessions;
    assert.equal(listed?.status, 'idle');
    assert.equal(listed.held, true);
    await store.commit({ sessionId: id, node: NODE, input: { type: 'continue' } }, checked);
    assert.equal((await store.list(rig().ownerId, { limit: 1 })).sessions[0]?.status, 'running');
  });
}
