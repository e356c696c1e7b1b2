import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forgetOthers, forgetPerson, leftBehind, rememberPerson } from './left-behind.ts';
import { memoryStorage } from './memory-storage.test-kit.ts';

const OF_THE_BROWSER = { 'tendon-relay-key': 'k', 'tendon:theme': 'dark' };
const TYPED = { 'tendon:draft:new': 'half', 'tendon:draft:s1': 'a thought', 'tendon.outbox.m1': '{}' };

test('U39: what a person typed is counted and removed, what is the browser’s stays', () => {
  const storage = memoryStorage({ ...OF_THE_BROWSER, ...TYPED, 'tendon:person': 'ada' });
  assert.deepEqual(leftBehind(storage), { drafts: 2, unsent: 1 });
  forgetPerson(storage);
  assert.deepEqual([...storage.entries.keys()].sort(), Object.keys(OF_THE_BROWSER));
});

for (const [what, before, here, after] of [
  ['the same person finds theirs', { ...TYPED, 'tendon:person': 'ada' }, 'ada', [...Object.keys(TYPED), 'tendon:person']],
  ['another person finds nothing', { ...TYPED, 'tendon:person': 'ada' }, 'bob', []],
  ['where nobody can say who is here, all stays', { ...TYPED, 'tendon:person': 'ada' }, undefined, [...Object.keys(TYPED), 'tendon:person']],
  ['what an older page kept is taken for that of who is here', TYPED, 'bob', Object.keys(TYPED)],
] as const) {
  test(`U39: ${what}`, async () => {
    const storage = memoryStorage(before);
    await forgetOthers(storage, async () => here);
    assert.deepEqual([...storage.entries.keys()].sort(), [...after].sort());
  });
}

test('U39: where nothing was left nobody is asked', async () => {
  const storage = memoryStorage({ 'tendon:person': 'ada' });
  await forgetOthers(storage, () => assert.fail('asked'));
  // Typed before it is known who is here.
  storage.setItem('tendon:draft:new', 'of bob');
  assert.equal(rememberPerson(storage, 'bob'), false);
  assert.equal(storage.getItem('tendon:person'), 'bob');
  assert.deepEqual(leftBehind(storage), { drafts: 1, unsent: 0 });
  assert.equal(rememberPerson(storage, 'bob'), false);
});

test('U39: who signs in beside a page that stays open finds nothing of who was there, and the page begins anew', () => {
  const storage = memoryStorage({ ...TYPED, ...OF_THE_BROWSER, 'tendon:person': 'ada' });
  assert.equal(rememberPerson(storage, 'bob'), true);
  assert.deepEqual([...storage.entries.keys()].sort(), [...Object.keys(OF_THE_BROWSER), 'tendon:person'].sort());
  assert.equal(storage.getItem('tendon:person'), 'bob');
});

test('U39: a storage that is switched off, and a server that does not answer, stop no page', async () => {
  const off = memoryStorage(TYPED);
  const denied = () => {
    throw new Error('denied');
  };
  Object.assign(off, { getItem: denied, setItem: denied });
  await forgetOthers(off, async () => 'ada');
  rememberPerson(off, 'ada');
  const storage = memoryStorage({ ...TYPED, 'tendon:person': 'ada' });
  await forgetOthers(storage, () => Promise.reject(new Error('gone')));
  assert.deepEqual(leftBehind(storage), { drafts: 2, unsent: 1 });
});
