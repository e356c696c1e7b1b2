import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call, CallState, UndoneFile } from '@tendon/protocol';
import { changesOfTurn } from './turn-changes.ts';

function call(tool: string, input: unknown, more: Partial<Call> = {}): Call {
  const ids = { id: 'c', sessionId: 's', messageId: 'm', inputHash: 'h', createdAt: '2026-11-22T10:00:00Z' };
  return { ...ids, tool, input, kind: 'local', effect: 'write', state: 'succeeded', ...more };
}

const wrote = call('write_file', { path: 'a', content: '' });
const ran = call('bash', { command: 'make' }, { effect: 'execute' });

function undo(state: CallState, outcome?: UndoneFile['outcome']): Call {
  const undone = outcome === undefined ? [] : [{ path: 'a', outcome }];
  return call('undo_changes', {}, { state, result: { status: 'succeeded', content: [], meta: { undone } } });
}

test('U37: an undo is offered where files were changed, once each, with what it leaves', () => {
  assert.deepEqual(changesOfTurn([wrote, ran, wrote]), { files: ['a'], others: [{ tool: 'bash', what: 'make' }] });
  assert.equal(changesOfTurn([ran]), undefined);
  assert.equal(changesOfTurn([]), undefined);
  assert.equal(changesOfTurn([{ ...wrote, state: 'denied' }]), undefined);
});

test('U37: it is not offered while one is under way or when all is back, and again when something was left', () => {
  for (const state of ['awaiting_approval', 'queued', 'running'] as const) assert.equal(changesOfTurn([wrote, undo(state)]), undefined);
  for (const outcome of ['restored', 'removed', 'unchanged'] as const) assert.equal(changesOfTurn([wrote, undo('succeeded', outcome)]), undefined);
  for (const outcome of ['left', 'impossible'] as const) assert.deepEqual(changesOfTurn([wrote, undo('succeeded', outcome)])?.files, ['a']);
  for (const state of ['denied', 'cancelled', 'unknown', 'failed'] as const) assert.deepEqual(changesOfTurn([wrote, undo(state)])?.files, ['a']);
});
