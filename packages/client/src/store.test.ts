import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createStore, Notifier } from './store.ts';

/** A frame that comes when the test says so. */
function manualFrames() {
  const waiting = new Set<() => void>();
  return {
    waiting,
    scheduler: (flush: () => void) => {
      waiting.add(flush);
      return () => void waiting.delete(flush);
    },
    draw: () => {
      for (const flush of [...waiting]) {
        waiting.delete(flush);
        flush();
      }
    },
  };
}

describe('store', () => {
  it('K19: listeners are told once per frame, however often and in however many stores something changed', () => {
    const frames = manualFrames();
    const notifier = new Notifier(frames.scheduler);
    const [a, b] = [createStore(0, notifier), createStore(0, notifier)];
    const told: string[] = [];
    a.subscribe(() => told.push(`a=${a.get()}`));
    b.subscribe(() => told.push(`b=${b.get()}`));
    for (let value = 1; value <= 1_000; value += 1) a.set(value);
    b.set(1);
    assert.equal(a.get(), 1_000);
    assert.deepEqual(told, []);
    assert.equal(frames.waiting.size, 1);
    frames.draw();
    assert.deepEqual(told, ['a=1000', 'b=1']);
    frames.draw();
    assert.equal(told.length, 2);
  });

  it('K19: the same value is no change, and who has unsubscribed is not told', () => {
    const frames = manualFrames();
    const store = createStore({ a: 1 }, new Notifier(frames.scheduler));
    let told = 0;
    const listener = () => {
      told += 1;
    };
    const [first, second] = [store.subscribe(listener), store.subscribe(listener)];
    store.set(store.get());
    assert.equal(frames.waiting.size, 0);
    first();
    store.set({ a: 2 });
    frames.draw();
    assert.equal(told, 1);
    second();
    store.set({ a: 3 });
    frames.draw();
    assert.equal(told, 1);
  });

  it('K19: a listener that throws keeps nobody else from being told', () => {
    const frames = manualFrames();
    const store = createStore(0, new Notifier(frames.scheduler));
    let told = false;
    store.subscribe(() => {
      throw new Error('a bug in a page');
    });
    store.subscribe(() => {
      told = true;
    });
    store.set(1);
    assert.throws(frames.draw, /a bug in a page/);
    assert.ok(told);
  });

  it('K6: a closed notifier has told the last change and schedules nothing', () => {
    const frames = manualFrames();
    const notifier = new Notifier(frames.scheduler);
    const store = createStore(0, notifier);
    let seen = 0;
    store.subscribe(() => {
      seen = store.get();
    });
    store.set(1);
    notifier.close();
    assert.deepEqual([seen, frames.waiting.size], [1, 0]);
    store.set(2);
    assert.deepEqual([seen, frames.waiting.size], [2, 0]);
  });
});
