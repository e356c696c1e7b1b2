import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputView, shownText } from './call-input.ts';
import { filesOfUnifiedDiff } from './diff-lines.ts';
import { filesOfPatch } from './patch-files.ts';

const PATCH = [
  '*** Begin Patch',
  '*** Add File: new.txt',
  '+one',
  '+',
  '*** Update File: a.ts',
  '*** Move to: b.ts',
  '@@ class X',
  ' same',
  '-old',
  '+new',
  '*** End of File',
  '*** Delete File: gone.txt',
  '*** End Patch',
].join('\n');

test('U19: a patch is shown file by file, with every line of it, before it is approved', () => {
  assert.deepEqual(filesOfPatch(PATCH), [
    {
      path: 'new.txt',
      words: 'New file',
      lines: [
        { kind: 'added', text: 'one', newLine: 1 },
        { kind: 'added', text: '', newLine: 2 },
      ],
    },
    {
      path: 'a.ts',
      words: 'Moved to b.ts',
      lines: [
        { kind: 'gap', text: 'below class X' },
        { kind: 'same', text: 'same' },
        { kind: 'removed', text: 'old' },
        { kind: 'added', text: 'new' },
        { kind: 'gap', text: 'end of the file' },
      ],
    },
    { path: 'gone.txt', words: 'Deleted, the whole file', lines: [] },
  ]);
  const view = inputView('apply_patch', { patch: PATCH, odd: 1 });
  assert.equal(view.kind, 'patch');
  assert.deepEqual(view.rest, [{ name: 'odd', value: '1' }]);
  assert.ok(shownText(view).includes(PATCH));
});

test('U19: a patch that cannot be read is shown as it came', () => {
  assert.equal(inputView('apply_patch', { patch: 'no patch' }).kind, 'fields');
  assert.equal(inputView('apply_patch', { patch: 7 }).kind, 'fields');
});

test('U19: the diff of several files is shown file by file; lines that look like headers stay lines', () => {
  const diff = ['--- a/x', '+++ b/x', '@@ -1,2 +1,1 @@', ' one', '--- a/y', '--- a/run', '+++ b/bin/run', ''].join('\n');
  assert.deepEqual(filesOfUnifiedDiff(diff), [
    {
      path: 'x',
      words: '',
      lines: [
        { kind: 'same', text: 'one', oldLine: 1, newLine: 1 },
        { kind: 'removed', text: '-- a/y', oldLine: 2 },
      ],
    },
    { path: 'run', words: 'Moved to bin/run', lines: [] },
  ]);
  assert.deepEqual(filesOfUnifiedDiff('--- a/x\n+++ b/x\n@@ broken'), [
    { path: 'x', words: '', lines: ['--- a/x', '+++ b/x', '@@ broken'].map((text) => ({ kind: 'same', text })) },
  ]);
});
