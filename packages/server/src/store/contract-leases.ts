import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commit, completed, done, execute, NODE, OTHER_NODE, type Rig, requested, turn } from './contract-rig.ts';

const expire = (rig: Rig, sessionId: string) =>
  rig.database.pool.query(`update sessions set lease_expires_at = now() - interval '1 second' where id = $1`, [sessionId]);

export function leaseContract(rig: () => Rig): void {
  fences(rig);
  takeovers(rig);
}

function fences(rig: () => Rig): void {
  test('D15: whoever commits work takes the lease, and gives it up with the last of it', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    assert.deepEqual(begun.lease, { sessionId: id, node: NODE, epoch: 1 });
    assert.equal(begun.change.state.turn?.epoch, 1);
    const ended = await done({ store, id }, completed(begun.change.state), { fence: begun.lease });
    assert.equal(ended.lease, undefined);
    const again = await done({ store, id }, execute('more'), { node: OTHER_NODE });
    assert.deepEqual(again.lease, { sessionId: id, node: OTHER_NODE, epoch: 2 });
  });

  test('N10: a lease is free as soon as nothing is owed, whichever node commits that, and its owner finds out', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    assert.ok(begun.lease);
    const stopped = await done({ store: otherStore, id }, { type: 'stop', partial: undefined }, { node: OTHER_NODE });
    assert.deepEqual([stopped.owed, stopped.lease], [[], undefined]);
    assert.deepEqual(await store.renew(NODE, [begun.lease]), []);
    assert.equal(await store.savePartial(begun.lease, begun.change.state.turn?.messageId ?? '', [{ type: 'text', text: 'late' }]), false);
    const again = await done({ store: otherStore, id }, execute('more'), { node: OTHER_NODE });
    assert.deepEqual(again.lease, { sessionId: id, node: OTHER_NODE, epoch: 2 });
    assert.deepEqual(await commit({ store, id }, completed(begun.change.state), { fence: begun.lease }), { ok: false, fenced: true });
  });

  test('D15: an old epoch writes nothing', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    assert.ok(begun.lease);
    await expire(rig(), id);
    const taken = (await otherStore.claimOwed(OTHER_NODE, 1_000)).find((lease) => lease.sessionId === id);
    assert.equal(taken?.epoch, 2);
    const before = await store.load(id);
    assert.deepEqual(await commit({ store, id }, completed(begun.change.state), { fence: begun.lease }), { ok: false, fenced: true });
    assert.equal(await store.savePartial(begun.lease, begun.change.state.turn?.messageId ?? '', [{ type: 'text', text: 'late' }]), false);
    assert.deepEqual(await store.renew(NODE, [begun.lease]), []);
    await store.release(begun.lease);
    assert.deepEqual(await store.load(id), before);
    assert.deepEqual(await otherStore.renew(OTHER_NODE, [taken]), [taken]);
  });

  test('D15: a commit of a person through another node leaves the owner its lease', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    const queued = await done({ store: otherStore, id }, execute('more'), { node: OTHER_NODE });
    assert.equal(queued.lease, undefined);
    const ended = await done({ store, id }, completed(begun.change.state), { fence: begun.lease });
    assert.equal(ended.lease?.epoch, 1);
  });

  test('D15: what has streamed is kept while the turn runs, and is not written over by other commits', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    const begun = await done({ store, id }, execute('work'));
    assert.ok(begun.lease);
    const parts = [{ type: 'text', text: 'so far' }] as const;
    assert.equal(await store.savePartial(begun.lease, begun.change.state.turn?.messageId ?? '', parts), true);
    await done({ store, id }, { type: 'update', title: 'New name' });
    assert.deepEqual((await store.load(id))?.turn?.partial, parts);
    const stopped = await done({ store, id }, { type: 'stop' });
    assert.deepEqual(stopped.change.messages[0]?.message.parts, parts);
    assert.equal(await store.savePartial(begun.lease, begun.change.state.turn?.messageId ?? '', parts), false);
  });
}

function takeovers(rig: () => Rig): void {
  test('D15: a turn whose owner is gone is not run by a commit that passes by: it is claimed', async () => {
    const { store, otherStore, newSession } = rig();
    const { id } = await newSession();
    await done({ store, id }, execute('work'));
    await expire(rig(), id);
    const passing = await done({ store: otherStore, id }, execute('more'), { node: OTHER_NODE });
    assert.equal(passing.lease, undefined);
    const claimed = (await otherStore.claimOwed(OTHER_NODE, 1_000)).find((lease) => lease.sessionId === id);
    const lost = await done({ store: otherStore, id }, { type: 'turn_lost' }, { node: OTHER_NODE, fence: claimed });
    assert.equal(lost.change.state.turn?.epoch, claimed?.epoch);
    assert.deepEqual(lost.lease, claimed);
  });

  test('D15: two nodes that claim at once take different sessions, and none that lives or owes nothing', async () => {
    const { store, otherStore, newSession } = rig();
    const owing = await Promise.all([1, 2, 3, 4].map(() => newSession()));
    for (const { id } of owing) await done({ store, id }, execute('work'));
    const waiting = await newSession();
    await turn(store, waiting.id, [requested()]);
    await store.claimOwed('sweeper', 1_000);
    for (const { id } of owing) await expire(rig(), id);
    const claims = await Promise.all([store.claimOwed(NODE, 3), otherStore.claimOwed(OTHER_NODE, 3)]);
    const ids = claims.flat().map((lease) => lease.sessionId);
    assert.equal(new Set(ids).size, ids.length);
    assert.deepEqual(new Set([...ids, ...(await store.claimOwed(NODE, 10)).map((lease) => lease.sessionId)]), new Set(owing.map((state) => state.id)));
  });

  test('D15: the sole owner of a database frees what its dead ancestors held', async () => {
    const { store, newSession } = rig();
    const { id } = await newSession();
    await done({ store, id }, execute('work'), { node: 'a dead node' });
    assert.equal(
      (await store.claimOwed(NODE, 1_000)).some((lease) => lease.sessionId === id),
      false,
    );
    await store.releaseAll();
    assert.equal((await store.claimOwed(NODE, 1_000)).find((lease) => lease.sessionId === id)?.epoch, 2);
  });
}
