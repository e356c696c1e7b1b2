import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Call } from '@tendon/protocol';
import { callsAwaitingApproval, storedSubject } from './waiting-calls.ts';

const base: Call = {
  id: 'a',
  sessionId: 's',
  messageId: 'm',
  tool: 'bash',
  kind: 'local',
  effect: 'execute',
  input: { command: 'npm test' },
  inputHash: 'h',
  state: 'awaiting_approval',
  createdAt: '2026-11-22T10:00:00Z',
};

test('U11: waiting calls are listed oldest first, decided ones are not', () => {
  const later = { ...base, id: 'b', createdAt: '2026-11-22T10:00:01Z' };
  const twin = { ...base, id: '0' };
  const over = { ...base, id: 'c', state: 'denied' as const };
  assert.deepEqual(
    callsAwaitingApproval({ b: later, a: base, c: over, 0: twin }).map((call) => call.id),
    ['0', 'a', 'b'],
  );
});

test('U12: the rule that Always shows is the one that is stored: the exact subject', () => {
  assert.equal(storedSubject(base), 'npm test');
  assert.equal(storedSubject({ ...base, tool: 'write_file', input: { path: 'a/b.txt', content: 'x' } }), 'a/b.txt');
  assert.equal(storedSubject({ ...base, tool: 'mcp_thing', input: { x: 1 } }), '{"x":1}');
});

test('U12: an input of a wrong shape is shown whole', () => {
  assert.equal(storedSubject({ ...base, input: { cmd: 1 } }), '{"cmd":1}');
  assert.equal(storedSubject({ ...base, input: null }), 'null');
});
