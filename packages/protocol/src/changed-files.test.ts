import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tracesOf } from './changed-files.ts';
import type { Call } from './shapes.ts';

function traces(tool: string, input: unknown, more: Partial<Call> = {}): ReturnType<typeof tracesOf> {
  return tracesOf({ tool, input, state: 'succeeded', effect: 'write', kind: 'local', ...more });
}

test('C18: what a call has changed is read from the call: files, or other work that is named', () => {
  assert.deepEqual(traces('write_file', { path: 'a', content: '' }), { kind: 'files', files: ['a'] });
  const patch = '*** Begin Patch\n*** Delete File: a\n*** Update File: b\n*** Move to: c\n*** End Patch';
  assert.deepEqual(traces('apply_patch', { patch }, { state: 'failed', startedAt: '2026-11-22T10:00:00Z' }), { kind: 'files', files: ['a', 'b', 'c'] });
  assert.deepEqual(traces('bash', { command: 'npm install' }, { effect: 'execute' }), { kind: 'other', work: { tool: 'bash', what: 'npm install' } });
  assert.deepEqual(traces('mcp__files__put', { to: 'x' }, { effect: 'execute' }), { kind: 'other', work: { tool: 'mcp__files__put', what: '{"to":"x"}' } });
  const onServer = traces('server_mcp__docs__put', { to: 'x' }, { effect: 'execute', kind: 'remote' });
  assert.deepEqual(onServer, { kind: 'other', work: { tool: 'server_mcp__docs__put', what: '{"to":"x"}' } });
  assert.deepEqual(traces('bash', { cmd: 1 }, { effect: 'execute' }), { kind: 'other', work: { tool: 'bash', what: '{"cmd":1}' } });
});

test('C18: what did not run, only reads, or is an undo itself leaves no traces', () => {
  const none = { kind: 'none' };
  assert.deepEqual(traces('write_file', { path: 'a', content: '' }, { state: 'denied' }), none);
  assert.deepEqual(traces('write_file', { path: 'a', content: '' }, { state: 'failed', startedAt: '2026-11-22T10:00:00Z' }), none);
  assert.deepEqual(traces('bash', { command: 'ls' }, { state: 'cancelled' }), none);
  assert.deepEqual(traces('read_file', { path: 'a' }, { effect: 'read' }), none);
  assert.deepEqual(traces('undo_changes', { calls: [], files: ['a'], others: [] }), none);
  assert.deepEqual(traces('update_plan', {}, { kind: 'remote', effect: 'read' }), none);
  assert.deepEqual(traces('write_file', null), none);
  assert.deepEqual(traces('apply_patch', { patch: 'none' }), none);
});
