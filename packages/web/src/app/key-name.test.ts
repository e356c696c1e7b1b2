import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyName } from './key-name.ts';

const plain = { shiftKey: false, ctrlKey: false, metaKey: false, altKey: false };

test('U11: a key is named with Shift for letters, whatever Caps Lock says, and never with the modifiers of the browser', () => {
  assert.equal(keyName({ ...plain, key: 'a' }), 'a');
  assert.equal(keyName({ ...plain, key: 'A' }), 'a');
  assert.equal(keyName({ ...plain, key: 'A', shiftKey: true }), 'Shift+a');
  assert.equal(keyName({ ...plain, key: '?', shiftKey: true }), '?');
  assert.equal(keyName({ ...plain, key: 'Escape' }), 'Escape');
  assert.equal(keyName({ ...plain, key: 'a', ctrlKey: true }), undefined);
  assert.equal(keyName({ ...plain, key: 'a', metaKey: true }), undefined);
  assert.equal(keyName({ ...plain, key: 'a', altKey: true }), undefined);
});
