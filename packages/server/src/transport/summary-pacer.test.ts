import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { Session } from '@tendon/protocol';
import { SUMMARY_PACE_MS, SummaryPacer } from './summary-pacer.ts';

const session = (id: string, title: string) => ({ session: { id, title } as Session });

test('T23: the first summary in a while is told at once, later ones together, of each session the newest; other people do not wait', () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  try {
    const told: string[] = [];
    const pacer = new SummaryPacer((userId, { session: { id, title }, deleted }) => told.push(`${userId} ${id} ${title}${deleted ? ' deleted' : ''}`));
    const toldNow = () => told.splice(0);
    pacer.add('ada', session('a', '1'));
    assert.deepEqual(toldNow(), ['ada a 1']);
    for (const title of ['2', '3', '4']) for (const id of ['a', 'b']) pacer.add('ada', session(id, title));
    pacer.add('ada', { ...session('b', '5'), deleted: true });
    assert.deepEqual(toldNow(), []);
    pacer.add('bob', session('c', '1'));
    assert.deepEqual(toldNow(), ['bob c 1']);
    mock.timers.tick(SUMMARY_PACE_MS);
    assert.deepEqual(toldNow(), ['ada a 4', 'ada b 5 deleted']);
    // Still within the pace: what was told together counts as well.
    pacer.add('ada', session('a', '6'));
    assert.deepEqual(toldNow(), []);
    mock.timers.tick(SUMMARY_PACE_MS);
    assert.deepEqual(toldNow(), ['ada a 6']);
    mock.timers.tick(SUMMARY_PACE_MS);
    pacer.add('ada', session('a', '7'));
    assert.deepEqual(toldNow(), ['ada a 7']);
  } finally {
    mock.timers.reset();
  }
});
