import assert from 'node:assert/strict';
import { it } from 'node:test';
import { watchWake } from './wake.ts';

it('K2: a page is woken by the network and by becoming visible, until it stops watching', () => {
  const window = new EventTarget();
  const document = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
  let woken = 0;
  const stop = watchWake(
    () => {
      woken += 1;
    },
    { window, document },
  );
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(woken, 0);
  document.visibilityState = 'visible';
  document.dispatchEvent(new Event('visibilitychange'));
  window.dispatchEvent(new Event('online'));
  assert.equal(woken, 2);
  stop();
  window.dispatchEvent(new Event('online'));
  document.dispatchEvent(new Event('visibilitychange'));
  assert.equal(woken, 2);
});
