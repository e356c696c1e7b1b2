import assert from 'node:assert/strict';
import { test } from 'node:test';
import { authRig } from './auth-rig.ts';
import { EndedCredentials } from './ended-credentials.ts';

/** What H14 gives to finding out: half of it is for the wait, half for the asking. */
const MOST_WAIT_MS = 2_000 / 2;

test('H14, I14: what ended unheard is asked for every second, of all that is in use at that moment', async () => {
  await using rig = await authRig();
  const userId = rig.auth.ownerId;
  const [first, second] = await Promise.all(['first', 'second'].map(async (name) => (await rig.auth.createKey({ userId, name })).row.id));
  const ids = [String(first), String(second)];
  const ended: string[] = [];
  const schedule: { readonly ms: number; readonly work: () => void }[] = [];
  const watch = new EndedCredentials({
    ...{ pool: rig.database.pool, inUse: () => ids, onEnded: (id: string) => ended.push(id), now: () => rig.clock.now, log: rig.log },
    every: (ms, work) => {
      const timer = { ms, work };
      schedule.push(timer);
      return () => void schedule.splice(schedule.indexOf(timer), 1);
    },
  });
  watch.start();
  assert.equal(schedule.length, 1);
  const [sweep] = schedule;
  assert.ok(sweep && sweep.ms <= MOST_WAIT_MS, `it is due after ${sweep?.ms} ms`);
  for (const id of ids) {
    ended.length = 0;
    await rig.database.pool.query('update api_keys set revoked_at = now() where id = $1', [id]);
    assert.equal(ended.length, 0, 'nobody was told');
    sweep.work();
    await watch.look();
    assert.ok(ended.includes(id));
  }
  await watch.close();
  assert.equal(schedule.length, 0);
});
