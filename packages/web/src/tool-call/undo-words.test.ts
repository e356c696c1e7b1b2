import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, UndoneFile } from '@tendon/protocol';
import { callStateText } from './call-state.ts';
import { callTitle, titleText } from './call-title.ts';
import { undoWords } from './undo-words.ts';

const startedAt = '2026-11-22T10:00:01Z';

function undo(state: Call['state'], outcomes: readonly UndoneFile['outcome'][] = [], more: Partial<Call> = {}): Call {
  const base = { id: 'c', sessionId: 's', messageId: 'm', kind: 'local', effect: 'write', inputHash: 'h', createdAt: '2026-11-22T10:00:00Z' } as const;
  const undone = outcomes.map((outcome, index) => ({ path: `f${index}`, outcome }));
  const result = outcomes.length === 0 ? {} : { result: { status: 'succeeded' as const, content: [], meta: { undone } } };
  return { ...base, tool: 'undo_changes', input: { calls: [], files: ['f0', 'f1'], others: [] }, state, ...result, ...more };
}

test('U37: the card says what becomes of the files, or what became of them, as its call stands', () => {
  const table: [Call, RegExp][] = [
    [undo('awaiting_approval'), /^They go back .* changed since is left alone\.$/],
    [undo('queued'), /as soon as the machine begins/],
    [undo('running', [], { startedAt }), /being put back/],
    [undo('denied'), /left as they are/],
    [undo('succeeded', ['restored', 'removed'], { startedAt }), /^All files are as they were/],
    [undo('succeeded', ['restored'], { startedAt }), /^The file is as it was/],
    [undo('succeeded', ['restored', 'left', 'unchanged'], { startedAt }), /^2 of 3 files are as they were/],
    [undo('failed', ['left', 'impossible'], { startedAt }), /^No file was put back; why stands/],
    [undo('failed'), /^No file was put back\.$/],
    [undo('cancelled'), /^No file was put back\.$/],
    [undo('cancelled', ['restored', 'impossible'], { startedAt }), /^1 of 2/],
    [undo('cancelled', [], { startedAt }), /not known which/],
    [undo('unknown', [], { startedAt }), /not known which/],
  ];
  for (const [call, words] of table) {
    assert.match(undoWords(call).files, words, call.state);
    const isAhead = ['awaiting_approval', 'queued', 'running'].includes(call.state);
    assert.equal(undoWords(call).changesHeading === 'Changes to take back', isAhead, call.state);
    assert.equal(undoWords(call).filesHeading === 'Files to put back', isAhead, call.state);
    assert.equal(/\b(go back|being)\b/.test(undoWords(call).files), isAhead, call.state);
  }
});

test('U37: an undo of which something was left is not told as done', () => {
  assert.equal(callStateText(undo('succeeded', ['restored', 'restored']), undefined).word, 'Done');
  assert.deepEqual(callStateText(undo('succeeded', ['restored', 'left']), undefined), { tone: 'needs_you', word: 'Partly done' });
  assert.equal(titleText(callTitle(undo('succeeded', ['restored', 'left']))), 'Put files back, 1 of 2 files');
  assert.equal(titleText(callTitle(undo('succeeded', ['restored', 'removed']))), 'Put files back, 2 files');
  assert.equal(titleText(callTitle(undo('failed', ['left', 'impossible']))), 'Put files back, 0 of 2 files');
  assert.equal(titleText(callTitle(undo('running'))), 'Put files back, 2 files');
});
