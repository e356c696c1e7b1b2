import assert from 'node:assert/strict';
import { test } from 'node:test';
import { guardedCard, mayApprove } from './approval-guard.ts';

test('U9: approving is ignored in the first 300 ms after the card appears', () => {
  const card = guardedCard(undefined, 'call-1:hash', 1_000);
  assert.equal(mayApprove(card, 1_000), false);
  assert.equal(mayApprove(card, 1_299), false);
  assert.equal(mayApprove(card, 1_300), true);
});

test('U9: a changed card starts its 300 ms again, an unchanged one does not', () => {
  const first = guardedCard(undefined, 'call-1:hash', 1_000);
  assert.equal(guardedCard(first, 'call-1:hash', 5_000), first);
  const changed = guardedCard(first, 'call-1:other', 5_000);
  assert.equal(mayApprove(changed, 5_100), false);
  assert.equal(mayApprove(changed, 5_300), true);
});
