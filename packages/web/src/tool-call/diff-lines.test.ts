import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesOfEdit, linesOfUnifiedDiff, splitRows } from './diff-lines.ts';

const DIFF = ['--- a/x', '+++ b/x', '@@ -1,3 +1,3 @@', ' one', '-two', '+TWO', ' three', '@@ -10,1 +10,2 @@', ' ten', '+eleven', ''].join('\n');

test('U19: a unified diff is shown with the line numbers of both sides and gaps between its hunks', () => {
  assert.deepEqual(linesOfUnifiedDiff(DIFF), [
    { kind: 'same', text: 'one', oldLine: 1, newLine: 1 },
    { kind: 'removed', text: 'two', oldLine: 2 },
    { kind: 'added', text: 'TWO', newLine: 2 },
    { kind: 'same', text: 'three', oldLine: 3, newLine: 3 },
    { kind: 'gap', text: '' },
    { kind: 'same', text: 'ten', oldLine: 10, newLine: 10 },
    { kind: 'added', text: 'eleven', newLine: 11 },
  ]);
});

test('U19: what is no diff is shown as it is', () => {
  assert.deepEqual(linesOfUnifiedDiff('hello\n@@ broken'), [
    { kind: 'same', text: 'hello' },
    { kind: 'same', text: '@@ broken' },
  ]);
});

test('U19: an edit is previewed from its two texts, every changed line in it', () => {
  const lines = linesOfEdit('a\nb\nc', 'a\nB\nc\nd');
  assert.deepEqual(
    lines.filter((line) => line.kind !== 'same' && line.kind !== 'gap').map((line) => `${line.kind} ${line.text}`),
    ['removed b', 'removed c', 'added B', 'added c', 'added d'],
  );
});

test('U19: side by side, removed and added lines face each other', () => {
  const rows = splitRows(linesOfUnifiedDiff(DIFF));
  assert.deepEqual(
    rows.map((row) => (row.gap ? '···' : `${row.left?.text ?? ''}|${row.right?.text ?? ''}`)),
    ['one|one', 'two|TWO', 'three|three', '···', 'ten|ten', '|eleven'],
  );
});

test('U19: two large texts that share nothing are shown within the time limit', () => {
  const old = Array.from({ length: 8_000 }, (_, index) => `old ${index * 7}`).join('\n');
  const fresh = Array.from({ length: 8_000 }, (_, index) => `new ${index * 13}`).join('\n');
  const lines = linesOfEdit(old, fresh);
  assert.equal(lines.filter((line) => line.kind === 'removed').length, 8_000);
  assert.equal(lines.filter((line) => line.kind === 'added').length, 8_000);
});
