import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inputView } from './call-input.ts';
import { fieldNames } from './field-names.ts';

const named = (tool: string, input: unknown) => fieldNames(tool, inputView(tool, input).rest);

test('U8: the fields of a command have names for people', () => {
  assert.deepEqual(named('bash', { command: 'ls', cwd: 'src' }), ['Folder']);
  assert.deepEqual(named('bash', { command: 'ls', terminal: true, background: true, timeoutMs: 5 }), ['In a terminal', 'In the background', 'Time limit (ms)']);
});

test('U8: beside a field that the tool does not know, all fields stand under their own names', () => {
  assert.equal(named('bash', { command: 'ls', cwd: '/etc', Folder: 'src' }), undefined);
  assert.equal(named('bash', { command: 'ls', constructor: 'x' }), undefined);
  assert.equal(named('bash', { command: 7, cwd: 'src' }), undefined);
  assert.equal(named('mcp__files__run', { cwd: 'src' }), undefined);
});
