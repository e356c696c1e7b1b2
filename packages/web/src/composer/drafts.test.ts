import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryStorage } from '../account/memory-storage.test-kit.ts';
import { type DraftStorage, loadDraft, putBack, saveDraft } from './drafts.ts';

test('U6: a draft is kept per session and gone when the box is empty', () => {
  const storage = memoryStorage();
  saveDraft(storage, 'one', 'half a thou');
  saveDraft(storage, 'two', 'other');
  assert.equal(loadDraft(storage, 'one'), 'half a thou');
  assert.equal(loadDraft(storage, 'two'), 'other');
  saveDraft(storage, 'one', '');
  assert.equal(loadDraft(storage, 'one'), '');
  assert.equal(storage.entries.size, 1);
});

test('U6: a storage that fails never stops the typing', () => {
  const broken: DraftStorage = {
    getItem: () => {
      throw new Error('denied');
    },
    setItem: () => {
      throw new Error('full');
    },
    removeItem: () => {
      throw new Error('denied');
    },
  };
  assert.equal(loadDraft(broken, 'one'), '');
  saveDraft(broken, 'one', 'text');
  saveDraft(broken, 'one', '');
});

test('U7: a queued message that is taken back keeps what is being typed', () => {
  assert.equal(putBack('', 'queued'), 'queued');
  assert.equal(putBack(' \n', 'queued'), 'queued');
  assert.equal(putBack('typing', 'queued'), 'queued\n\ntyping');
});
